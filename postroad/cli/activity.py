"""`postroad member activity`: what somebody was sent, wrote and did, on every list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from postroad.cli.erase import member
from postroad.cli.frame import Call, command
from postroad.cli.options import AtMost, OnlyList, Since
from postroad.cli.output import complain, print_table, short
from postroad.runtime.errors import PostroadError

__all__ = ["activity", "member"]  # the group, with this in it


@command(member, "activity", example="postroad member activity ann@example.net --since 30d")
async def activity(
    call: Call,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Any address of the person.")],
    since: Since = "",
    list_: OnlyList = "",
    limit: AtMost = 200,
) -> None:
    """What somebody was sent and wrote, when they joined and left, and what came back.

    The newest last, one line for each mail with the last word on their copy; `postroad explain`
    tells the whole story of one. Of who was erased nothing is told.
    """
    from postroad.cli.ask import ask as ask_membership
    from postroad.cli.gathering import folded, reached
    from postroad.cli.mails import list_addresses
    from postroad.cli.post import slug_of
    from postroad.cli.projected import projected
    from postroad.cli.road import road
    from postroad.cli.times import plain
    from postroad.cli.times import since as since_of
    from postroad.runtime.clock import now
    from schemas.whose import WhoseAddress
    from services.membership.actors import person_of

    begin = since_of(since, now()) if since else None
    async with road(call.config) as broker:
        whose = (await ask_membership(broker, "whose", WhoseAddress(address=address))).whose
        if whose is None or whose.erased:
            raise PostroadError(
                f"whoever had the address {address} was erased, and nothing is told of them"
                if whose
                else f"nobody of the address {address} is known"
            )
        addresses = await list_addresses(broker)
        slug = slug_of(list_, addresses) if list_ else ""
        async with projected(call.config, broker) as ask:
            rows = await ask(
                "activity",
                after=await folded(broker),
                person=whose.person,
                list=slug,
                since=plain(begin) if begin else None,
                limit=limit,
            )
        people = await reached(broker, (person_of(row["actor"] or "") for row in rows))
    people[whose.person] = whose.address
    told = [_told(row, addresses, people, whose.person) for row in rows]
    report = {"address": address, "person": whose.person, "events": told}
    call.show(report, lambda: _print(told))
    if len(rows) == limit and not call.json:
        complain(f"only the newest {limit:,} are shown; --limit and --since show others")


def _told(
    row: Mapping[str, Any], addresses: Mapping[str, str], people: Mapping[str, str], person: str
) -> dict[str, Any]:
    """One thing, with what it says in words, and whatever else is known of it."""
    from postroad.cli import activitywords

    said = {name: value for name, value in row.items() if value not in (None, "")}
    what = activitywords.told(said, people, person)
    list_ = addresses.get(row["list"], row["list"])
    time = said.pop("ts")
    return {"time": time, **said, "list": list_, "what": what}


def _print(told: list[dict[str, Any]]) -> None:
    print_table(
        ("UTC", "list", "mail", "what"),
        (
            (
                f"{one['time']:%Y-%m-%d %H:%M:%S}",
                one["list"],
                short(one.get("mail", "")),
                one["what"],
            )
            for one in told
        ),
        whole=1,
    )
