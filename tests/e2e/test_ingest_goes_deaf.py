"""How ingest hears of new mail: by IDLE at once, by asking where IDLE is deaf or missing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.ingesting import USER, ingesting, mail


async def test_idle_tells_at_once(tmp_path: Path) -> None:
    """With IDLE a mail is taken long before the next poll is due, again and again."""
    async with ingesting(tmp_path, poll="1h") as ingest, ingest.running():
        for n in range(1, 4):
            ingest.dovecot.deliver(USER, mail(n))
            await ingest.took(n)


async def test_polling_finds_mail_without_idle(tmp_path: Path) -> None:
    """Without IDLE mail is found by asking every `poll` seconds."""
    async with ingesting(tmp_path, poll="1s") as ingest, ingest.running(idle=False):
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.took(1)


async def test_polling_goes_on_beside_idle(tmp_path: Path) -> None:
    """A server that says nothing in IDLE is asked every `poll` seconds all the same."""
    async with ingesting(tmp_path) as ingest, ingest.mailbox() as mailbox:
        mailbox.news.set = lambda: None  # type: ignore[method-assign]  # deaf
        await mailbox.wait(0.05, asyncio.Event())
        ingest.dovecot.deliver(USER, mail(1))
        await mailbox.noop()
        assert await mailbox.search(1) == [1]


async def test_mail_announced_between_commands_is_not_missed(tmp_path: Path) -> None:
    """What a server announces in the answer to another command ends the next wait at once."""
    async with ingesting(tmp_path) as ingest, ingest.mailbox() as mailbox:
        await mailbox.search(1)
        ingest.dovecot.deliver(USER, mail(1))
        await mailbox.noop()
        assert mailbox.news.is_set()
        await asyncio.wait_for(mailbox.wait(3600, asyncio.Event()), 5)


@pytest.mark.parametrize("idle", [True, False])
async def test_stopping_ends_the_wait(tmp_path: Path, idle: bool) -> None:
    """A service that is told to stop does not wait for mail any longer, with IDLE or without."""
    async with ingesting(tmp_path, poll="1h") as ingest, ingest.running(idle=idle):
        pass  # leaving the block stops it, and fails after 30 seconds


async def test_thousands_of_mails_removed_by_others_do_not_end_idle(tmp_path: Path) -> None:
    """The server tells of every mail that somebody else expunges, all at once: no failure."""
    async with ingesting(tmp_path, start="all") as ingest:
        for n in range(1500):
            ingest.dovecot.deliver(USER, mail(n))
        async with ingest.mailbox() as mailbox:

            def expunge() -> None:
                with ingest.dovecot.imap(USER) as other:
                    other.select()
                    other.store("1:*", "+FLAGS.SILENT", r"\Deleted")
                    other.expunge()

            await asyncio.to_thread(expunge)
            ingest.dovecot.deliver(USER, mail("new"))
            await mailbox.wait(30, asyncio.Event())
            await mailbox.noop()
            assert await mailbox.search(1) == [1501]
