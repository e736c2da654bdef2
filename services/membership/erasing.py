"""Forgetting a person: what we keep of them is found by their addresses, and overwritten.

The person leaves every list first, so that what is on its way stops; then PEOPLE forgets whose the
addresses are, and questions that were asked of them go. What lies in SEND and DEADLETTER is shared
with others, or still at work: each kind has its age in [retention], and whatever has passed it
goes (docs/privacy.md has the table). All of it may be repeated, and finishes what was cut short.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from pathlib import Path

import msgspec

from postroad.mail import addresses
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id, now
from postroad.runtime.erasurenotes import note
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.settings_retention import Retention
from postroad.runtime.stored import Stored
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.commands import EraseMember
from schemas.envelope import Event
from schemas.erasure import Erased
from schemas.pending import ConfirmationAsked
from schemas.people import AddressDropped, PersonErased, PersonKnown
from schemas.road import ChunkQueued, Parked, WindowRecorded
from services.membership import actors, decider, expiry
from services.membership.naming import names
from services.membership.people import People, valid
from services.membership.roster import Roster

LEDGER = timedelta(
    seconds=next(each.max_age for each in subjects.STREAMS if each.name == "DELIVERY")
)
LONGEST = 100 * 365 * 86_400.0  # seconds: an age that is longer is for ever
SWEEP_SECONDS = 4.0  # of one request
TRIES = 20
CLEAN_SECONDS = 10.0  # for the roster's file to be written anew, which goes on if it takes longer
HOW = "command line"


class Erasure:
    """Erases, or counts what would be."""

    def __init__(
        self, broker: Broker, roster: Roster, people: People, retention: Retention, *, notes: Path
    ) -> None:
        self._broker = broker
        self._roster = roster
        self._people = people
        self._notes = notes
        self._posts = timedelta(seconds=min(LONGEST, retention.send_seconds))
        self._dead = timedelta(seconds=min(LONGEST, retention.deadletter_seconds))

    async def person(self, ask: EraseMember) -> Erased:
        """Roles, addresses and questions. Raises Refused where it is no address, ApiError where the
        broker does not overwrite."""
        await self._roster.feed.catch_up()
        person, known = await self._whose(ask.address)
        theirs = await self._theirs(ask.address, person)
        found = Erased(
            known=known,
            addresses=tuple(sorted(theirs)),
            moved=await self._moved(ask.address),
            asked=tuple(sorted({address for address, _ in await self._asked(theirs, person)})),
            lists=await self._leave(person, ask),
            named=await self._naming(theirs),
            questions=await self._questions(theirs, person, dry=ask.dry),
        )
        if ask.dry:
            return found
        await self._noted(person, ask)
        await self._forget(person, ask)
        await self._leave(person, ask)  # what a mail that was being read did meanwhile
        return msgspec.structs.replace(found, rewriting=not await self._cleaned())

    async def sweep(self, ask: EraseMember, *, at: datetime | None = None) -> Erased:
        """What one stream holds behind `ask.after`. Raises Refused where it is no address."""
        person, _ = await self._whose(ask.address)
        theirs = await self._theirs(ask.address, person)
        asked = await self._asked(theirs, person)
        found = _Sweep(person, theirs, asked, at or now(), dry=ask.dry)
        send = ask.stream == "SEND"
        subject, judge = ("mail.>", self._queued) if send else ("deadletter.>", self._parked)
        third = {address for address, _ in asked}
        late = asyncio.get_running_loop().time() + SWEEP_SECONDS
        async for stored in self._broker.scan(ask.stream, subject, ask.after + 1):
            text = stored.data.decode(errors="replace") if send else ""
            if not send or found.meets(text) or names(text, third):
                for event in stored.events():
                    await judge(found, stored, event)
            if asyncio.get_running_loop().time() > late:
                return found.answer(after=stored.seq)
        return found.answer()

    # --- the person -----------------------------------------------------------------------------

    async def _whose(self, address: str) -> tuple[str, bool]:
        """Whose address it is, or was until they were erased, empty for nobody's, and whether it
        still is. One that somebody gave up is nobody's."""
        match await self._said(address):
            case PersonKnown(person=person):
                return person, True
            case PersonErased(person=person):
                return person, False
        return "", False

    async def _moved(self, address: str) -> str:
        """Where whoever gave this address up is reached now; empty for nowhere."""
        said = await self._said(address)
        return await self._roster.address(said.person) if isinstance(said, AddressDropped) else ""

    async def _said(self, address: str) -> Event | None:
        last = await self._broker.last("PEOPLE", subjects.people(self._people.key(address)))
        events = last.events() if last else ()
        return events[-1] if events else None

    async def _theirs(self, address: str, person: str) -> frozenset[str]:
        """This address and the others of the person, in normal form."""
        others = (await self._roster.keys(person)).values() if person else ()
        return frozenset(map(addresses.normalise, filter(None, (valid(address), *others))))

    async def _noted(self, person: str, ask: EraseMember) -> None:
        """Note it for a restore, by keys, before anything is gone."""
        keys = await self._roster.keys(person) if person else {}
        known = tuple(sorted({self._people.key(ask.address), *keys}))
        try:
            await asyncio.to_thread(note, self._notes, known)
        except OSError as error:
            raise Retry(
                f"nobody is erased while it cannot be noted in {self._notes}: {error.strerror}"
            ) from error

    async def _forget(self, person: str, ask: EraseMember) -> None:
        """Have PEOPLE forget every address that is or was theirs, also one that comes meanwhile."""
        correlation, actor = new_id(), actors.operator(ask.by)
        for _ in range(TRIES):
            known = await self._roster.keys(person) if person else {}
            for key in sorted({self._people.key(ask.address), *known}):
                with contextlib.suppress(Conflict):  # looked at again
                    await self._people.erase(key, of=person, correlation=correlation, actor=actor)
            await self._roster.feed.catch_up()
            if not person or not any((await self._roster.keys(person)).values()):
                return
        raise Retry("they get new addresses all the time")

    async def _leave(self, person: str, ask: EraseMember) -> tuple[str, ...]:
        """Take every role away; the addresses of the lists, open and closed, where there was
        one."""
        left = []
        correlation, actor = new_id(), actors.operator(ask.by)
        for slug in await self._roster.ever(person) if person else ():
            if ask.dry:
                had = bool((await self._roster.standing(slug, person)).roles)
            else:
                events, _ = await transact(
                    self._broker,
                    "MEMBERSHIP",
                    subjects.membership(slug, person),
                    lambda events: reduce(decider.evolve, events, decider.initial),
                    partial(decider.decide_erase, how=HOW),
                    correlation=correlation,
                    actor=actor,
                )
                had = bool(events)
            if had:
                left.append(self._roster.feed.lists.known[slug].address)
        return tuple(sorted(left))

    async def _naming(self, theirs: Collection[str]) -> tuple[str, ...]:
        """The lists whose settings or texts name one of these addresses, or did: what stands there
        now is for an owner to change."""
        found = set()
        async for stored in self._broker.scan("LISTS", subjects.lists("*")):
            if names(stored.data.decode(errors="replace"), theirs):
                found.add(stored.subject.removeprefix("lists."))
        known = self._roster.feed.lists.known
        return tuple(sorted(known[slug].address for slug in found & known.keys()))

    async def _questions(self, theirs: Collection[str], person: str, *, dry: bool) -> int:
        """Erase what was asked of these addresses or of this person and what they requested,
        answered or not; how many there were."""
        found = set()
        async for stored, asked in expiry.questions(self._broker):
            told = [value for event in asked for value in msgspec.structs.astuple(event)]
            words = {value for value in told if isinstance(value, str) and value}
            if person in words or any("@" in word and _normal(word) in theirs for word in words):
                found.add(stored.subject)
                if not dry:
                    await self._broker.erase("PENDING", stored.seq)
        return len(found)

    async def _asked(self, theirs: Collection[str], person: str) -> set[tuple[str, str]]:
        """The addresses that this person asked for, and that are not theirs, each with the id of
        the mail or command that had it written to."""
        return {
            (address, event.cause.partition(".")[0])
            async for _, asked in expiry.questions(self._broker)
            for event in asked
            if isinstance(event, ConfirmationAsked) and person and event.person == person
            if (address := _normal(event.address)) not in theirs
        }

    async def _cleaned(self) -> bool:
        """Wait until the roster has forgotten them, in memory and on disk; whether it has. It does
        in any case."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLEAN_SECONDS):
                await self._roster.feed.clean()
                return True
        return False

    # --- what is shared with others, or still at work ---------------------------------------------

    async def _queued(self, found: _Sweep, stored: Stored, event: Event) -> None:
        """A chunk: a letter goes once it is sent, a chunk of a post at its age."""
        if not isinstance(event, ChunkQueued):
            return
        told = any(_normal(address) in found.theirs for address in event.addresses)
        if event.copy.notice and found.asked:
            cause = stored.envelope().correlation
            told |= any((_normal(address), cause) in found.asked for address in event.addresses)
        if not told and not (found.person and found.person in event.people):
            return
        if not await self._finished(event, stored, found.at):
            found.keep(found.at + self._posts)
        elif event.copy.notice:
            found.letters += 1
            if not found.dry:
                async for raw in self._broker.scan("RAW", f"raw.{event.copy.raw.mail_id}.>"):
                    await self._broker.erase("RAW", raw.seq)
                await self._broker.erase("SEND", stored.seq)
        elif found.passed(stored.time + self._posts):
            found.chunks += 1
            if not found.dry:
                await self._broker.erase("SEND", stored.seq)

    async def _finished(self, chunk: ChunkQueued, stored: Stored, at: datetime) -> bool:
        if stored.subject.startswith("mail.retry."):
            return False  # is stored again when it is due
        subject = subjects.delivery(chunk.list, chunk.mail_id, chunk.chunk)
        last = await self._broker.last("DELIVERY", subject)
        if last is None:
            return stored.time + LEDGER < at  # nothing is at work for so long
        return any(isinstance(one, WindowRecorded) and one.finished for one in last.events())

    async def _parked(self, found: _Sweep, stored: Stored, event: Event) -> None:
        """A parked message, whatever it was, and what became of it."""
        if not isinstance(event, Parked):
            return
        text = f"{event.data.decode(errors='replace')} {event.trace} {event.reason}"
        if found.meets(text) and found.passed(stored.time + self._dead):
            found.dead += 1
            if not found.dry:
                async for each in self._broker.scan("DEADLETTER", stored.subject):
                    await self._broker.erase("DEADLETTER", each.seq)


@dataclass
class _Sweep:
    """What a sweep looks for, and what it has found. The `person` is empty for nobody; `asked` is
    what they asked for, with its causes."""

    person: str
    theirs: Collection[str]
    asked: Collection[tuple[str, str]]
    at: datetime
    dry: bool
    letters: int = 0
    chunks: int = 0
    dead: int = 0
    kept: int = 0
    until: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    def meets(self, text: str) -> bool:
        """Whether a text holds one of their addresses, or says that it is about them."""
        return (self.person != "" and self.person in text) or names(text, self.theirs)

    def passed(self, limit: datetime) -> bool:
        """Whether it is past this time; else what is looked at is kept till then."""
        if limit > self.at:
            self.keep(limit)
        return limit <= self.at

    def keep(self, until: datetime) -> None:
        """Leave one thing where it is until then."""
        self.kept += 1
        self.until = max(self.until, until)

    def answer(self, *, after: int = 0) -> Erased:
        """The same as an answer."""
        return Erased(
            letters=self.letters,
            chunks=self.chunks,
            dead=self.dead,
            kept=self.kept,
            until=self.until.isoformat(timespec="seconds") if self.kept else "",
            after=after,
        )


def _normal(address: str) -> str:
    try:
        return addresses.normalise(address)
    except ValueError:
        return address.casefold()
