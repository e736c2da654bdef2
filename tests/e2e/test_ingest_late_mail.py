"""Mail that a server shows late, or under a lower UID than it promised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.ingest.trouble import MailboxError
from tests.e2e.ingesting import Scripted, mail, scripted
from tests.peers.imapfolder import Mail


def hide(ingest: Scripted, *uids: int) -> list[Mail]:
    """Take mails out of sight, as a replica does that has not caught up."""
    inbox = ingest.imap.inbox
    hidden = [each for each in inbox.mails if each.uid in uids]
    inbox.mails = [each for each in inbox.mails if each.uid not in uids]
    return hidden


def show(ingest: Scripted, mails: list[Mail]) -> None:
    """Bring them back into sight."""
    inbox = ingest.imap.inbox
    inbox.mails = sorted([*inbox.mails, *mails], key=lambda each: each.uid)


async def message_ids(ingest: Scripted) -> list[str]:
    """Of the mails in RECEIVED, by UID."""
    return [event.facts.message_id for event in await ingest.received()]


@pytest.mark.parametrize("start", ["now", "unseen", "all"])
async def test_a_uidnext_too_high_hides_no_mail(tmp_path: Path, start: str) -> None:
    """A server whose UIDNEXT is far above the UIDs it gives out loses no mail, whatever first
    contact took."""
    async with scripted(tmp_path, [mail(1)], start=start) as ingest:
        ingest.imap.inbox.uidnext = 5000
        await ingest.once()
        ingest.imap.inbox.uidnext = 2
        ingest.imap.deliver(mail(2))
        await ingest.once()
        taken = ["2@posts"] if start == "now" else ["1@posts", "2@posts"]
        assert await message_ids(ingest) == taken


async def test_a_uidnext_too_low_takes_nothing_old(tmp_path: Path) -> None:
    """With start = "now" what lies in the folder stays there, whatever UIDNEXT says."""
    async with scripted(tmp_path, [mail(1), mail(2)], start="now") as ingest:
        ingest.imap.inbox.uidnext = 1
        await ingest.once()
        assert await ingest.events() == []


async def test_mail_shown_late_is_taken_once(tmp_path: Path) -> None:
    """Where UID 4 is shown before 2 and 3, these are taken at the next session, and no mail is
    taken twice."""
    async with scripted(tmp_path, [mail(n) for n in range(1, 5)], start="all") as ingest:
        late = hide(ingest, 2, 3)
        await ingest.once()
        assert await message_ids(ingest) == ["1@posts", "4@posts"]
        show(ingest, late)
        await ingest.once()
        await ingest.once()
        assert await message_ids(ingest) == [f"{n}@posts" for n in range(1, 5)]
        await ingest.all_read()


@pytest.mark.parametrize("announced", [True, False])
async def test_mail_shown_late_is_taken_in_an_open_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    """Without a new login too: at once where the server announces it, else when we look back,
    though the next poll is an hour away."""
    seconds = 60.0 if announced else 0.2
    monkeypatch.setattr("services.ingest.intake.SOON_SECONDS", seconds)
    async with scripted(tmp_path, [mail(n) for n in range(1, 4)], start="all", poll="1h") as ingest:
        late = hide(ingest, 2)
        async with ingest.running():
            await ingest.took(2)
            await ingest.idles()
            show(ingest, late)
            if announced:
                for conversation in list(ingest.imap.idle.values()):
                    conversation.announce()
            await ingest.took(3)
        assert await message_ids(ingest) == ["1@posts", "2@posts", "3@posts"]


async def test_what_was_left_on_purpose_is_not_taken_by_looking_back(tmp_path: Path) -> None:
    """What first contact passed over stays so, also where it was out of sight then; what arrived
    since is taken, and what was refused is refused once."""
    texts = [mail(n, b"x" * 2_000 if n == 5 else b"x") for n in range(1, 8)]
    async with scripted(tmp_path, texts[:4], start="now", max_size="1KB") as ingest:
        old = hide(ingest, 2, 3)
        for each in old:
            each.date = datetime.now(UTC) - timedelta(hours=1)
        await ingest.once()
        for text in texts[4:]:
            ingest.imap.deliver(text)
        late = hide(ingest, 6)
        await ingest.once()
        show(ingest, [*old, *late])
        await ingest.once()
        await ingest.once()
        assert await message_ids(ingest) == ["6@posts", "7@posts"]
        assert await ingest.refused() == [(5, "too_large")]
        assert ingest.unread == [1, 2, 3, 4, 5]


async def test_a_mail_missing_from_one_answer_is_taken_later(tmp_path: Path) -> None:
    """A mail that SEARCH names and FETCH leaves out is not passed: the next look takes it."""
    async with scripted(tmp_path, [mail(n) for n in range(1, 4)], start="all") as ingest:
        search = ingest.imap.inbox.search
        late = hide(ingest, 2)
        number = (2, late[0])
        ingest.imap.inbox.search = lambda keys: [*search(keys), number]  # type: ignore[method-assign]
        await ingest.once()
        ingest.imap.inbox.search = search  # type: ignore[method-assign]
        show(ingest, late)
        await ingest.once()
        assert await message_ids(ingest) == ["1@posts", "2@posts", "3@posts"]


async def test_a_folder_without_uidvalidity_is_not_read(tmp_path: Path) -> None:
    """UIDVALIDITY 0 is none (RFC 3501 section 9): a person is told, and no mail is touched."""
    async with scripted(tmp_path, [mail(1)], start="all") as ingest:
        ingest.imap.inbox.uidvalidity = 0
        with pytest.raises(MailboxError, match="tells no UIDVALIDITY") as caught:
            async with ingest.mailbox():
                pass
        assert caught.value.lasting
        assert ingest.unread == [1]
