"""Many people at once: options, roles, removal, and what a dry run says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from schemas.commands import Answer, ChangeMember, RosterPage, RosterRow, Subscribe, Unsubscribe
from schemas.mass import ImportMembers, ImportRow, MassAction
from tests.broker.membership import LIST, Membership, many, membership, settings

pytestmark = pytest.mark.broker
ANN, BOB, CID = "ann@example.net", "bob@example.net", "cid@example.net"


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """A running service with one list."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create()
        yield running


async def change(
    service: Membership, action: MassAction, rows: Sequence[ImportRow], **more: object
) -> Answer:
    """One request about these rows."""
    request = ImportMembers(list=LIST, rows=tuple(rows), action=action, **more)  # type: ignore[arg-type]
    answer = await service.ask(request)
    assert not answer.refused
    return answer


async def everybody(service: Membership) -> list[RosterRow]:
    """Members, then owners."""
    pages = [await service.ask(RosterPage(list=LIST, role=role)) for role in ("member", "owner")]
    return [row for page in pages for row in page.rows]


async def test_options_and_roles_of_a_file(service: Membership, broker: Broker) -> None:
    """A person with two roles stands in two lines and becomes one, with all options in one message;
    whoever has the role already keeps the options they chose."""
    rows = [
        ImportRow(line=2, address=ANN, delivery_status="by_user", moderation_action="hold"),
        ImportRow(line=3, address=ANN, role="owner", moderation_action="hold"),
        ImportRow(line=4, address=BOB, delivery_mode="none"),
    ]
    assert (await change(service, "add", rows)).changed == 2
    told = [
        (row.address, row.role, row.delivery_mode, row.delivery_status, row.moderation_action)
        for row in await everybody(service)
    ]
    assert told == [
        (ANN, "member", "regular", "by_user", "hold"),
        (BOB, "member", "none", "enabled", ""),
        (ANN, "owner", "regular", "by_user", "hold"),
    ]
    assert len([one async for one in broker.scan("MEMBERSHIP", "membership.>")]) == 2
    assert (await change(service, "add", [ImportRow(line=2, address=BOB)])).changed == 0
    assert (await everybody(service))[1].delivery_mode == "none"


async def test_setting_and_removing(service: Membership, broker: Broker) -> None:
    """Options that are not told stay; whoever is not there is neither set, removed nor made
    known."""
    await change(service, "add", [ImportRow(line=2, address=ANN, moderation_action="hold")])
    wanted = [
        ImportRow(line=2, address=ANN, delivery_mode="none"),
        ImportRow(line=3, address=CID, delivery_mode="none"),
    ]
    assert (await change(service, "set", wanted)).changed == 1
    (row,) = await everybody(service)
    assert (row.delivery_mode, row.moderation_action) == ("none", "hold")
    assert (await change(service, "remove", wanted)).changed == 1
    assert await everybody(service) == []
    assert len([one async for one in broker.scan("PEOPLE", "people.>")]) == 1


async def test_a_sync_rests_on_what_was_looked_at(service: Membership) -> None:
    """Where somebody else came or left since, it is refused, its own changes not counting; mail
    that a member stopped meanwhile stays stopped."""
    seen = (await change(service, "add", many(0, 10))).as_of.membership
    own = {"how": "sync", "command": new_id()}
    first = await change(service, "add", many(10, 20), seen=seen, **own)
    await service.ask(ChangeMember(list=LIST, address=many(0, 1)[0].address, delivery_mode="none"))
    second = await change(service, "remove", many(0, 5), seen=first.after, **own)
    other = ImportMembers(list=LIST, rows=tuple(many(0, 9)), action="remove", how="sync", seen=seen)
    refused = await service.ask(other)
    assert (refused.code, refused.changed) == ("changed", 0)
    assert second.changed == 5
    await service.ask(
        ChangeMember(list=LIST, address=many(7, 8)[0].address, delivery_status="by_user")
    )
    wanted = [msgspec.structs.replace(row, delivery_status="enabled") for row in many(7, 8)]
    assert (await change(service, "set", wanted, **own)).changed == 0
    assert (await change(service, "set", wanted, back=True, **own)).changed == 1


async def test_of_two_syncs_at_once_one_is_refused(service: Membership) -> None:
    """Both rest on the same members and would leave what both files have in common."""
    seen = (await change(service, "add", many(0, 20))).as_of.membership
    requests = [
        ImportMembers(list=LIST, rows=tuple(some), action="remove", seen=seen, command=new_id())
        for some in (many(0, 5), many(5, 20))
    ]
    answers = await asyncio.gather(*map(service.ask, requests))
    assert sorted(answer.code for answer in answers) == ["", "changed"]


async def test_a_lists_own_addresses_are_nobodys(service: Membership) -> None:
    """Neither the list's address nor those of commands become a member, one by one or by file;
    those of another list's members do."""
    await service.create("other@lists.example.org")
    own = ["team@lists.example.org", "team-join@lists.example.org", "Team+x@lists.example.org"]
    own.append("other-leave@lists.example.org")
    rows = [ImportRow(line=line, address=address) for line, address in enumerate(own, 2)]
    rows.append(ImportRow(line=9, address="other@lists.example.org"))
    answer = await change(service, "add", rows)
    assert (answer.changed, [line for line, _ in answer.bad_rows]) == (1, [2, 3, 4, 5])
    refused = await service.ask(Subscribe(list=LIST, address=own[1]))
    assert refused.code == "bad_address"
    assert "an address of a list itself" in refused.refused


async def test_a_dry_run_stores_nothing(service: Membership, broker: Broker) -> None:
    """It counts as the real one would, and names the same lines."""
    rows = [*many(0, 20), ImportRow(line=99, address="bob@")]
    dry = await change(service, "add", rows, dry=True)
    assert (dry.changed, [line for line, _ in dry.bad_rows]) == (20, [99])
    assert [one async for one in broker.scan("PEOPLE", "people.>")] == []
    real = await change(service, "add", rows)
    assert (real.changed, real.bad_rows) == (dry.changed, dry.bad_rows)
    assert (await change(service, "remove", many(0, 25), dry=True)).changed == 20
    assert len(await everybody(service)) == 20


async def test_one_command_stands_in_every_event(service: Membership, broker: Broker) -> None:
    """The command's id and who gave it; a portion asked again counts as done what it did."""
    command = new_id()
    await change(service, "add", many(0, 10), command=command, by="ann")
    for stream in ("PEOPLE", "MEMBERSHIP"):
        found = [stored.envelope() async for stored in broker.scan(stream, f"{stream.lower()}.>")]
        assert {(one.correlation, one.actor) for one in found} == {(command, "operator:ann")}
    assert (await change(service, "add", many(0, 12), command=command, again=True)).changed == 12
    assert (await change(service, "add", many(0, 12), command=command)).changed == 0


async def test_who_left_is_not_put_back(service: Membership) -> None:
    """Given again an import leaves out who was removed since, also where another role is what their
    log speaks of last, and names their lines; `back` takes them back, as a later date does."""
    rows = [*many(0, 3), ImportRow(line=50, address=ANN), ImportRow(line=51, address=BOB)]
    rows.append(ImportRow(line=52, address=BOB, role="owner"))
    await change(service, "add", rows)
    for address in (ANN, BOB):
        await service.ask(Unsubscribe(list=LIST, address=address))
    await service.ask(ChangeMember(list=LIST, address=BOB, moderation_action="hold"))
    for dry in (True, False):
        answer = await change(service, "add", rows, dry=dry)
        assert (answer.changed, [line for line, _ in answer.away_rows]) == (0, [50, 51])
    later = [ImportRow(line=50, address=ANN, since=datetime.now(UTC) + timedelta(hours=1))]
    assert (await change(service, "add", later)).changed == 1
    assert (await change(service, "add", rows, back=True)).changed == 1
