"""Who an author is on a list: what the router asks about every mail."""

from __future__ import annotations

from postroad.mail import senders
from projections.roster import STRANGER, Standing
from schemas.commands import Author, WhoIs
from schemas.road import Wish
from services.membership import entries
from services.membership.people import People
from services.membership.roster import Roster


async def author(roster: Roster, people: People, ask: WhoIs) -> Author:
    """Who they are, as far as is folded."""
    as_of = roster.feed.as_of
    key = people.key_of_normal(ask.address)
    person = await roster.person(key)
    standing = await roster.standing(ask.list, person)
    return Author(
        person=person,
        roles=tuple(sorted(standing.roles - STRANGER)),
        moderation=standing.moderation,
        named=await _named(roster, ask.list, key, person),
        without=await _without(roster, people, ask, person, standing),
        as_of=as_of,
    )


async def _without(
    roster: Roster, people: People, ask: WhoIs, person: str, standing: Standing
) -> dict[str, Wish]:
    """Who wants no copy of a post that this author sends to these recipients."""
    keys = [people.key_of_normal(address) for address in ask.recipients]
    named = await roster.without_list_copy(ask.list, keys)
    without: dict[str, Wish] = dict.fromkeys(named, "receive_list_copy")
    if not standing.receive_own_postings:
        without[person] = "receive_own_postings"
    return without


async def _named(roster: Roster, slug: str, key: str, person: str) -> tuple[str, ...]:
    """Which entries of this list's settings mean somebody, by address or by another list."""
    listed = roster.feed.lists.get(slug)
    named = []
    for entry in entries.of_senders(listed.state.settings) if listed else ():
        meant = entry == senders.of_key(key)
        if entry.startswith("@") and (other := roster.feed.lists.at(entry[1:])):
            meant = "member" in (await roster.standing(other, person)).roles
        if meant:
            named.append(entry)
    return tuple(named)
