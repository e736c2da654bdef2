"""The first time ingest meets a folder, `start` says what is news."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.ingesting import USER, ingesting, mail


async def test_now_takes_only_what_comes_later(tmp_path: Path) -> None:
    """Mail that was there before stays there unread, and later mail is taken, also where
    ingest was not running when it came."""
    async with ingesting(tmp_path, start="now") as ingest:
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.once()
        assert await ingest.events() == []
        ingest.dovecot.deliver(USER, mail(2))
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
        assert await ingest.seen() == [False, True]


async def test_unseen_takes_what_nobody_has_read(tmp_path: Path) -> None:
    """Of the mail that was there, what somebody had read stays; of later mail everything is
    taken, read or not."""
    async with ingesting(tmp_path, start="unseen") as ingest:
        ingest.dovecot.append(USER, mail(1), flags=r"\Seen")
        ingest.dovecot.append(USER, mail(2))
        await ingest.once()
        ingest.dovecot.append(USER, mail(3), flags=r"\Seen")
        await ingest.once()
        assert await ingest.texts() == [mail(2), mail(3)]


async def test_all_takes_everything_once(tmp_path: Path) -> None:
    """Everything that is there is taken, in any number of runs only once, byte for byte."""
    async with ingesting(tmp_path, start="all") as ingest:
        texts = [mail(n, b"octets \xff of any kind\r\n" * n) for n in range(120)]
        for text in texts:
            ingest.dovecot.deliver(USER, text)
        await ingest.once()
        await ingest.once()
        assert await ingest.texts() == texts
        assert all(await ingest.seen())


async def test_what_was_marked_for_deletion_is_not_taken(tmp_path: Path) -> None:
    """A mail somebody deleted, and whose mail program has not expunged yet, is no post."""
    async with ingesting(tmp_path, start="all") as ingest:
        ingest.dovecot.append(USER, mail(1), flags=r"\Deleted")
        ingest.dovecot.append(USER, mail(2))
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
