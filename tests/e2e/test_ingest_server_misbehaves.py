"""A server that is slow, silent, talkative or wrong: every call ends, in an answer or an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.config import Source
from services.ingest.imap import Mailbox
from services.ingest.trouble import MailboxError, Refused
from tests.peers.imapscript import Fault, ScriptedImap

TEXTS = [b"From: a@example.org\r\n\r\n* 1 FETCH (UID 9 BODY[] {3}\r\n" * n for n in range(1, 6)]
NEVER = asyncio.Event()


@pytest.fixture
async def imap() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap.start({"lists": "secret"}, TEXTS) as server:
        yield server


@pytest.fixture
async def mailbox(imap: ScriptedImap, tmp_path: Path) -> Mailbox:
    password = tmp_path / "password"
    password.write_text("secret\n")
    return Mailbox(
        Source(host="127.0.0.1", port=imap.port, tls="none", user="lists", password_file=password)
    )


@pytest.mark.parametrize("split", [1, 2, 7, 64])
async def test_answers_may_come_in_pieces(imap: ScriptedImap, mailbox: Mailbox, split: int) -> None:
    """However a server cuts its answers into segments, the same mail is read."""
    imap.split = split
    async with mailbox:
        assert await mailbox.search(1) == [1, 2, 3, 4, 5]
        assert [row.size for row in await mailbox.listing([1, 2, 3, 4, 5])] == list(map(len, TEXTS))
        assert await mailbox.fetch([1, 2, 3, 4, 5]) == dict(enumerate(TEXTS, 1))


@pytest.mark.parametrize("cut", [0, 1, 20, 52])
async def test_half_a_mail_is_no_mail(imap: ScriptedImap, mailbox: Mailbox, cut: int) -> None:
    """Where the connection breaks within a literal, nothing of it is returned."""
    imap.faults.append(Fault(at="FETCH", cut=cut))
    with pytest.raises(MailboxError, match="closed the connection"):
        async with mailbox:
            await mailbox.fetch([1, 2])


async def test_others_may_change_the_folder_meanwhile(imap: ScriptedImap, mailbox: Mailbox) -> None:
    """News of other mails within an answer changes nothing of it; new mail is remembered."""
    extra = ("* 9 EXPUNGE", r"* 1 FETCH (FLAGS (\Seen))", "* 12 EXISTS", "* OK still here")
    imap.faults.append(Fault(at="FETCH", extra=extra))
    async with mailbox:
        await mailbox.search(1)
        assert await mailbox.fetch([1, 2]) == {1: TEXTS[0], 2: TEXTS[1]}
        assert mailbox.news.is_set()


@pytest.mark.parametrize("at", ["LOGIN", "SELECT", "SEARCH", "FETCH", "STORE", "IDLE", "DONE"])
async def test_silence_ends(
    imap: ScriptedImap, mailbox: Mailbox, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that never answers a command is given up."""
    monkeypatch.setattr("services.ingest.connection.Connection.ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("services.ingest.connection.Connection.CONNECT_SECONDS", 0.5)
    imap.faults.append(Fault(at=at, reply=""))
    with pytest.raises(MailboxError, match="does not answer"):
        await _everything(mailbox)


@pytest.mark.parametrize("at", ["LOGIN", "SELECT", "SEARCH", "FETCH", "STORE", "IDLE", "DONE"])
async def test_a_connection_may_end_at_any_command(
    imap: ScriptedImap, mailbox: Mailbox, at: str
) -> None:
    """A server that hangs up, with a BYE or without, is told from one that is silent."""
    imap.faults.append(Fault(at=at, extra=("* BYE shutting down",), close=True))
    with pytest.raises(MailboxError, match="closed the connection"):
        await _everything(mailbox)


@pytest.mark.parametrize("at", ["SEARCH", "FETCH", "STORE"])
async def test_commands_may_be_refused(imap: ScriptedImap, mailbox: Mailbox, at: str) -> None:
    """A refusal names the command and the server's code, not its text."""
    imap.faults.append(Fault(at=at, reply="BAD [CLIENTBUG] dear lists@example.org, no"))
    with pytest.raises(Refused) as refused:
        await _everything(mailbox)
    assert refused.value.what == f"the server refused {at} [CLIENTBUG]"


async def test_a_greeting_that_sends_us_away(imap: ScriptedImap, mailbox: Mailbox) -> None:
    """Too many connections, or a server going down: the next try is soon."""
    imap.faults.append(Fault(at="greeting", reply="* BYE too many connections", close=True))
    with pytest.raises(MailboxError, match="closed the connection") as away:
        await _everything(mailbox)
    assert not away.value.lasting


async def test_a_login_that_cannot_be_checked_is_no_wrong_password(
    imap: ScriptedImap, mailbox: Mailbox
) -> None:
    """[UNAVAILABLE] (RFC 5530) passes; [AUTHENTICATIONFAILED] needs a person."""
    imap.faults.append(Fault(at="LOGIN", reply="NO [UNAVAILABLE] database down", times=1))
    with pytest.raises(MailboxError, match="cannot check passwords") as passing:
        await _everything(mailbox)
    assert not passing.value.lasting
    imap.faults.append(Fault(at="LOGIN", reply="NO [AUTHENTICATIONFAILED] no"))
    with pytest.raises(MailboxError, match="check user and password_file") as wrong:
        await _everything(Mailbox(mailbox.source))
    assert wrong.value.lasting


async def test_a_server_that_wants_tls_gets_no_password(
    imap: ScriptedImap, mailbox: Mailbox
) -> None:
    """LOGINDISABLED (RFC 3501 section 6.2.3) is obeyed before the password is sent."""
    imap.capabilities.append("LOGINDISABLED")
    with pytest.raises(MailboxError, match='set tls = "implicit"'):
        await _everything(mailbox)
    assert "LOGIN" not in imap.commands


async def test_idle_hears_new_mail(imap: ScriptedImap, mailbox: Mailbox) -> None:
    """An announcement ends the wait."""
    async with mailbox:
        await mailbox.search(1)
        imap.deliver(b"new")
        await asyncio.wait_for(mailbox.wait(60, NEVER), 5)
        assert await mailbox.search(6) == [6]


async def _everything(mailbox: Mailbox) -> None:
    async with mailbox:
        await mailbox.search(1)
        await mailbox.listing([1])
        await mailbox.fetch([1])
        await mailbox.set_seen([1])
        await mailbox.wait(0.05, NEVER)
