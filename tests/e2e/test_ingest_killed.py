"""Ingest dies by kill -9 between any two of its writes: nothing lost, doubled or left unflagged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.ingesting import USER, Ingest, ingesting, mail

TEXTS = [mail(n) for n in range(60)]  # 50 published together, then 10 one by one


async def _deliver(ingest: Ingest) -> None:
    for text in TEXTS:
        ingest.dovecot.deliver(USER, text)


@pytest.mark.parametrize(
    "crashpoint",
    [
        "ingest.after_raw:7",
        "ingest.after_received:1",
        "ingest.after_received:7",
        "ingest.after_flag:1",
        "ingest.after_checkpoint:1",
    ],
)
async def test_flagged_mail_is_published_and_published_mail_is_flagged(
    tmp_path: Path, crashpoint: str
) -> None:
    """At the moment of death only what is in RECEIVED is flagged; after the next run everything
    is in RECEIVED once, unaltered, and flagged."""
    async with ingesting(tmp_path, start="all") as ingest:
        await _deliver(ingest)
        await ingest.killed_at(crashpoint)
        published = {event.origin.uid for event in await ingest.received()}
        flagged = {mail.uid for mail in await ingest.mails() if "\\Seen" in mail.flags}
        assert flagged <= published
        await ingest.once()
        assert await ingest.texts() == TEXTS
        assert all(await ingest.seen())


@pytest.mark.parametrize("after", ["delete", "move:Done"])
@pytest.mark.parametrize("crashpoint", ["ingest.after_received:7", "ingest.after_flag:1"])
async def test_removed_mail_is_published_and_published_mail_is_removed(
    tmp_path: Path, crashpoint: str, after: str
) -> None:
    """The same where mail is deleted or moved: in the end each is in RECEIVED once and none is
    left in the folder."""
    async with ingesting(tmp_path, start="all", after=after) as ingest:
        await _deliver(ingest)
        await ingest.killed_at(crashpoint)
        left = {mail.uid for mail in await ingest.mails()}
        published = {event.origin.uid for event in await ingest.received()}
        assert left | published == set(range(1, 61))
        await ingest.once()
        assert await ingest.texts() == TEXTS
        assert await ingest.mails() == []
        moved = [mail.data for mail in await ingest.mails("Done")]
        assert moved == (TEXTS if after == "move:Done" else [])


async def test_death_before_the_first_mail_keeps_the_first_contact(tmp_path: Path) -> None:
    """With start = "now" the moment of the first contact is kept before any mail is looked at:
    what comes while ingest is dead is news afterwards."""
    async with ingesting(tmp_path, start="now") as ingest:
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.once()
        ingest.dovecot.deliver(USER, mail(2))
        await ingest.killed_at("ingest.after_raw:1")
        ingest.dovecot.deliver(USER, mail(3))
        await ingest.once()
        assert await ingest.texts() == [mail(2), mail(3)]


async def test_a_lost_checkpoint_doubles_nothing(tmp_path: Path) -> None:
    """Mail ids come from the place of a mail, so even without its checkpoint ingest publishes
    nothing twice."""
    async with ingesting(tmp_path, start="all") as ingest:
        await _deliver(ingest)
        await ingest.once()
        await ingest.road.broker.api("STREAM.PURGE.KV_CHECKPOINTS", {})
        await ingest.once()
        assert await ingest.texts() == TEXTS


async def test_the_broker_dies_and_comes_back(tmp_path: Path) -> None:
    """Kill -9 of the broker while mail comes in: what was not acknowledged is taken again."""
    async with ingesting(tmp_path, start="all") as ingest, ingest.running():
        await _deliver(ingest)
        await ingest.took(1)
        await ingest.road.kill_broker()
        await ingest.took(60)
        assert sorted(await ingest.texts()) == sorted(TEXTS)
