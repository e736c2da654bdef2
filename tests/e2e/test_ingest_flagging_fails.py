"""What becomes of mail on the server once it is on the road, and when the server objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from postroad.runtime.errors import PostroadError
from services.ingest.imap import Mailbox
from tests.e2e.ingesting import USER, Ingest, fact, ingesting, mail

FOLDER = 'Erl\u00e4digt & "fertig"'
IMPOSSIBLE = "move:not/a name"  # Maildir++ refuses the slash


@asynccontextmanager
async def _old_server(ingest: Ingest, *lacks: str) -> AsyncIterator[Mailbox]:
    async with ingest.mailbox() as mailbox:
        mailbox._imap.capabilities -= set(lacks)
        yield mailbox


async def test_a_refused_move_does_not_stop_the_mail(tmp_path: Path) -> None:
    """Where mail cannot be moved it is taken all the same, once, and status says why it stays;
    with the setting mended it is moved."""
    async with ingesting(tmp_path, start="all") as ingest:
        ingest.dovecot.deliver(USER, mail(1))
        async with ingest.running(after=IMPOSSIBLE) as context:
            await ingest.took(1)
            ingest.dovecot.deliver(USER, mail(2))
            await ingest.took(2)
        assert fact(context).ok is False
        assert fact(context).facts["connected"] is True
        assert fact(context).detail.startswith("the server refused")
        assert len(await ingest.mails()) == 2
        with pytest.raises(PostroadError, match="the server refused"):
            await ingest.once(after=IMPOSSIBLE)
        await ingest.once(after="move:Done")
        assert await ingest.texts() == [mail(1), mail(2)]
        assert await ingest.mails() == []
        assert [found.data for found in await ingest.mails("Done")] == [mail(1), mail(2)]


async def test_folders_may_have_any_name(tmp_path: Path) -> None:
    """Folder names with spaces, quotes and letters outside ASCII are found and made."""
    async with ingesting(
        tmp_path, start="all", after='move:Erl\u00e4digt & \\"fertig\\"'
    ) as ingest:
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.once()
        assert await ingest.mails() == []
        async with ingest.mailbox(after="seen", folder=FOLDER) as mailbox:
            assert await mailbox.search(1) == [1]


@pytest.mark.parametrize("lacks", [(), ("MOVE",), ("MOVE", "UIDPLUS")])
async def test_mail_is_moved_with_whatever_the_server_has(
    tmp_path: Path, lacks: tuple[str, ...]
) -> None:
    """MOVE, or COPY and UID EXPUNGE, or COPY and EXPUNGE: only our mail goes."""
    async with ingesting(tmp_path) as ingest:
        for n in (1, 2, 3):
            ingest.dovecot.append(USER, mail(n))
        async with _old_server(ingest, *lacks) as mailbox:
            await mailbox.move([1, 3], "Done")
        assert [found.uid for found in await ingest.mails()] == [2]
        assert [found.data for found in await ingest.mails("Done")] == [mail(1), mail(3)]


@pytest.mark.parametrize("lacks", [(), ("UIDPLUS",)])
async def test_what_others_marked_for_deletion_is_never_expunged(
    tmp_path: Path, lacks: tuple[str, ...]
) -> None:
    """Deleting our mail does not delete what somebody else only marked."""
    async with ingesting(tmp_path) as ingest:
        ingest.dovecot.append(USER, mail(1), flags=r"\Deleted")
        ingest.dovecot.append(USER, mail(2))
        async with _old_server(ingest, *lacks) as mailbox:
            await mailbox.delete([2])
        left = {found.uid: found.flags for found in await ingest.mails()}
        assert 1 in left
        assert "\\Deleted" in left.get(2, {"\\Deleted"})


async def test_mail_that_others_removed_is_no_failure(tmp_path: Path) -> None:
    """Mail that is gone between listing and fetching, or before it is flagged, is passed over."""
    async with ingesting(tmp_path) as ingest:
        for n in (1, 2, 3):
            ingest.dovecot.append(USER, mail(n))
        async with ingest.mailbox() as mailbox:
            assert [row.uid for row in await mailbox.listing([1, 2, 3])] == [1, 2, 3]

            def remove() -> None:
                with ingest.dovecot.imap(USER) as other:
                    other.select()
                    other.store("2", "+FLAGS.SILENT", r"\Deleted")
                    other.expunge()

            await asyncio.to_thread(remove)
            assert set(await mailbox.fetch([1, 2, 3])) == {1, 3}
            assert await mailbox.fetch_large(2, 1 << 20) == {}
            await mailbox.set_seen([1, 2, 3])
            await mailbox.delete([1, 2])
            await mailbox.move([2, 3], "Done")
        assert await ingest.mails() == []


async def test_reading_leaves_mail_unread(tmp_path: Path) -> None:
    """Neither a listing nor any way of fetching sets a flag."""
    async with ingesting(tmp_path) as ingest:
        ingest.dovecot.append(USER, mail(1))
        async with ingest.mailbox() as mailbox:
            await mailbox.listing([1])
            assert await mailbox.fetch([1]) == {1: mail(1)}
            assert await mailbox.fetch_large(1, 1 << 20) == {1: mail(1)}
        assert await ingest.seen() == [False]
