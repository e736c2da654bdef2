"""Who is who: whom an address belongs to, and where people are reached."""

from __future__ import annotations

from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.commands import Answer
from schemas.histories import Whose
from schemas.people import PersonErased, PersonKnown
from schemas.road import AsOf
from schemas.whose import WhereReached, WhoseAddress
from services.membership.people import People
from services.membership.refused import Refused
from services.membership.roster import Roster

MOST = 5_000  # people in one answer, which so stays below the broker's 1 MB


async def address(broker: Broker, roster: Roster, people: People, ask: WhoseAddress) -> Answer:
    """Whom an address belongs to, or did last. Raises Refused where it is none."""
    person, since, seq = "", "", 0
    theirs = erased = False
    async for stored in broker.scan("PEOPLE", subjects.people(people.key(ask.address))):
        seq = stored.seq
        for event in stored.events():
            was, person = (person, theirs), getattr(event, "person", person)
            theirs, erased = isinstance(event, PersonKnown), isinstance(event, PersonErased)
            if was != (person, theirs):
                since = stored.time.isoformat(timespec="seconds")
    if not person:
        return Answer()
    await roster.feed.reached(AsOf(people=seq))
    current = await roster.address(person)
    return Answer(
        whose=Whose(
            person=person,
            address=current,
            since=since if theirs else "",
            until="" if theirs else since,
            erased=erased or not (theirs or current),
        )
    )


async def reached(roster: Roster, ask: WhereReached) -> Answer:
    """Where people are reached, by what is folded. Raises Refused for too many."""
    if len(ask.people) > MOST:
        raise Refused("bad_request", f"{len(ask.people)} people are more than {MOST} at once")
    return Answer(where=await roster.addresses(ask.people) if ask.people else {})
