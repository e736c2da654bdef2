"""Who has bounces on a list, and which: read from MEMBERSHIP, where they stand for ever."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from schemas import subjects
from schemas.bounces import BounceRow
from schemas.codec import UnknownEvent
from schemas.commands import MemberBounces
from schemas.envelope import Event
from schemas.membership import MemberBounced
from services.membership.bounces import decider
from services.membership.bounces.recent import bounces_since
from services.membership.bounces.told import meaning
from services.membership.directory import Listed
from services.membership.letters.failed import subject_of
from services.membership.people import People
from services.membership.refused import Refused
from services.membership.roster import Roster

MOST = 200  # rows of an answer: it stays below the broker's 1 MB


class Scores:
    """Answers questions about bounces."""

    def __init__(self, broker: Broker, roster: Roster, people: People) -> None:
        self._broker = broker
        self._roster = roster
        self._people = people

    async def ls(self, ask: MemberBounces) -> tuple[BounceRow, ...]:
        """Who has a score that counts, or is stopped, with their last bounce, the highest score
        first; with an address all of theirs, the newest first. Raises Refused for a stranger."""
        listed = self._roster.feed.lists.find(ask.list)
        if ask.address:
            return await self._of(listed, ask.address)
        return await self._all(listed)

    async def _of(self, listed: Listed, address: str) -> tuple[BounceRow, ...]:
        person = await self._people.find(address)
        events = await self._life(listed, person.id) if person else []
        state = decider.fold(events)
        if person is None or not events:
            raise Refused(
                "unknown_member", f"{address} was never on the list {listed.state.address}"
            )
        bounces = [event for event in events if isinstance(event, MemberBounced)][-MOST:]
        return tuple([await self._row(listed, address, state, one) for one in reversed(bounces)])

    async def _all(self, listed: Listed) -> tuple[BounceRow, ...]:
        slug, settings = listed.state.slug, listed.state.settings
        people = {person for list_, person in await self._roster.bounced() if list_ == slug}
        people |= await self._recent(slug, settings.bounce_info_stale_after)
        states = {person: decider.fold(await self._life(listed, person)) for person in people}
        at = now()
        shown = [
            (person, state)
            for person, state in states.items()
            if state.member
            and state.last
            and (
                decider.score_at(state, at, settings)
                or decider.probing(state, at)
                or decider.stopped(state)
                or decider.complained(state)
            )
        ]
        shown.sort(key=lambda one: (-one[1].score, one[0]))
        addresses = await self._roster.addresses([person for person, _ in shown[:MOST]])
        return tuple(
            [
                await self._row(listed, addresses[person], state, state.last)
                for person, state in shown[:MOST]
                if person in addresses and state.last
            ]
        )

    async def _recent(self, slug: str, days: int) -> set[str]:
        """Who has bounced within so many days; 0 for ever."""
        since = now() - timedelta(days=days) if days else None
        everybody = subjects.membership(slug, "*")
        found = bounces_since(self._broker, everybody, since)
        return {person async for _, person, _ in found}

    async def _life(self, listed: Listed, person: str) -> list[Event]:
        subject = subjects.membership(listed.state.slug, person)
        events: list[Event] = []
        async for stored in self._broker.scan("MEMBERSHIP", subject):
            with contextlib.suppress(UnknownEvent):  # of a newer release
                events += stored.envelope().events
        return events

    async def _row(
        self, listed: Listed, address: str, state: decider.State, told: MemberBounced
    ) -> BounceRow:
        return BounceRow(
            address=address,
            delivery_status=state.status,
            member=state.member,
            score=decider.score_at(state, now(), listed.state.settings),
            warnings=state.warnings,
            probed=_written(state.probed) if decider.probing(state, now()) else "",
            time=_written(told.at),
            kind=told.kind,
            points=told.points,
            status=told.status,
            why=meaning(told),
            said=told.said,
            server=told.server,
            post=told.post,
            subject=await subject_of(self._broker, listed.state.slug, told.post),
            report=told.report,
            incident=told.incident,
        )


def _written(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else ""
