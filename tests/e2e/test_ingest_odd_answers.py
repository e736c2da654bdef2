"""Answers as real servers give them: in any pieces, with anything in between, in any form."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from services.ingest.trouble import MailboxError
from tests.e2e.ingesting import Scripted, fact, mail, scripted
from tests.e2e.system import until
from tests.peers.imapfolder import Form
from tests.peers.imapscript import Fault

ODD = (
    r"* 1 FETCH (FLAGS (\Seen))",
    r"* 3 FETCH (UID 3 FLAGS (\Flagged) MODSEQ (17))",
    "* 0 RECENT",
    "* OK [ALERT] Your mailbox will be moved tonight {5}",
    "* OK [ALERT] " + "long " * 200_000,
    "* NO [ALERT] disk nearly full",
    "* CAPABILITY IMAP4rev1 IDLE",
    "* FLAGS ()",
    "* VANISHED 400:410",
    '* LIST () "/" "* 1 FETCH"',
    "* 7 FETCH (UID 7 BODY[] {12}\r\n* 9 EXPUNGE\r\n)",
    "",
)
PLACES = ("LOGIN", "CAPABILITY", "SELECT", "SEARCH", "FETCH", "STORE", "NOOP", "IDLE")
TEXTS = [mail(n) for n in range(3)]


async def took_all(ingest: Scripted, texts: list[bytes]) -> None:
    """Each mail was taken once, unaltered, and is flagged."""
    assert sorted(await ingest.texts()) == sorted(texts)
    await ingest.all_read()


async def test_anything_may_be_said_at_any_moment(tmp_path: Path) -> None:
    """News of other mails, alerts of a megabyte, capabilities and lines that look like answers
    change nothing, before or after the answer to any command."""
    async with scripted(tmp_path, TEXTS, start="all", poll="1s") as ingest:
        ingest.imap.faults += [Fault(at=place, first=ODD, extra=ODD, times=2) for place in PLACES]
        async with ingest.running() as context:
            await ingest.took(3)
            ingest.imap.deliver(mail("new"))
            await ingest.took(4)
            await took_all(ingest, [*TEXTS, mail("new")])
            assert fact(context).ok


async def test_answers_may_come_octet_by_octet(tmp_path: Path) -> None:
    """Whole sessions in segments of one octet: everything is taken once, unaltered."""
    texts = [mail(n, b"* 1 EXISTS\r\nA1 OK {3}\r\n") for n in range(20)]
    async with scripted(tmp_path, texts, start="all") as ingest:
        ingest.imap.split = 1
        await ingest.once()
        await took_all(ingest, texts)


@pytest.mark.parametrize("form", [Form(mark="+"), Form(quoted=True)], ids=["literal+", "quoted"])
async def test_bodies_come_in_any_form(tmp_path: Path, form: Form) -> None:
    """Bodies as literals of the wrong kind, or as quoted strings, are the mail as it is stored."""
    texts = [b"", b'say "* 9" \\ (', b"UID 77 BODY[] {3}", b"* * :)", *TEXTS, b") FLAGS (\\Seen"]
    async with scripted(tmp_path, texts, start="all") as ingest:
        ingest.imap.form = form
        await ingest.once()
        await took_all(ingest, texts)


@pytest.mark.parametrize("at", ["SEARCH", "FETCH", "STORE"])
async def test_mail_may_vanish_at_any_moment(tmp_path: Path, at: str) -> None:
    """Mail that somebody else expunges between search, fetch and flagging is no failure, and the
    mail around it is taken once."""
    async with scripted(tmp_path, TEXTS, start="all") as ingest:
        vanish = partial(ingest.imap.inbox.expunge, 2)
        ingest.imap.faults += [
            Fault(at=at, act=vanish, extra=("* 2 EXPUNGE",), after=after, times=1)
            for after in range(2)
        ]
        async with ingest.running() as context:
            await ingest.took(2)
            ingest.imap.deliver(mail("new"))

            async def there() -> bool:
                return mail("new") in await ingest.texts()

            await until(there, "the next mail is taken")
            assert fact(context).ok
        taken = await ingest.texts()
        assert set(taken) - {TEXTS[1]} == {TEXTS[0], TEXTS[2], mail("new")}
        assert len(set(taken)) == len(taken)


@pytest.mark.parametrize("told", [True, False], ids=["told", "found at the next login"])
async def test_a_folder_is_renumbered_in_mid_session(tmp_path: Path, told: bool) -> None:
    """A new UIDVALIDITY ends the session, and nothing is flagged, moved or deleted by a number
    that belongs to another mail now; the rescan takes only what is new."""
    async with scripted(tmp_path, TEXTS, start="all", poll="1s", after="delete") as ingest:
        kept = ingest.imap.inbox
        async with ingest.running():
            await ingest.took(3)

            def renumber() -> None:
                kept.uidvalidity += 1
                kept.uidnext = 1
                kept.add(mail("new"))
                if not told:
                    ingest.imap.disconnect()

            if told:
                extra = ("* OK [UIDVALIDITY 2] renumbered",)
                ingest.imap.faults.append(Fault(at="NOOP", act=renumber, extra=extra, times=1))
            else:
                await ingest.idles()
                renumber()
            await ingest.took(4)
        assert sorted(await ingest.texts()) == sorted([*TEXTS, mail("new")])
        assert kept.mails == []


async def test_a_server_that_breaks_the_rules_is_left(tmp_path: Path) -> None:
    """An answer to no command, or one without end, ends the connection, not the source."""
    wrong = [
        Fault(at="SEARCH", first=("X9 OK done",), times=1),
        Fault(at="FETCH", first=("* 1 FETCH (BODY[] {9999999999}",), times=1),
    ]
    async with scripted(tmp_path, TEXTS, start="all") as ingest:
        ingest.imap.faults += wrong
        async with ingest.mailbox() as mailbox:
            with pytest.raises(MailboxError, match="broke the protocol"):
                await mailbox.search(1)
        async with ingest.running():
            await asyncio.wait_for(ingest.took(3), 20)
        await took_all(ingest, TEXTS)
