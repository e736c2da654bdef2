"""tls = "starttls": the login is sent behind TLS or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from postroad.runtime.config import Source
from services.ingest.connection import Connection
from services.ingest.imap import Mailbox
from services.ingest.trouble import MailboxError
from tests.e2e.ingesting import USER, ingesting, mail
from tests.peers.certificate import self_signed
from tests.peers.dovecot import Dovecot
from tests.peers.imapscript import Fault, ScriptedImap

TLS = {"tls": "starttls", "host": "localhost"}
LOOPS = [uvloop.new_event_loop, asyncio.new_event_loop]


@pytest.mark.parametrize("loop", LOOPS, ids=["uvloop", "asyncio"])
def test_mail_is_read_behind_starttls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """On a real server, whose certificate is checked: everything after STARTTLS is behind TLS,
    large answers and IDLE too."""
    password = tmp_path / "password"
    password.write_text("secret\n")
    text = mail(1, b"some text\r\n" * 200_000)

    async def read() -> None:
        async with Dovecot.start({USER: "secret"}) as dovecot:
            with (dovecot.place / "dovecot.conf").open("a") as config:
                config.write(
                    "disable_plaintext_auth = yes\nssl = required\nlogin_trusted_networks =\n"
                )
            async with dovecot.stopped(at_once=True):
                pass
            monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.certificate.cert))
            source = Source(port=dovecot.port, user=USER, password_file=password, **TLS)  # type: ignore[arg-type]
            async with Mailbox(source) as mailbox:
                dovecot.deliver(USER, text)
                await mailbox.wait(30, asyncio.Event())
                await mailbox.noop()
                assert await mailbox.search(1) == [1]
                assert await mailbox.fetch_large(1, 1 << 25) == {1: text}

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(read())


async def test_a_source_lives_behind_starttls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source with tls = "starttls" and no port takes its mail; a certificate for another name,
    and one that nobody vouches for, are told from each other and get no password."""
    async with ingesting(tmp_path, start="all") as ingest:
        ingest.dovecot.deliver(USER, mail(1))
        with pytest.raises(MailboxError, match="is not trusted"):
            async with ingest.mailbox(**TLS):
                pass
        monkeypatch.setenv("SSL_CERT_FILE", str(ingest.dovecot.certificate.cert))
        with pytest.raises(MailboxError, match="is for another name"):
            async with ingest.mailbox(**{**TLS, "host": "127.0.0.1"}):
                pass
        await ingest.once(**TLS)
        assert await ingest.texts() == [mail(1)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(at="STARTTLS", reply="BAD unknown command"), "does not offer STARTTLS"),
        (Fault(at="STARTTLS", reply="NO not now"), "does not offer STARTTLS"),
        (Fault(at="greeting", reply="* PREAUTH welcome"), "skips TLS by PREAUTH"),
        (Fault(at="STARTTLS", then=("* CAPABILITY IMAP4rev1",)), "before the TLS handshake"),
        (Fault(at="STARTTLS", then=("A9 OK logged in",)), "before the TLS handshake"),
        (Fault(at="STARTTLS", then=("* 1 FETCH (BODY[] {9}",)), "before the TLS handshake"),
        (Fault(at="STARTTLS", reply="OK go on", close=True), "closed|cannot be|not answer"),
        (Fault(at="STARTTLS", reply="OK go on"), "does not answer"),
    ],
)
async def test_no_password_without_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, words: str
) -> None:
    """Whatever a server, or somebody in between, says instead of TLS: the login is not sent."""
    monkeypatch.setattr(Connection, "CONNECT_SECONDS", 1.0)
    async with scripted(tmp_path, monkeypatch) as imap:
        imap.faults.append(fault)
        with pytest.raises(MailboxError, match=words):
            async with mailbox(imap, tmp_path):
                pass
        assert "LOGIN" not in imap.commands
        imap.faults.clear()
        async with mailbox(imap, tmp_path) as healthy:
            assert await healthy.search(1) == [1]


async def test_what_was_said_before_tls_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capabilities are asked anew behind TLS, and again after the login."""
    async with scripted(tmp_path, monkeypatch) as imap:
        imap.capabilities.append("LOGINDISABLED")
        act = lambda: imap.capabilities.remove("LOGINDISABLED")  # noqa: E731
        imap.faults.append(Fault(at="STARTTLS", act=act, times=1))
        async with mailbox(imap, tmp_path):
            pass
        assert imap.commands[:5] == [
            "STARTTLS",
            "CAPABILITY",
            "LOGIN",
            "CAPABILITY",
            "SELECT INBOX",
        ]


async def test_a_server_that_takes_no_password_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOGINDISABLED behind TLS means a token is wanted; no password is sent."""
    async with scripted(tmp_path, monkeypatch) as imap:
        imap.capabilities.append("LOGINDISABLED")
        with pytest.raises(MailboxError, match="takes no password; use oauth2"):
            async with mailbox(imap, tmp_path):
                pass
        assert "LOGIN" not in imap.commands


@contextlib.asynccontextmanager
async def scripted(home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedImap]:
    """A server with one mail, which offers STARTTLS under a certificate that is trusted."""
    certificate = self_signed(home)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.cert))
    async with ScriptedImap.start({USER: "secret"}, [mail(1)]) as imap:
        imap.certificate = certificate
        yield imap


def mailbox(imap: ScriptedImap, home: Path) -> Mailbox:
    """A connection behind STARTTLS, with the right password."""
    password = home / "password"
    password.write_text("secret\n")
    return Mailbox(Source(port=imap.port, user=USER, password_file=password, **TLS))  # type: ignore[arg-type]
