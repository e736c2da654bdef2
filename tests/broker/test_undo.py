"""A mass change is taken back, for everybody but those who were changed since."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from schemas.commands import (
    Answer,
    ChangeMember,
    ConfigureList,
    RosterPage,
    RosterRow,
    Subscribe,
    UndoRow,
    Unsubscribe,
)
from schemas.mass import ImportMembers, ImportRow, UndoChange
from services.membership import undoing
from tests.broker.membership import LIST, Membership, many, membership, settings

pytestmark = pytest.mark.broker
ANN = "ann@example.net"
LONG_AGO = datetime(2003, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """A running service with one list."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create()
        yield running


async def everybody(service: Membership) -> dict[str, RosterRow]:
    """Members by address."""
    rows = (await service.ask(RosterPage(list=LIST))).rows
    return {row.address: row for row in rows}


async def undo(service: Membership, command: str, *, dry: bool = False, since: str = "") -> Answer:
    """All of it, part by part, as the command line asks."""
    own, after = new_id(), 0
    undone: list[UndoRow] = []
    left: list[UndoRow] = []
    while True:
        request = UndoChange(
            list=LIST, undo=command, command=own, dry=dry, after=after, since=since
        )
        answer = await service.ask(request)
        assert not answer.refused, answer.refused
        undone += answer.undone
        left += answer.left
        after = answer.after
        if not after:
            return Answer(undone=tuple(undone), left=tuple(left), changed=len(undone))


async def test_an_import_undone_is_as_if_it_had_not_been(
    service: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom it added is removed, in as many parts as need be; whoever was there stays. A dry run
    says the same and does nothing; a second time there is nothing to do."""
    monkeypatch.setattr(undoing, "PEOPLE", 7)
    await service.import_(many(0, 10))
    before, command = await everybody(service), new_id()
    await service.ask(ImportMembers(list=LIST, rows=tuple(many(5, 30)), command=command))
    after = await everybody(service)
    dry = await undo(service, command, dry=True)
    assert len(dry.undone) == 20
    assert await everybody(service) == after
    assert (await undo(service, command)).undone == dry.undone
    assert await everybody(service) == before
    assert (await undo(service, command)).undone == ()


async def test_whoever_was_changed_since_is_left_alone(service: Membership) -> None:
    """Somebody who chose an option, or left and came back, is named and stays as they are."""
    command = new_id()
    await service.ask(ImportMembers(list=LIST, rows=tuple(many(0, 4)), command=command))
    chose, returned, left = (row.address for row in many(0, 3))
    await service.ask(ChangeMember(list=LIST, address=chose, delivery_mode="none"))
    await service.ask(Unsubscribe(list=LIST, address=returned))
    await service.ask(Subscribe(list=LIST, address=returned))
    await service.ask(Unsubscribe(list=LIST, address=left))
    answer = await undo(service, command)
    assert [(row.address, row.what) for row in answer.undone] == [("member3@d3.example", "removed")]
    assert {row.address for row in answer.left} == {chose, returned}
    assert set(await everybody(service)) == {chose, returned}


async def test_a_removal_undone_brings_back_every_option(service: Membership) -> None:
    """Every option, and since when, is as it was; asked again because no answer came, it counts
    what it did. An undo of the undo removes them again, and whoever is banned by then is not
    brought back."""
    rows = (
        ImportRow(
            line=2, address="ann@example.net", delivery_mode="none", moderation_action="hold"
        ),
        ImportRow(line=3, address="bob@example.net", delivery_status="by_user", since=LONG_AGO),
        ImportRow(line=4, address="cid@example.net"),
    )
    await service.import_(rows)
    before, command = await everybody(service), new_id()
    await service.ask(ImportMembers(list=LIST, rows=rows, action="remove", command=command))
    again = new_id()
    answer = await service.ask(UndoChange(list=LIST, undo=command, command=again))
    assert {row.what for row in answer.undone} == {"added"}
    assert await everybody(service) == before
    unheard = UndoChange(list=LIST, undo=command, command=again, again=True)
    assert (await service.ask(unheard)).changed == 3
    removed = new_id()
    answer = await service.ask(UndoChange(list=LIST, undo=again, command=removed))
    assert {row.what for row in answer.undone} == {"removed"}
    assert await everybody(service) == {}
    await service.ask(ConfigureList(list=LIST, settings={"bans": ANN}))
    answer = await undo(service, removed)
    assert [(row.address, row.what) for row in answer.left] == [(ANN, "banned")]
    assert set(await everybody(service)) == set(before) - {ANN}


async def test_only_what_came_after_a_time(service: Membership) -> None:
    """Of what was done before the time nothing is undone; a time or an id that is none is
    refused by name."""
    command = new_id()
    await service.ask(ImportMembers(list=LIST, rows=tuple(many(0, 4)), command=command))
    assert (await undo(service, command, since=datetime.now(UTC).isoformat())).undone == ()
    assert len((await undo(service, command, since="2020-01-01T00:00:00+00:00")).undone) == 4
    for request in (
        UndoChange(list=LIST, undo="import"),
        UndoChange(list=LIST, undo=command, since="yesterday"),
    ):
        assert (await service.ask(request)).code == "bad_request"


async def test_what_was_undone_can_be_imported_again(service: Membership) -> None:
    """Whom an undo took off was never meant to leave, unless they had left before."""
    rows = tuple(many(0, 3))
    gone = rows[0].address
    await service.add(gone)
    await service.ask(Unsubscribe(list=LIST, address=gone))
    command = new_id()
    await service.ask(ImportMembers(list=LIST, rows=rows, back=True, command=command))
    await undo(service, command)
    again = await service.ask(ImportMembers(list=LIST, rows=rows))
    assert (again.changed, [line for line, _ in again.away_rows]) == (2, [rows[0].line])


async def test_an_id_that_changed_nobody_is_told_from_one_that_has_nothing_left(
    service: Membership,
) -> None:
    """The answer counts whom the command changed, put back or not; a time to come is refused."""
    command = new_id()
    await service.ask(ImportMembers(list=LIST, rows=tuple(many(0, 3)), command=command))
    await undo(service, command)
    for one, total in ((command, 3), (new_id(), 0)):
        assert (await service.ask(UndoChange(list=LIST, undo=one, dry=True))).total == total
    late = UndoChange(list=LIST, undo=command, since="2999-01-01T00:00:00+00:00", dry=True)
    assert "is still to come" in (await service.ask(late)).refused
