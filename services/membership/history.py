"""What happened, when, by whom and why: read from the logs, whoever asks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import UTC

from postroad.runtime.broker import Broker
from projections import history
from projections.history import Told
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.commands import Answer, HistoryRow, MemberHistory
from schemas.envelope import Envelope
from services.membership import actors
from services.membership.people import People, known
from services.membership.refused import Refused
from services.membership.roster import Roster

MOST = 2_000  # events in one answer, the newest: it stays below the broker's 1 MB


class History:
    """Histories of members."""

    def __init__(self, broker: Broker, roster: Roster, people: People) -> None:
        self.broker = broker
        self.roster = roster
        self.people = people

    async def member(self, ask: MemberHistory) -> Answer:
        """What happened to one person on one list; to one who was erased, too, as nobody's.

        Raises Refused for somebody who never was on it.
        """
        slug = self.roster.feed.lists.find(ask.list).state.slug
        subject = subjects.people(self.people.key(ask.address))
        last = await self.broker.last("PEOPLE", subject)
        person = last.envelope().events[-1].person if last else ""  # type: ignore[attr-defined]
        life = subjects.membership(slug, person or "nobody")
        said = [one async for one in self._said("MEMBERSHIP", life)]
        if not said:
            raise Refused("unknown_member", "this address was never on the list")
        erased = known(last) is None
        told = list(history.of_member(said))
        if erased:
            about = [one async for one in self._said("PEOPLE", subject)]
            told += [one for one in history.of_person(about) if one.event == "person_erased"]
        return Answer(history=await self._rows(told[-MOST:], person), erased=erased)

    async def _said(self, stream: str, subject: str) -> AsyncIterator[Envelope]:
        async for stored in self.broker.scan(stream, subject):
            with contextlib.suppress(UnknownEvent):  # of a newer release
                yield stored.envelope()

    async def _rows(self, told: Iterable[Told], subject: str = "") -> tuple[HistoryRow, ...]:
        told = list(told)
        acting = {actors.person_of(one.envelope.actor) for one in told} - {"", subject}
        addresses = await self.roster.addresses(sorted(acting)) if acting else {}
        return tuple(
            HistoryRow(
                time=one.envelope.ts.astimezone(UTC).isoformat(timespec="seconds"),
                event=one.event,
                what=one.what,
                role=one.role,
                changes=one.changes,
                how=one.how,
                reason=one.reason,
                by=actors.told(one.envelope.actor, addresses, subject),
                actor=one.envelope.actor,
                command=one.envelope.correlation,
            )
            for one in told
        )
