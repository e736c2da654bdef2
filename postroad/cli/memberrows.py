"""Members: everybody, as tables and as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import msgspec

from postroad.cli.ask import ask
from postroad.cli.output import print_table, whole
from postroad.runtime.broker import Broker
from schemas.commands import RosterPage, RosterRow
from schemas.membership import Role

PAGE = 1_000
BLOCK = 20_000  # rows in memory at once, and in order


class LeftOut(msgspec.Struct, frozen=True):
    """A member to whom a post did not go, and why."""

    address: str
    why: str


def print_members(rows: Iterable[RosterRow]) -> None:
    """Print a table of members."""
    rows = list(rows)
    column = "moderation" if rows and rows[0].role == "nonmember" else "delivery"
    print_table(
        ("address", "name", column, "since"),
        ((row.address, row.display_name, _delivery(row), row.since) for row in rows),
    )


async def roster(broker: Broker, list_: str, role: Role) -> AsyncIterator[RosterRow]:
    """Everybody who has this role, in order of address."""
    after = ""
    while True:
        page = RosterPage(list=list_, role=role, after=after, limit=PAGE)
        rows = (await ask(broker, "roster", page)).rows
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        after = rows[-1].address


async def print_many(rows: AsyncIterator[RosterRow | LeftOut], *, json: bool) -> None:
    """Print rows as they come, each `BLOCK` in order of address; as JSON one array, a line each."""
    lead, block = "[", []
    async for row in rows:
        block.append(row)
        if len(block) == BLOCK:
            lead = _print(block, lead, json=json)
            block = []
    if block or lead == "[":
        lead = _print(block, lead, json=json)
    if json:
        print("]" if lead != "[" else "[]")


def _print(block: list[RosterRow | LeftOut], lead: str, *, json: bool) -> str:
    """Print a block; what stands before the next row of an array."""
    block.sort(key=lambda row: row.address)
    if json:
        for row in whole(block):
            print(lead, msgspec.json.encode(row).decode(), sep="", end="")
            lead = ",\n "
        return lead
    members = [row for row in block if isinstance(row, RosterRow)]
    if members == block:
        print_members(members)
    else:
        others = [row for row in block if isinstance(row, LeftOut)]
        print_table(("address", "why no copy"), ((row.address, row.why) for row in others))
    return lead


def _delivery(row: RosterRow) -> str:
    """How mail reaches them, in one word: the mode, or why there is none; of a nonmember what
    becomes of theirs."""
    if row.role == "nonmember":
        return row.moderation_action or "as of any stranger"
    return row.delivery_mode if row.delivery_status == "enabled" else row.delivery_status
