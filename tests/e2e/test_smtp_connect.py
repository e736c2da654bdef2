"""Reaching a relay: encryption, names, logins, and one clear line for whatever is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink as Swallow
from aiosmtpd.smtp import AuthResult

from postroad.runtime.config import Relay
from postroad.runtime.errors import SettingsError
from services.sender.relay import RelayError
from services.sender.smtp import DEFAULT, Timeouts, connect
from services.sender.transaction import Transaction
from tests.peers.process import free_port
from tests.peers.sink import Rule, Script, Sink

Tls = Literal["implicit", "starttls", "none"]
MAIL = Transaction("s@lists.example", ["r@example.org"], (b"Subject: x\r\n\r\nhello\r\n",))
USERS = Script(users={"lists": "pässwörd"})


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """The password file of a relay."""
    file = tmp_path / "password"
    file.write_text("pässwörd\n")
    file.chmod(0o600)
    return file


async def refused(relay: Relay, timeouts: Timeouts = DEFAULT) -> RelayError:
    """The error that connecting ends in; it names the relay and shows no secret."""
    with pytest.raises(RelayError) as caught:
        await connect(relay, timeouts)
    assert str(caught.value).startswith(f"relay {relay.host}:{relay.port} ")
    assert "pässwörd" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
async def test_log_in_and_send(tls: Tls, password: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With each kind of encryption we log in and our windows arrive by the rules, pipelined."""
    async with Sink.start(USERS, tls=tls) as sink:
        if sink.certificate:
            monkeypatch.setenv("SSL_CERT_FILE", str(sink.certificate.cert))
        relay = Relay(
            host="localhost", port=sink.port, tls=tls, user="lists", password_file=password
        )
        connection = await connect(relay)
        assert connection.offers.pipelining
        for _ in range(2):
            results = await connection.send([MAIL] * 16)
            assert all(result.data and result.data.code == 250 for result in results)
        await connection.close()
        records = sink.records()
        assert len(records) == 32
        assert {record.connection for record in records} == {records[0].connection}
        assert "." in records[0].helo or records[0].helo == "[127.0.0.1]"
        assert not sink.violations()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_must_bear_the_name(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate for another name is refused before anything is said, naming the remedy."""
    async with Sink.start(USERS, tls=tls) as sink:
        assert sink.certificate
        monkeypatch.setenv("SSL_CERT_FILE", str(sink.certificate.cert))
        error = await refused(Relay(host="127.0.0.1", port=sink.port, tls=tls))
        assert (error.name, error.kind) == ("tls", "failed")
        assert "127.0.0.1" in str(error)
        assert "set host to the name in its certificate" in str(error)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_must_be_trusted(tls: Tls) -> None:
    """A certificate of an unknown authority is refused, always."""
    async with Sink.start(USERS, tls=tls) as sink:
        error = await refused(Relay(host="localhost", port=sink.port, tls=tls))
        assert error.name == "tls"
        assert "self-signed" in str(error)


async def test_a_refused_login(password: Path) -> None:
    """A wrong password is told as such, without showing it."""
    async with Sink.start(Script(users={"lists": "another"})) as sink:
        error = await refused(
            Relay(
                host="127.0.0.1", port=sink.port, tls="none", user="lists", password_file=password
            )
        )
        assert (error.name, error.kind) == ("login", "failed")
        assert "refused the login: 535" in str(error)
        assert "password_file" in str(error)


async def test_a_login_that_fails_for_now(password: Path) -> None:
    """A 4xx to AUTH passes by itself."""
    later = Script(users=USERS.users, rules=(Rule(at="auth", reply="454 4.7.0 Later"),))
    async with Sink.start(later) as sink:
        error = await refused(
            Relay(
                host="127.0.0.1", port=sink.port, tls="none", user="lists", password_file=password
            )
        )
        assert (error.name, error.kind) == ("login", "deferred")


async def test_no_login_offered(password: Path) -> None:
    """A user in the settings and a relay without AUTH: never sent without, or in the clear."""
    async with Sink.start() as sink:
        error = await refused(
            Relay(
                host="127.0.0.1", port=sink.port, tls="none", user="lists", password_file=password
            )
        )
        assert "offers no login" in str(error)


async def test_a_missing_password_file_is_a_setting() -> None:
    """A user without a password is wrong before any connection is made."""
    with pytest.raises(SettingsError, match="password_file"):
        await connect(Relay(host="127.0.0.1", port=9, tls="none", user="lists"))


async def test_nobody_listens() -> None:
    """An unreachable relay may come back; the line says where and why."""
    error = await refused(Relay(host="127.0.0.1", port=free_port(), tls="none"))
    assert (error.name, error.kind) == ("unreachable", "deferred")
    assert "refused" in str(error)


async def test_a_name_that_does_not_exist() -> None:
    """A host that cannot be resolved is unreachable."""
    error = await refused(Relay(host="relay.invalid", port=25, tls="none"))
    assert error.name == "unreachable"


@pytest.mark.parametrize(("reply", "kind"), [("421 4.3.2 Busy", "deferred"), ("554 No", "failed")])
@pytest.mark.parametrize("at", ["connect", "ehlo"])
async def test_turned_away(at: str, reply: str, kind: str) -> None:
    """A refusal in place of the greeting, or of EHLO, is told with its code."""
    async with Sink.start(Script(rules=(Rule(at=at, reply=reply, close=True),))) as sink:
        error = await refused(Relay(host="127.0.0.1", port=sink.port, tls="none"))
        assert error.kind == kind
        assert reply[:3] in str(error)


async def test_silence_and_wrong_kinds_of_tls() -> None:
    """A server that says nothing, one that speaks no TLS, and one that offers no STARTTLS: each
    line says which setting to try."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    error = await refused(Relay(host="127.0.0.1", port=port, tls="none"), Timeouts(connect=0.1))
    assert "did not answer within 0.1 s" in str(error)
    assert 'tls = "implicit"' in str(error)
    silent.close()
    async with Sink.start() as sink:
        error = await refused(Relay(host="localhost", port=sink.port, tls="implicit"))
        assert (error.name, 'tls = "starttls"' in str(error)) == ("tls", True)
        error = await refused(Relay(host="localhost", port=sink.port, tls="starttls"))
        assert (error.name, "does not offer STARTTLS" in str(error)) == ("tls", True)


async def test_a_hang_up_in_the_greeting() -> None:
    """A connection that ends while we connect is unreachable, not a crash."""
    for at in ("connect", "ehlo"):
        async with Sink.start(Script(rules=(Rule(at=at, close=True),))) as sink:
            error = await refused(Relay(host="127.0.0.1", port=sink.port, tls="none"))
            assert (error.name, error.kind) == ("unreachable", "deferred")


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
async def test_another_server_than_ours(password: Path) -> None:
    """aiosmtpd, which offers no PIPELINING and knows nothing of us, takes our login and mail."""

    def authenticate(*arguments: object) -> AuthResult:
        return AuthResult(success=getattr(arguments[-1], "password", b"") == "pässwörd".encode())

    server = Controller(
        Swallow(),
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=authenticate,
        auth_required=True,
        auth_require_tls=False,
    )
    server.start()
    try:
        relay = Relay(
            host="127.0.0.1", port=server.port, tls="none", user="lists", password_file=password
        )
        connection = await connect(relay)
        assert not connection.offers.pipelining
        results = await connection.send([MAIL] * 3)
        assert [result.data and result.data.code for result in results] == [250] * 3
        await connection.close()
    finally:
        await asyncio.to_thread(server.stop)
