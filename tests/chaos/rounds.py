"""A round of chaos: posts go down the road while something is killed; then the books are read.

The books are the sink's records and the list of what was posted, nothing of the product's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.system import ROAD, World, mail, until, world
from tests.peers.checker import Post, Report, check

LANES = 4
SECOND_LIST = "crew@example.org"


@dataclass
class Round:
    """What a round came to."""

    name: str
    report: Report
    kills: int
    open_windows: int  # kills of the sender (times copies in a message): each may double one a lane

    @property
    def bound(self) -> int:
        """Copies that may be doubled."""
        return self.open_windows * LANES

    def judge(self) -> None:
        """Print the round, and fail where it broke a promise."""
        print(f"\n{self.name}: {self.kills} kills, {self.report.counts}, bound {self.bound}")
        judge(self.report, self.bound)


def judge(report: Report, bound: int) -> None:
    """Fail where a copy is lost, nobody's or altered, or more than `bound` are doubled."""
    assert not report.lost, report
    assert not report.unexpected, report
    assert not report.altered, report
    assert report.extra <= bound, report


Fault = Callable[[World], Awaitable[int]]


async def chaos(
    home: Path,
    name: str,
    *faults: Fault,
    posts: int,
    members: int,
    open_windows: int = 0,
    both_lists: bool = False,
    relay: dict[str, str] | None = None,
) -> Round:
    """Deliver `posts` mails to a list of `members` while `faults` do their work, one after another,
    each on its share of the mails; wait until every copy arrived and the road is idle; read the
    books. A fault returns how often it killed."""
    people = [f"m{n}@d{n % 5}.example.net" for n in range(members)]
    async with world(home, relay={"connections": str(LANES), **(relay or {})}) as here:
        await here.road.make_list("team@example.org", people)
        to = "team@example.org"
        if both_lists:
            await here.road.make_list(SECOND_LIST, people)
            to = f"team@example.org, {SECOND_LIST}"
        fan = 2 if both_lists else 1
        kills = 0
        for part, fault in enumerate(faults):
            share = range(part * posts // len(faults), (part + 1) * posts // len(faults))
            feeding = asyncio.create_task(_feed(here, share, to))
            kills += await fault(here)
            await feeding
        await _revive(here)
        copies = posts * members * fan
        await here.sink.wait_for(copies, 120)
        await here.road.settled(posts, 120)
        expected = [
            Post(f"<{number}@posts>", frozenset(people), "team.example.org")
            for number in range(posts)
        ]
        if both_lists:
            expected += [
                Post(f"<{number}@posts>", frozenset(people), "crew.example.org")
                for number in range(posts)
            ]
        report = check(here.sink.records(), expected)

        async def flagged() -> bool:
            return await here.waiting() == 0

        await until(flagged, "every mail of the mailbox is flagged")
        return Round(name, report, kills, open_windows)


async def _feed(here: World, numbers: range, to: str) -> None:
    for number in numbers:
        here.post(mail(number, to))
        await asyncio.sleep(0)


async def _revive(here: World) -> None:
    for name in ROAD:
        if here.road.processes[name].returncode is not None:
            await here.road.run(name)


def kill_at_random(name: str, times: int, seed: int, *, between: float = 0.4) -> Fault:
    """Kill -9 of a service (or "broker") at random moments, each time with a new start: mostly
    while it works, now and then while it still starts and reads what the last one left."""
    dice = random.Random(seed)

    async def fault(here: World) -> int:
        for _ in range(times):
            if name != "broker" and dice.random() < 0.75:
                await here.road.ready([name])
            await pass_(dice.uniform(0.05, between))
            if name == "broker":
                await here.road.kill_broker()
            else:
                await here.road.kill(name)
                await here.road.run(name)
        return times

    return fault


def kill_at(name: str, *crashpoints: str) -> Fault:
    """Have a service die at each of these crash points, then start it anew."""

    async def fault(here: World) -> int:
        await here.road.kill(name)
        for crashpoint in crashpoints:
            await here.road.run(name, crashpoint=crashpoint)
            await here.road.died(name)
        await here.road.run(name)
        return len(crashpoints)

    return fault


async def pass_(seconds: float) -> None:
    """Let the road run for a while: the random moment of a kill."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)
