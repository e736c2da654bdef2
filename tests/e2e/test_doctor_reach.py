"""`postroad doctor` on what every mail server has: a name, a port, a certificate, a greeting; and
on the token that an account may need."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postroad.cli.doctor.examination import examine
from postroad.cli.doctor.judge.peer import Handshake, tls, unencrypted
from postroad.runtime.config import Config
from tests.e2e.examined import LISTS, SECRET, check, relay, source, write
from tests.e2e.sockets import source as socket
from tests.peers.certificate import Certificate, self_signed
from tests.peers.dovecot import Dovecot
from tests.peers.imapscript import ScriptedImap
from tests.peers.process import free_port
from tests.peers.sink import Rule, Script, Sink
from tests.peers.tokens import TokenServer, log_in

pytestmark = pytest.mark.e2e


async def test_host_without_address(tmp_path: Path) -> None:
    """A name that no resolver knows is told as such, an address needs none."""
    found = await check("host", tmp_path, relay(25, host="no-such-host.invalid"))
    assert (found.state, "no-such-host.invalid" in found.finding) == ("failed", True)
    assert (await check("host", tmp_path, relay(25, host="localhost"))).state == "ok"


async def test_a_socket_of_ours(tmp_path: Path) -> None:
    """Of a source that waits for clients it is told whether it does, and else how to start it."""
    port = free_port()
    settings = socket("lmtp", port)
    found = await check("connection", tmp_path, settings)
    assert (found.state, found.finding) == ("warning", f"127.0.0.1:{port}: nothing listens there")
    assert "postroad up" in found.remedy
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
        assert (await check("connection", tmp_path, settings)).state == "ok"


async def test_connection_refused(tmp_path: Path) -> None:
    """A port where nothing listens is told with host and port."""
    port = free_port()
    found = await check("connection", tmp_path, source(tmp_path, port))
    assert (found.state, found.finding) == ("failed", f"127.0.0.1:{port}: nothing listens there")
    async with Sink.start() as sink:
        assert (await check("connection", tmp_path, relay(sink.port))).state == "ok"


@asynccontextmanager
async def listening(certificate: Certificate) -> AsyncIterator[int]:
    """A port that speaks TLS with this certificate, and nothing else."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert, certificate.key)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("name", "days", "trusted", "state", "words"),
    [
        ("localhost", 90, True, "ok", "good until"),
        ("localhost", 10, True, "warning", "ends in 10 days"),
        ("localhost", 0, True, "failed", "has expired"),
        ("mail.example.org", 90, True, "failed", "it is for mail.example.org"),
        ("localhost", 90, False, "failed", "not trusted: self-signed certificate"),
        ("localhost", 0, False, "failed", "self-signed certificate, and it has expired"),
    ],
    ids=["good", "soon", "expired", "other-name", "unknown-authority", "both"],
)
async def test_tls_certificate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    days: int,
    trusted: bool,
    state: str,
    words: str,
) -> None:
    """A certificate must be trusted, for the name in the settings, and good for three weeks."""
    certificate = self_signed(tmp_path, name, days=days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.cert))
    async with listening(certificate) as port:
        box = source(tmp_path, port, host="localhost", tls="implicit")
        found = await check("tls", tmp_path, box)
    assert (found.state, words in found.finding) == (state, True), found


@pytest.mark.parametrize(("hours", "words"), [(1, "ends today"), (14, "ends tomorrow")])
def test_tls_certificate_of_the_last_days(hours: int, words: str) -> None:
    """The last days of a certificate have names."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    found = tls("relay out", "localhost", Handshake(expires=now + timedelta(hours=hours)), now)
    assert (found.state, words in found.finding) == ("warning", True)


async def test_tls_by_starttls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STARTTLS is asked for in IMAP and in SMTP, and a server without it is told as such."""
    async with (
        Dovecot.start({LISTS: SECRET}) as dovecot,
        Sink.start(tls="starttls") as sink,
        Sink.start() as plain,
    ):
        secured = {"host": "localhost", "tls": "starttls"}
        monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.certificate.cert))
        box = source(tmp_path, dovecot.port, **secured)
        assert (await check("tls", tmp_path, box)).state == "ok"
        assert sink.certificate is not None
        monkeypatch.setenv("SSL_CERT_FILE", str(sink.certificate.cert))
        assert (await check("tls", tmp_path, relay(sink.port, **secured))).state == "ok"
        found = await check("tls", tmp_path, relay(plain.port, **secured))
        assert (found.state, "STARTTLS" in found.finding) == ("failed", True)
        found = await check("tls", tmp_path, relay(plain.port, host="localhost", tls="implicit"))
        assert (found.state, "does not speak TLS" in found.finding) == ("failed", True)


async def test_tls_none(tmp_path: Path) -> None:
    """Without TLS, only this machine is private enough."""
    async with Sink.start() as sink:
        assert (await check("tls", tmp_path, relay(sink.port))).state == "ok"
    assert unencrypted("relay out", "mail.example.org").state == "warning"


async def test_greeting_of_something_else(tmp_path: Path) -> None:
    """What does not speak the protocol, or turns us away, is told before any login."""
    turned = Rule(at="connect", reply="554 5.7.1 go away", close=True)
    async with Sink.start() as sink, Sink.start(Script(rules=(turned,))) as rude:
        found = await check("greeting", tmp_path, source(tmp_path, sink.port))
        assert (found.state, "does not greet as an IMAP" in found.finding) == ("failed", True)
        found = await check("greeting", tmp_path, relay(rude.port))
        assert (found.state, "554 5.7.1 go away" in found.finding) == ("failed", True)
        assert (await check("greeting", tmp_path, relay(sink.port))).state == "ok"


async def test_token_stored_and_renewable(tmp_path: Path) -> None:
    """A login that is stored and can be renewed is ok, with how long; nobody's login, or one that
    was taken back, fails with the command that mends it; a provider that is away is a warning."""
    async with TokenServer.start() as provider, ScriptedImap.start({}) as imap:
        settings = (
            f'[[source]]\nname = "box"\nhost = "127.0.0.1"\nport = {imap.port}\ntls = "none"\n'
            f'user = "{LISTS}"\noauth2 = {provider.oauth2("google")}\n'
        )
        found = await check("token", tmp_path, settings)
        assert (found.state, found.remedy) == ("failed", "run: postroad oauth login box")
        config = Config.load(write(tmp_path, settings), {})
        log_in(config, provider)
        found = await check("token", tmp_path, settings)
        assert found.state == "ok"
        assert "good for 60 minutes" in found.finding
        assert 'if the Google app is still in "testing"' in found.finding
        provider.expire()
        provider.lifetime, provider.status = 1.0, 503
        log_in(config, provider)
        assert (await check("token", tmp_path, settings)).state == "warning"
        provider.status, provider.fault = 0, "invalid_grant"
        log_in(config, provider)
        found = await check("token", tmp_path, settings)
        assert (found.state, "the login is no longer valid" in found.finding) == ("failed", True)
        assert "postroad oauth login box" in found.remedy
        login = await check("login", tmp_path, settings)
        assert (login.state, login.finding) == ("skipped", "there is no token to log in with")


async def test_a_dead_server_leaves_the_others_alone(tmp_path: Path) -> None:
    """What is not looked at, because something before it failed, is so for this server only."""
    async with Sink.start() as sink:
        config = write(tmp_path, relay(sink.port), relay(free_port(), name="dead"))
        found = await examine(Config.load(config, {}), ("greeting", "login"))
    assert [(row.subject, row.check, row.state) for row in found] == [
        ("relay out", "greeting", "ok"),
        ("relay out", "login", "ok"),
        ("relay dead", "greeting", "skipped"),
        ("relay dead", "login", "skipped"),
    ]
