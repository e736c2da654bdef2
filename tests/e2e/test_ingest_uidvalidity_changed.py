"""The server renumbers the folder: its UIDs mean nothing any more."""

from __future__ import annotations

import time
from pathlib import Path

from tests.e2e.ingesting import USER, ingesting, mail

LONG_AGO = time.time() - 26 * 86_400
EARLIER = time.time() - 3 * 86_400


async def test_a_rescan_takes_only_what_is_new(tmp_path: Path) -> None:
    """What was received is not published again, what came meanwhile is, and of two equal mails
    the one that came meanwhile."""
    async with ingesting(tmp_path, start="all") as ingest:
        for n in range(5):
            ingest.dovecot.append(USER, mail(n))
        await ingest.once()
        await ingest.dovecot.change_uidvalidity(USER)
        ingest.dovecot.append(USER, mail(5))
        ingest.dovecot.append(USER, mail(3))
        await ingest.once()
        await ingest.once()
        texts = await ingest.texts()
        assert sorted(texts) == sorted([*(mail(n) for n in range(6)), mail(3)])


async def test_a_rescan_killed_half_way_begins_again(tmp_path: Path) -> None:
    """A crash in the middle of a rescan doubles nothing of either numbering."""
    async with ingesting(tmp_path, start="all") as ingest:
        for n in range(3):
            ingest.dovecot.append(USER, mail(n))
        await ingest.once()
        await ingest.dovecot.change_uidvalidity(USER)
        for n in range(3, 9):
            ingest.dovecot.append(USER, mail(n))
        await ingest.killed_at("ingest.after_received:2")
        await ingest.once()
        assert sorted(await ingest.texts()) == [mail(n) for n in range(9)]
        assert all(await ingest.seen())


async def test_old_mail_is_recorded_and_not_posted(tmp_path: Path) -> None:
    """Mail older than RECEIVED's memory is refused as stale, and stays as it was."""
    async with ingesting(tmp_path, start="all") as ingest:
        await ingest.once()
        await ingest.dovecot.change_uidvalidity(USER)
        ingest.dovecot.append(USER, mail(1), date=LONG_AGO)
        ingest.dovecot.append(USER, mail(2), date=EARLIER)
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
        assert await ingest.refused() == [(1, "stale")]
        assert await ingest.seen() == [False, True]


async def test_what_first_contact_passed_over_is_not_revived(tmp_path: Path) -> None:
    """With start = "now", mail from before the first contact is no news under any UID."""
    async with ingesting(tmp_path, start="now") as ingest:
        ingest.dovecot.append(USER, mail(1), date=EARLIER)
        await ingest.once()
        ingest.dovecot.append(USER, mail(2))
        await ingest.once()
        await ingest.dovecot.change_uidvalidity(USER)
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
        assert await ingest.refused() == []
