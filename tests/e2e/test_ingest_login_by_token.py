"""XOAUTH2: a mailbox that is entered with a token instead of a password."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from postroad.runtime.config import Config
from postroad.runtime.oauth import lifetime
from postroad.runtime.service import Context
from services.ingest import feed, folder
from tests.e2e.ingesting import USER, Ingest, Scripted, Watch, fact, mail, report
from tests.e2e.system import System, until
from tests.peers.dovecot import Dovecot, require_pop3
from tests.peers.imapscript import Fault, ScriptedImap
from tests.peers.tokens import TokenServer, log_in

SCOPED = 'oauth2 = { scope = "mail",'
GOOGLE = ("SASL-IR", "AUTH=XOAUTH2", "AUTH=PLAIN")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.1)


@asynccontextmanager
async def _road(home: Path, port: int, provider: TokenServer) -> AsyncIterator[System]:
    (home / "site").mkdir()
    source = (
        f'[[source]]\nname = "box"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        f'start = "all"\nuser = "{USER}"\noauth2 = {provider.oauth2("google")}\n'
    )
    async with System.start(home / "site", source, services=()) as road:
        log_in(Config.load(road.config, {}), provider)
        yield road


@pytest.fixture
async def provider() -> AsyncIterator[TokenServer]:
    async with TokenServer.start() as running:
        yield running


@pytest.fixture
async def ingest(tmp_path: Path, provider: TokenServer) -> AsyncIterator[Ingest]:
    """A real Dovecot that asks the provider about every token."""
    async with (
        Dovecot.start({USER: "secret"}, oauth=provider.introspection_url) as dovecot,
        _road(tmp_path, dovecot.port, provider) as road,
    ):
        yield Ingest(road, dovecot)


@pytest.fixture
async def gmail(tmp_path: Path, provider: TokenServer) -> AsyncIterator[Scripted]:
    """A scripted server that takes the tokens in `imap.tokens`."""
    async with (
        ScriptedImap.start({}, [mail(1)]) as imap,
        _road(tmp_path, imap.port, provider) as road,
    ):
        imap.capabilities += GOOGLE
        yield Scripted(road, imap)


def taken_from_now_on(provider: TokenServer, gmail: Scripted) -> list[str]:
    """The tokens that the provider gives from now on; the server takes the latest."""
    given: list[str] = []
    give = provider.access_token

    def access_token(user: str = USER) -> str:
        given.append(give(user))
        gmail.imap.tokens = {given[-1]}
        return given[-1]

    provider.access_token = access_token  # type: ignore[method-assign]
    return given


async def test_a_mailbox_is_entered_with_a_token(ingest: Ingest, provider: TokenServer) -> None:
    """A real server that checks the token lets us in, and mail flows; the token is asked for once
    and used again after a lost connection."""
    async with ingest.running() as context:
        for n in range(3):
            ingest.dovecot.deliver(USER, mail(n))
            await ingest.took(n + 1)
            await ingest.dovecot.disconnect(USER)
        await report(context, "", ok=True)
    assert await ingest.texts() == [mail(n) for n in range(3)]
    assert provider.refreshes == 1


async def test_a_token_that_dies_is_renewed(ingest: Ingest, provider: TokenServer) -> None:
    """Where every token dies before its time, an open session goes on, and the next login is
    refused, renews, and succeeds: mail flows, once."""
    async with ingest.running():
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.took(1)
        for n in (2, 3):
            provider.expire()
            ingest.dovecot.deliver(USER, mail(n))
            await ingest.took(n)
        await ingest.dovecot.disconnect(USER)
        ingest.dovecot.deliver(USER, mail(4))
        await ingest.took(4)
    assert await ingest.texts() == [mail(n) for n in range(1, 5)]
    assert provider.refreshes == 2


async def test_a_revoked_login_raises_the_alarm_and_loses_nothing(
    ingest: Ingest, provider: TokenServer, tmp_path: Path
) -> None:
    """invalid_grant is told to a person and to `postroad status` in plain words, also while the
    session is open and idle; mail waits unread on the server, and after a new login it flows
    within seconds, each mail once."""
    provider.lifetime = 2.0  # so that the end of the session's token is near
    watch = Watch(tmp_path)
    async with watch.running(ingest) as context:
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.took(1)
        provider.revoke()
        await watch.hears("invalid_grant")
        assert fact(context).facts["connected"] is True  # the open session still works
        (told,) = watch.told
        assert told.startswith("source box: google gives no token (invalid_grant)")
        assert 'an app in "testing" loses its login after 7 days' in told
        assert "postroad oauth login box" in told
        assert USER not in told
        status = await ingest.road.cli("status")
        assert "postroad oauth login box" in " ".join(status.out.split())
        assert status.code != 0

        await ingest.dovecot.disconnect(USER)
        ingest.dovecot.deliver(USER, mail(2))
        await until(lambda: _connected(context, False), "ingest is out")
        assert await ingest.seen() == [True, False]
        assert len(watch.told) == 1

        provider.lifetime = 3600.0
        log_in(ingest.config(), provider)
        await asyncio.wait_for(ingest.took(2), 20)
        await watch.hears("source box works again")
    assert await ingest.texts() == [mail(1), mail(2)]
    assert await ingest.seen() == [True, True]


async def test_the_alarm_does_not_wait_for_the_token_to_die(
    ingest: Ingest, provider: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal that is refused is told at once, while the present token still lets us in and mail
    still flows; a new login ends it."""
    monkeypatch.setattr(lifetime, "renewed_at", lambda *_: 1.0)  # of the hour that it lives
    watch = Watch(tmp_path)
    async with watch.running(ingest) as context:
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.took(1)
        provider.fault = "invalid_grant"
        await watch.hears("invalid_grant")
        await ingest.dovecot.disconnect(USER)
        ingest.dovecot.deliver(USER, mail(2))
        await ingest.took(2)
        assert fact(context).facts["connected"] is True
        assert fact(context).ok is False
        provider.fault = ""
        log_in(ingest.config(), provider)
        await watch.hears("source box works again")
        assert len(watch.told) == 2


async def test_nobody_has_logged_in_yet(
    ingest: Ingest, provider: TokenServer, tmp_path: Path
) -> None:
    """A source without a login says which command to run, and begins after it by itself."""
    for file in (ingest.road.home / "state" / "oauth").glob("*.json"):
        file.unlink()
    ingest.dovecot.deliver(USER, mail(1))
    watch = Watch(tmp_path)
    async with watch.running(ingest):
        await watch.hears("nobody has logged in yet; run: postroad oauth login box")
        log_in(ingest.config(), provider)
        await ingest.took(1)


async def test_an_endpoint_that_is_away_is_no_alarm(
    ingest: Ingest, provider: TokenServer, tmp_path: Path
) -> None:
    """What passes by itself is told by status alone."""
    provider.status = 503
    watch = Watch(tmp_path)
    async with watch.running(ingest) as context:
        await report(context, "the token endpoint of google answers HTTP 503")
        provider.status = 0
        await report(context, "", ok=True)
    assert watch.told == []


@pytest.mark.parametrize("lacks", ["", "SASL-IR"])
async def test_a_refused_token_is_renewed_once(
    gmail: Scripted,
    provider: TokenServer,
    lacks: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server's reason is answered by an empty line, with SASL-IR or without; one other token
    is tried on the same connection, then the source says what to check. No token is logged."""
    caplog.set_level(logging.DEBUG)
    if lacks:
        gmail.imap.capabilities.remove(lacks)
    async with gmail.running() as context:
        await report(context, "")
        await until(lambda: _not_ok(context), "the source is not ok")
        assert provider.refreshes >= 2
        assert gmail.imap.commands[:3] == ["CAPABILITY", "AUTHENTICATE", "AUTHENTICATE"]
        assert USER not in fact(context).detail
    assert gmail.unread == [1]
    logged = "".join(capfd.readouterr()) + caplog.text
    assert "health.down" in logged
    assert not re.search(r"access-|refresh-|dXNlcj", logged)  # dXNlcj: "user" in base64


@pytest.mark.parametrize("lacks", ["", "SASL-IR"])
async def test_microsoft_ends_sessions_whose_token_died(
    gmail: Scripted, provider: TokenServer, lacks: str
) -> None:
    """BYE with AccessTokenExpired, then `NO AUTHENTICATE failed.` for the old token: the source is
    back with a renewed one, and takes each mail once."""
    if lacks:
        gmail.imap.capabilities.remove(lacks)
    gmail.imap.faults.append(
        Fault(at="AUTHENTICATE", reply="NO AUTHENTICATE failed.", after=1, times=1)
    )
    given = taken_from_now_on(provider, gmail)
    async with gmail.running() as context:
        await gmail.took(1)
        await gmail.idles()
        for conversation in list(gmail.imap.idle.values()):
            conversation.say("* BYE Session invalidated - AccessTokenExpired")
        gmail.imap.deliver(mail(2))
        await gmail.took(2)
        await report(context, "", ok=True)
    assert await gmail.texts() == [mail(1), mail(2)]
    assert len(given) == 2


async def test_no_token_is_sent_to_a_server_without_xoauth2(
    gmail: Scripted, tmp_path: Path
) -> None:
    """A server that does not offer XOAUTH2 gets no token; the source says so."""
    gmail.imap.capabilities.remove("AUTH=XOAUTH2")
    watch = Watch(tmp_path)
    async with watch.running(gmail):
        await watch.hears("the server takes no login by token; use password_file, or check host")
    assert "AUTHENTICATE" not in gmail.imap.commands


async def test_gmails_folders_are_read(gmail: Scripted, provider: TokenServer) -> None:
    """A folder such as [Gmail]/All Mail is a name like any other."""
    gmail.imap.folders["[Gmail]/All Mail"] = gmail.imap.inbox
    taken_from_now_on(provider, gmail)
    await gmail.once(folder="[Gmail]/All Mail", after="move:[Gmail]/Trash")
    assert await gmail.texts() == [mail(1)]
    assert [found.data for found in gmail.imap.folders["[Gmail]/Trash"].mails] == [mail(1)]


async def _not_ok(context: Context) -> bool:
    return not fact(context).ok


async def _connected(context: Context, wanted: bool) -> bool:
    return fact(context).facts["connected"] is wanted


async def test_pop3_takes_the_same_token(tmp_path: Path, provider: TokenServer) -> None:
    """On the line after AUTH, as a real Dovecot wants what is long."""
    async with Dovecot.start({USER: "secret"}, oauth=provider.introspection_url) as dovecot:
        port = require_pop3(dovecot)
        async with _road(tmp_path, port, provider) as road:
            config = road.config.read_text()
            account = config.replace('name = "box"', 'name = "box"\nkind = "pop3"')
            road.config.write_text(
                account.replace('"google"', '"custom"').replace("oauth2 = {", SCOPED)
            )
            log_in(Config.load(road.config, {}), provider)
            dovecot.deliver(USER, mail(1))
            ingest = Ingest(road, dovecot)
            await ingest.once()
            assert await ingest.texts() == [mail(1)]
