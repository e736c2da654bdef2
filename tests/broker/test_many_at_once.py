"""Many at once, two services at once, a service that dies in the middle: one event for each change,
no more, and every roster is the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from functools import reduce
from pathlib import Path

import duckdb
import msgspec
import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.errors import Retry
from projections.store import Row
from schemas import subjects
from schemas.commands import Subscribe, Unsubscribe
from schemas.mass import ImportMembers, UndoChange
from services.membership import decider
from tests.broker.membership import LIST, Membership, many, membership, settings
from tests.broker.storms import confirmed_at_once
from tests.broker.test_membership_killed import die
from tests.e2e.system import until

pytestmark = pytest.mark.broker


async def test_all_who_confirm_at_once_are_joined(broker: Broker, tmp_path: Path) -> None:
    """However many confirm in the same moment, each is answered and on the list by one event."""
    assert await confirmed_at_once(broker, tmp_path, 24, 1) == {"joined": 24}


async def test_whoever_confirms_often_at_once_is_joined_once(
    broker: Broker, tmp_path: Path
) -> None:
    """One confirmation counts, each of the others is answered as late, and there is one event."""
    assert await confirmed_at_once(broker, tmp_path, 1, 24) == {"joined": 1, "refused": 23}


async def test_two_services_agree(broker: Broker, tmp_path: Path) -> None:
    """Each may decide on a roster that is behind the other's: what conflicts is decided anew, no
    event is without effect, and both rosters hold the same rows in the end."""
    rows = many(0, 3)
    changes = [
        *(Subscribe(list=LIST, address=row.address) for row in rows),
        *(Unsubscribe(list=LIST, address=row.address) for row in rows),
        ImportMembers(list=LIST, rows=tuple(rows)),
        ImportMembers(list=LIST, rows=tuple(rows), action="remove"),
    ]
    async with membership(broker, settings(tmp_path)) as first:
        await first.create()
        async with membership(broker, settings(tmp_path)) as second:
            answers = await asyncio.gather(*(first.ask(change) for change in changes * 6))
            assert {answer.refused for answer in answers} == {""}
            last = await broker.last("MEMBERSHIP", "membership.>")
            assert last is not None
            counted = sum(answer.changed for answer in answers)
            await _stands_at(first, last.seq)
            await _stands_at(second, last.seq)
    lives: dict[str, decider.State] = defaultdict(lambda: decider.initial)
    events = 0
    async for stored in broker.scan("MEMBERSHIP", "membership.>"):
        before = lives[stored.subject]
        lives[stored.subject] = reduce(decider.evolve, stored.events(), before)
        assert lives[stored.subject] != before
        events += 1
    assert (len(lives), events) == (3, counted)
    people, others = (_rows(tmp_path / f"{name}.duckdb") for name in ("roster", "roster-2"))
    assert people == others != [[], []]


async def test_an_undo_whose_service_died_is_finished_once(broker: Broker, tmp_path: Path) -> None:
    """Who was put back before the service was killed stays so and counts when it is asked again;
    nobody is put back twice."""
    undone, command = new_id(), new_id()
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.ask(ImportMembers(list=LIST, rows=tuple(many(0, 30)), command=undone))
    ask = UndoChange(list=LIST, undo=undone, command=command)
    dying = asyncio.create_task(die(tmp_path, "membership.after_undone:1"))
    while not dying.done():
        with contextlib.suppress(Retry):
            await broker.request(subjects.command("undo"), msgspec.json.encode(ask), timeout=2)
    await dying
    async with membership(broker, settings(tmp_path)) as service:
        answer = await service.ask(msgspec.structs.replace(ask, again=True))
        other = await service.ask(UndoChange(list=LIST, undo=undone, command=new_id()))
    assert (answer.changed, other.changed) == (30, 0)
    assert (await broker.api("STREAM.INFO.MEMBERSHIP"))["state"]["messages"] == 60


async def _stands_at(service: Membership, seq: int) -> None:
    async def stands() -> bool:
        facts = service.context.health.answer().facts
        return any(fact.facts["position"]["MEMBERSHIP"] >= seq for fact in facts)

    await until(stands, "the roster is up to date")


def _rows(file: Path) -> list[list[Row]]:
    """Every row of a roster."""
    with duckdb.connect(str(file), read_only=True) as roster:
        return [
            roster.sql(f"from {table} order by all").fetchall() for table in ("member", "people")
        ]
