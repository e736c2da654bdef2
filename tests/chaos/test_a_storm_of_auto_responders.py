"""Members whose programs answer every mail they get: none of that is posted, few are written to."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest

from schemas.commands import Subscribe
from tests.e2e.instances import Instance, instances, quiet
from tests.e2e.system import mail, until
from tests.peers.robots import ROBOTS, Answer, Robot, answers
from tests.peers.sink import Record, Sink

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"
MEMBERS, POSTS = (100, 100) if FULL else (2 * len(ROBOTS), 3)
A = "a.example"
TEAM = f"team@{A}"
ANNA, OWNER = "anna@people.example", "owner@robots.example"
PROOF = b"Authentication-Results: mx.a.example; dkim=pass header.d=robots.example\r\n"
CONNECTIONS = 8
ROUNDS = 5  # until a test takes it for a circle
A_DAY = 3  # automatic replies to an address


@dataclass
class Storm:
    """Everybody in `robots` answers everything; `given` is how often so far."""

    here: Instance
    sink: Sink
    robots: dict[str, Robot]
    read: int = 0
    given: int = 0
    took: Counter[str] = field(default_factory=Counter)

    async def blow(self) -> None:
        """Until nothing more comes."""
        await quiet(self.here)
        rounds = 0
        while fresh := self.sink.records()[self.read :]:
            rounds += 1
            assert rounds <= ROUNDS, [each.headers for each in fresh[:3]]
            mails = [
                one for n, each in enumerate(fresh, self.read) for one in self._answers(each, n)
            ]
            self.read += len(fresh)
            self.given += len(mails)
            parts = [mails[start::CONNECTIONS] for start in range(CONNECTIONS)]
            await asyncio.gather(*(self._deliver(part) for part in parts))
            await quiet(self.here)

    def _answers(self, record: Record, number: int) -> list[Answer]:
        data = Path(record.file).read_bytes()
        return [
            each
            for person in record.recipients
            if person in self.robots
            for each in answers(self.robots[person], person, number, data, record.sender)
            if each.to.endswith(f"@{A}")
        ]

    async def _deliver(self, mails: list[Answer]) -> None:
        async with self.here.door.client() as client:
            for each in mails:
                reply = await client.send(PROOF + each.data, [each.to], each.sender)
                self.took[reply[:3]] += 1


@pytest.mark.timeout(900)
@pytest.mark.parametrize("reply_to", ["no_munging", "point_to_list"])
async def test_a_storm(tmp_path: Path, reply_to: str) -> None:
    """Copies are From the list, so that whatever a program answers comes to us, and every program
    proves who it is. Robots get the posts, and nothing else of ours; what waits for the owner is
    told in one letter, and the program that answers it decides nothing."""
    robots = {f"r{n}@robots.example": robot for n, robot in zip(range(MEMBERS), cycle(ROBOTS))}
    source = {"authserv_id": '"mx.a.example"'}
    ours = {"from": '"own_domain"'}
    async with instances(tmp_path, A, more=source, relay=ours) as (sink, (here,)):
        await here.road.make_list(TEAM, [ANNA, *robots], reply_goes_to_list=reply_to)
        await here.road.ask("subscribe", Subscribe(list=TEAM, address=OWNER, role="owner"))
        owner = Robot("owner", to=("from", "reply-to"), null=False)
        storm = Storm(here, sink, {**robots, OWNER: owner})
        for number in range(POSTS):
            await here.post(mail(f"p{number}", to=TEAM, author=ANNA), [TEAM], ANNA)
        await storm.blow()
        of_posts = storm.given

        async def told() -> bool:
            return any(OWNER in record.recipients for record in sink.records())

        await until(told, "the owner is told of what is held")
        await storm.blow()

        got = Counter(to for record in sink.records() for to in record.recipients)
        letters = {robot: got[robot] - POSTS for robot in robots}
        print(f"{MEMBERS} x {POSTS}: {storm.given} answers, {storm.took}; {got[OWNER]} letters")
        print(Counter(letters.values()), Counter(await here.stopped()))
        assert len(await here.decided("post")) == POSTS
        assert of_posts > MEMBERS * POSTS / 2  # some answer the author alone
        assert storm.took == {"250": storm.given}
        assert got[ANNA] == POSTS
        assert set(letters.values()) == {0}
        assert got[OWNER] <= A_DAY
        assert {rule for _, rule in await here.stopped()} == {"automatic"}
