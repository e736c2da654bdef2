"""Plans carried out: lists made, and people put onto them by way of membership.

Killed in between, the same command goes on: a list that is there is not made again, and whoever
is on it stays as they are.
"""

from __future__ import annotations

import msgspec

from postroad.cli import mass
from postroad.cli.ask import ask, attempt
from postroad.cli.mailman.plan import Plan
from postroad.cli.mailman.settings import own_lists
from postroad.cli.progress import progress
from postroad.cli.road import road
from postroad.mail import addresses
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.config import Config
from schemas.commands import ConfigureList, CreateList, ShowList
from schemas.mass import ImportMembers


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a plan. `command` is the id by which `member undo` finds its people."""

    created: bool = False
    added: int = 0
    present: int = 0
    bad: tuple[tuple[str, str], ...] = ()
    refused: str = ""
    command: str = ""


async def bring(config: Config, plans: list[Plan], how: str) -> list[Brought]:
    """Carry out these plans: lists first, since settings of one may name another. Raises
    PostroadError where membership cannot carry on."""
    from postroad.cli.lists import suited

    async with road(config) as broker:
        made = []
        for plan in plans:
            settings = plan.settings | {name: rest for name, _, rest in own_lists(plan.settings)}
            made.append(await _make(broker, plan, suited(config, plan.address, settings)))
        for plan, one in zip(plans, made, strict=True):
            for name, lists, _ in own_lists(plan.settings) if not one.refused else ():
                change = ConfigureList(list=plan.address, settings={f"{name}+": lists})
                await ask(broker, "list_set", change)
        return [await _people(broker, *pair, how) for pair in zip(plans, made, strict=True)]


async def _make(broker: Broker, plan: Plan, settings: dict[str, str]) -> Brought:
    if plan.refused:
        return Brought(refused=plan.refused)
    there = await attempt(broker, "list_show", ShowList(list=plan.address))
    if not there.refused:
        closed = there.lists[0].closed
        return Brought(refused="the list was closed here" if closed else "")
    create = CreateList(address=plan.address, settings=settings)
    answer = await attempt(broker, "list_create", create)
    return Brought(created=not answer.refused, refused=answer.refused)


async def _people(broker: Broker, plan: Plan, made: Brought, how: str) -> Brought:
    if made.refused:
        return made
    request = ImportMembers(list=plan.address, rows=(), how=how, command=new_id())
    with progress(f"importing {plan.address}", len(plan.rows)) as reached:
        outcome = await mass.send(broker, request, plan.rows, reached)
    address_of = {row.line: row.address for row in plan.rows}
    bad = tuple((address_of[line], why) for line, why in outcome.bad)
    people = {addresses.normalise(address) for address in address_of.values()}
    people -= {addresses.normalise(address) for address, _ in bad}  # banned here
    return msgspec.structs.replace(
        made,
        added=outcome.changed,
        present=len(people) - outcome.changed,  # somebody in two roles is one
        bad=bad,
        command=request.command,
    )
