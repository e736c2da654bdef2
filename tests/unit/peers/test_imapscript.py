"""The scripted IMAP server: a proper server to real clients until it is told otherwise."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import aioimaplib
import pytest

from tests.peers.imapscript import Fault, ScriptedImap

USER, PASSWORD = "lists@x", 'pass "word"'
MAILS = [b"Subject: %d\r\n\r\nbody ) {3}\r\n" % number for number in range(3)]


@pytest.fixture
async def imap() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap.start({USER: PASSWORD}, MAILS) as running:
        yield running


async def session(imap: ScriptedImap, work: Callable[[imaplib.IMAP4], Any]) -> Any:
    """Run `work` with a logged-in imaplib client that has selected INBOX."""

    def run() -> Any:
        client = imaplib.IMAP4("127.0.0.1", imap.port, timeout=5)
        try:
            client.login(USER, PASSWORD)
            client.select()
            return work(client)
        finally:
            client.shutdown()

    return await asyncio.to_thread(run)


async def idle(imap: ScriptedImap) -> aioimaplib.IMAP4:
    client = aioimaplib.IMAP4("127.0.0.1", imap.port, timeout=5)
    await client.wait_hello_from_server()
    await client.login(USER, PASSWORD)
    await client.select()
    await client.idle_start()
    return client


async def test_fetch_gives_the_mails_whole_and_in_parts(imap: ScriptedImap) -> None:
    """BODY.PEEK[] is the mail byte for byte, <o.n> a part of it, and neither sets Seen."""

    def work(client: imaplib.IMAP4) -> list[Any]:
        whole = client.uid("FETCH", "1:*", "(UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[])")[1]
        part = client.uid("FETCH", "2", "(BODY.PEEK[]<3.5>)")[1]
        return [item[1] for item in (*whole, *part) if isinstance(item, tuple)]

    imap.split = 1
    assert await session(imap, work) == [*MAILS, MAILS[1][3:8]]
    assert not any(mail.flags for mail in imap.inbox.mails)


async def test_flags_move_and_expunge(imap: ScriptedImap) -> None:
    """STORE, MOVE, UID EXPUNGE and SEARCH work on UIDs that never change."""

    def work(client: imaplib.IMAP4) -> list[Any]:
        client.create("Done")
        client.uid("STORE", "1", "+FLAGS.SILENT", r"(\Seen)")
        unseen = client.uid("SEARCH", "UID", "1:*", "UNSEEN")[1]
        client.uid("MOVE", "1", "Done")
        client.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
        client.uid("EXPUNGE", "2")
        return [unseen, client.uid("SEARCH", "ALL")[1], client.uid("MOVE", "3", "Nowhere")[0]]

    assert await session(imap, work) == [[b"2 3"], [b"3"], "NO"]
    assert [mail.data for mail in imap.folders["Done"].mails] == MAILS[:1]
    assert r"\Seen" in imap.folders["Done"].mails[0].flags


async def test_an_idle_client_is_told_of_new_mail(imap: ScriptedImap) -> None:
    """EXISTS is pushed at deliver, and at the start of IDLE for what came before."""
    client = await idle(imap)
    uid = imap.deliver(MAILS[0], date=datetime(2026, 1, 2, tzinfo=UTC))
    assert uid == 4
    assert await client.wait_server_push(5) == [b"4 EXISTS"]
    client.idle_done()
    await client.noop()
    imap.deliver(MAILS[0])
    await client.idle_start()
    assert await client.wait_server_push(5) == [b"5 EXISTS"]
    assert "DONE" in imap.commands


async def test_a_deaf_server_neither_pushes_nor_answers_done(imap: ScriptedImap) -> None:
    """The client hears nothing more, on a connection that stays open."""
    imap.faults = [Fault(at="push"), Fault(at="DONE", reply="")]
    client = await idle(imap)
    imap.deliver(MAILS[0])
    client.idle_done()
    with pytest.raises(asyncio.TimeoutError):
        await client.wait_server_push(0.2)
    client.protocol.transport.abort()


async def test_the_connection_is_cut_in_mid_literal(imap: ScriptedImap) -> None:
    """The first FETCH breaks after so many octets of its literal; the next one is whole."""
    imap.faults = [Fault(at="FETCH", cut=4, times=1)]
    with pytest.raises(imaplib.IMAP4.abort):
        await session(imap, lambda client: client.uid("FETCH", "1", "(BODY.PEEK[])"))
    found = await session(imap, lambda client: client.uid("FETCH", "1", "(BODY.PEEK[])"))
    assert found[1][0][1] == MAILS[0]


async def test_refused_logins(imap: ScriptedImap) -> None:
    """A fault refuses the first logins with its own words, a wrong password always fails."""
    imap.faults = [Fault(at="LOGIN", reply="NO [UNAVAILABLE] later", times=1)]
    with pytest.raises(imaplib.IMAP4.error, match="later"):
        await session(imap, lambda client: client.noop())
    await session(imap, lambda client: client.noop())
    imap.users[USER] = "changed"
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        await session(imap, lambda client: client.noop())
    assert not any(PASSWORD in command for command in imap.commands)


async def test_faults_at_any_command(imap: ScriptedImap) -> None:
    """Extra lines, BYE, a closed connection and a refused greeting."""
    imap.faults = [Fault(at="NOOP", extra=("* BYE going",), close=True)]
    with pytest.raises(imaplib.IMAP4.abort):
        await session(imap, lambda client: client.noop())
    imap.faults = [Fault(at="greeting", reply="* BYE full", close=True)]
    with pytest.raises(imaplib.IMAP4.error):
        await session(imap, lambda client: client.noop())


async def test_uidvalidity_can_change(imap: ScriptedImap) -> None:
    """The next SELECT shows what the test has set."""
    imap.inbox.uidvalidity += 1
    found = await session(imap, lambda client: client.response("UIDVALIDITY"))
    assert found[1] == [b"2"]
