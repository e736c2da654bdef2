"""The sender dies, or freezes, with windows open: what goes out twice is counted by the sink."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.sending import Sending, sending
from tests.peers.checker import Post, Report, check
from tests.peers.sink import Rule, Script

LANES, WINDOW, SHARE = 4, 16, 20
CHUNKS, SIZE = 8, 120
SLOW = Script(rules=(Rule(at="dot", delay=0.005),))  # a kill finds windows open
RELAY = {
    "connections": str(LANES),
    "window": str(WINDOW),
    "recipients_per_transaction": str(SHARE),
}


async def fan_out(here: Sending, *, personal: bool) -> list[str]:
    """Queue a post; returns everybody who is to get it."""
    ref = await here.post(1)
    queued = [
        await here.queue(ref, number, SIZE, personal=personal, lane="bulk")
        for number in range(CHUNKS)
    ]
    return [address for chunk in queued for address in chunk]


async def kill(here: Sending, copies: int) -> None:
    """Kill -9 once the sink has so many copies."""
    await here.sink.wait_for(copies)
    await here.road.kill("sender")


def judged(here: Sending, everyone: list[str]) -> Report:
    """The sink's books; nobody may have lost anything."""
    report = check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))])
    assert not report.lost, report
    assert not report.unexpected, report
    return report


@pytest.mark.parametrize("personal", [True, False], ids=["personal", "shared"])
async def test_kill_repeats_about_a_message_a_lane(tmp_path: Path, personal: bool) -> None:
    """Killed twice in the middle of a fan-out, the sender sends again only messages whose
    final dot was written and unanswered, one a lane at most, and marks just their recipients."""
    async with sending(tmp_path, SLOW, RELAY) as here:
        everyone = await fan_out(here, personal=personal)
        for copies in (200, 600):
            await kill(here, copies)
            await here.road.run("sender")
        await here.finished(CHUNKS)
        report = judged(here, everyone)
        most = 2 * LANES * (1 if personal else SHARE)
        assert report.extra <= most, report
        found = await here.marked()
        print(f"\n{report.extra} copies doubled, {found.total()} marked, at most {most}")
        assert {recipient for _, _, recipient in report.duplicates} <= set(found)
        assert found.total() <= most
        await here.tables_agree()
        kept = sorted(path.name for path in (tmp_path / "state" / "sender").iterdir())
        assert len(kept) == 1, "files of the dead are gone once nobody needs them"


async def test_a_small_chunk_is_not_repeated_either(tmp_path: Path) -> None:
    """A chunk of one window has no intent in the ledger; killed in the middle of it, what was
    answered is not sent again all the same."""
    async with sending(tmp_path, SLOW, RELAY) as here:
        ref = await here.post(1)
        chunks = [await here.queue(ref, number, 16, lane="now") for number in range(8)]
        everyone = [address for chunk in chunks for address in chunk]
        await kill(here, 40)
        await here.road.run("sender")
        await here.finished(8)
        assert judged(here, everyone).extra <= LANES


async def test_without_a_journal_the_ledger_stands(tmp_path: Path) -> None:
    """The journal gone, as after a power cut: windows that were open go out again, nobody is lost,
    and everybody who may have two copies is marked, though the successor has fewer lanes and
    narrower windows."""
    async with sending(tmp_path, SLOW, RELAY) as here:
        everyone = await fan_out(here, personal=True)
        await kill(here, 300)
        (journal,) = (tmp_path / "state" / "sender").iterdir()
        journal.unlink()
        settings = here.road.config.read_text()
        narrow = settings.replace(f"window = {WINDOW}", "window = 5")
        here.road.config.write_text(narrow.replace(f"connections = {LANES}", "connections = 2"))
        await here.road.run("sender")
        await here.finished(CHUNKS)
        report = judged(here, everyone)
        assert report.extra <= LANES * WINDOW, report
        assert {recipient for _, _, recipient in report.duplicates} <= set(await here.marked())


def of_another_boot(place: Path) -> None:
    """As after a power cut."""
    (journal,) = place.iterdir()
    with journal.open("r+b") as file:
        file.seek(64)
        file.write(b"another boot")


@pytest.mark.parametrize("loss", [of_another_boot, shutil.rmtree], ids=["power cut", "disk gone"])
async def test_a_small_chunk_without_a_journal_is_in_doubt(
    tmp_path: Path, loss: Callable[[Path], None]
) -> None:
    """After a power cut, or with a new disk, neither ledger nor journal tell how far its only
    window came: it goes out again, marked. What has its outcome, or was queued later, is not."""
    async with sending(tmp_path, SLOW, RELAY) as here:
        ref = await here.post(1)
        everyone = [a for n in range(8) for a in await here.queue(ref, n, 16, lane="now")]
        await kill(here, 40)
        loss(tmp_path / "state" / "sender")
        ended = {entry.chunk for entry in await here.ledger()}
        await here.road.run("sender")
        await here.finished(8)
        later = await here.queue(ref, 8, 16, lane="now")
        await here.finished(9)
        report = judged(here, [*everyone, *later])
        assert report.extra <= LANES * WINDOW
        found = set(await here.marked())
        assert {recipient for _, _, recipient in report.duplicates} <= found
        assert not found & set(later)
        assert not {a.split("-")[0] for a in found} & {f"p{chunk}" for chunk in ended}


async def test_without_room_for_a_journal_mail_goes_out(tmp_path: Path) -> None:
    """Where no journal can be written the sender says so once and works without."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "sender").write_text("in the way")
    async with sending(tmp_path, relay=RELAY) as here:
        everyone = await fan_out(here, personal=True)
        await here.finished(CHUNKS)
        assert judged(here, everyone).exact
        assert here.road.log("sender").count("journal.off") == 1


async def test_a_frozen_sender_stays_out(tmp_path: Path) -> None:
    """Frozen until its chunks were given to a successor, then thawed, it stops at its next entry:
    repeated are windows that were open, and nobody is lost."""
    async with sending(tmp_path, SLOW, RELAY) as here:
        everyone = await fan_out(here, personal=True)
        await here.sink.wait_for(300)
        frozen = here.road.processes["sender"]
        frozen.send_signal(signal.SIGSTOP)
        await here.road.run("sender")
        await here.finished(CHUNKS)
        frozen.send_signal(signal.SIGCONT)
        frozen.terminate()  # it goes on with what it has in hand, as far as it is let
        await asyncio.wait_for(frozen.wait(), 30)
        report = judged(here, everyone)
        assert report.extra <= LANES * WINDOW, report
        assert {recipient for _, _, recipient in report.duplicates} <= set(await here.marked())


async def test_a_broker_that_dies_repeats_nothing(tmp_path: Path) -> None:
    """Killed and started again in the middle of a fan-out, while entries of the ledger were on
    their way: every copy goes out once."""
    async with sending(tmp_path, SLOW, RELAY) as here:
        everyone = await fan_out(here, personal=True)
        for copies in (200, 600):
            await here.sink.wait_for(copies)
            await here.road.kill_broker()
        await here.finished(CHUNKS)
        assert judged(here, everyone).exact
        assert not await here.marked()
