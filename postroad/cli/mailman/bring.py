"""Plans carried out: lists made, and people put onto them by way of membership.

Killed in between, the same command goes on: a list that is there is not made again, and whoever
is on it stays as they are.
"""

from __future__ import annotations

import msgspec

from postroad.cli import mass
from postroad.cli.arrival import warning
from postroad.cli.ask import attempt
from postroad.cli.mailman.plan import Plan
from postroad.cli.mailman.settings import postponed
from postroad.cli.progress import progress
from postroad.cli.road import road
from postroad.mail import addresses
from postroad.mail.addresses import Form
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from schemas.commands import ConfigureList, CreateList, ShowList
from schemas.mass import ImportMembers
from schemas.templates import SetLetter


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a plan. `command` is the id by which `member undo` finds its people."""

    created: bool = False
    warning: str = ""  # why its mail cannot arrive
    added: int = 0
    present: int = 0
    away: tuple[tuple[str, str], ...] = ()  # who left since, and is not put back
    bad: tuple[tuple[str, str], ...] = ()
    refused: str = ""
    command: str = ""


async def bring(
    config: Config, plans: list[Plan], how: str, *, back: bool = False
) -> list[Brought]:
    """Carry out these plans; `back` takes back who left here since. Lists come first, those that
    name others last, and of what a list of these names and is not there yet it is told afterwards.
    Raises PostroadError where membership cannot carry on."""
    from postroad.cli.lists import suited

    made: dict[int, Brought] = {}
    async with road(config) as broker:
        unmade = {plan.address for plan in plans}
        waiting: list[tuple[int, dict[str, str]]] = []
        for at, plan in sorted(enumerate(plans), key=lambda numbered: _names_lists(numbered[1])):
            domain = plan.address.rpartition("@")[2]
            settings, later = postponed(plan.settings, domain, unmade)
            typed = suited(config, plan.address, settings)
            form = msgspec.convert(typed.get("sub_address", "dash"), Form)
            made[at] = msgspec.structs.replace(
                await _make(broker, plan, typed),
                warning="" if plan.refused else warning(config, plan.address, form),
            )
            unmade.discard(plan.address)
            if later and made[at].created:
                waiting.append((at, later))
        for at, later in waiting:
            made[at] = await _tell(broker, plans[at], made[at], later)
        request = ImportMembers(list="", rows=(), how=how, back=back)
        return [await _people(broker, plan, made[at], request) for at, plan in enumerate(plans)]


def _names_lists(plan: Plan) -> bool:
    texts = (text for name, text in plan.settings.items() if name.endswith("_these_nonmembers"))
    return any(item.startswith("@") for text in texts for item in text.split())


async def _tell(broker: Broker, plan: Plan, made: Brought, later: dict[str, str]) -> Brought:
    """Name lists in the settings of one that was made before them."""
    settings = {f"{name}+": text for name, text in later.items()}
    answer = await attempt(broker, "list_set", ConfigureList(list=plan.address, settings=settings))
    if not answer.refused:
        return made
    return msgspec.structs.replace(made, bad=((" ".join(later.values()), answer.refused),))


async def _make(broker: Broker, plan: Plan, settings: dict[str, str]) -> Brought:
    if plan.refused:
        return Brought(refused=plan.refused)
    there = await attempt(broker, "list_show", ShowList(list=plan.address))
    if not there.refused:
        closed = there.lists[0].closed
        return Brought(refused="the list was closed here" if closed else "")
    create = CreateList(address=plan.address, settings=settings)
    answer = await attempt(broker, "list_create", create)
    for letter, text in plan.letters.items() if not answer.refused else ():
        await attempt(broker, "letter_set", SetLetter(list=plan.address, letter=letter, text=text))
    return Brought(created=not answer.refused, refused=answer.refused)


async def _people(broker: Broker, plan: Plan, made: Brought, request: ImportMembers) -> Brought:
    if made.refused:
        return made
    command = mass.begin(plan.address)
    request = msgspec.structs.replace(request, list=plan.address, command=command)
    with progress(f"importing {plan.address}", len(plan.rows)) as reached:
        outcome = await mass.send(broker, request, plan.rows, reached)
    address_of = {row.line: row.address for row in plan.rows}
    bad = tuple((address_of[line], why) for line, why in outcome.bad)
    away = tuple((address_of[line], why) for line, why in outcome.away)
    without = {line for line, _ in (*outcome.bad, *outcome.away)}  # banned here, or left
    people = {addresses.normalise(row.address) for row in plan.rows if row.line not in without}
    return msgspec.structs.replace(
        made,
        added=outcome.changed,
        present=len(people) - outcome.changed,  # somebody in two roles is one
        away=away,
        bad=made.bad + bad,
        command=request.command,
    )
