"""Many people at once: two atomic batches instead of a thousand decisions one by one.

PEOPLE first, then MEMBERSHIP, each row with the last sequence its subject had when it was read;
where somebody else was faster the whole is looked at again. Killed in between, the same rows
again find the people known and add the members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from postroad.mail import addresses
from postroad.runtime.broker import Broker, Message
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.stored import Stored
from projections.roster import NOBODY, Key, Standing
from schemas import codec, subjects
from schemas.envelope import Envelope
from schemas.mass import ImportMembers, ImportRow
from schemas.membership import MemberSubscribed, MemberUnsubscribed, Role
from schemas.road import AsOf
from services.membership import actors, decider
from services.membership.bans import banned, own_address, refusal
from services.membership.departures import (
    is_undone,
    last_departure,
    only_once,
    stays_away,
)
from services.membership.directory import Directory, Listed
from services.membership.lists import State
from services.membership.people import People, known, new_person, valid
from services.membership.refused import Refused
from services.membership.restoring import Period
from services.membership.roster import Roster
from services.membership.rows import decide_rows

ROWS = 1_000  # what one atomic batch holds
TRIES = 20


class _Found(msgspec.Struct, frozen=True, gc=False):
    """Rows of one known person: `seq` in PEOPLE, and whether this import made them known."""

    rows: tuple[ImportRow, ...]
    seq: int
    fresh: bool


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import came to: how many people it was news for."""

    changed: int
    bad_rows: tuple[tuple[int, str], ...]
    away_rows: tuple[tuple[int, str], ...]  # of who left, and is not put back
    seen: int  # the sequence up to which nobody else changed who is a member, where that was asked
    as_of: AsOf


async def store(
    broker: Broker, roster: Roster, people: People, listed: Listed, ask: ImportMembers
) -> Imported:
    """Do with every valid row what `ask.action` says.

    Raises Refused for more than 1,000 rows, or where others changed the members since `ask.seen`.
    """
    if len(ask.rows) > ROWS:
        raise Refused("bad_request", f"{len(ask.rows)} rows at once; at most {ROWS} are taken")
    wanted, bad = _sift(people, roster.feed.lists, listed.state, ask)
    seen = await _seen(broker, listed.state.slug, ask) if ask.seen else 0
    run = _Run(broker, roster, listed, ask)
    for _ in range(TRIES):
        try:
            persons = await run.persons(wanted)
            changed, seq = await run.members(persons)
        except Conflict:
            continue
        as_of = AsOf(membership=seq, people=max((one.seq for one in persons.values()), default=0))
        away = tuple(run.away)
        return Imported(changed=changed, bad_rows=bad, away_rows=away, seen=seen, as_of=as_of)
    raise Retry("too many imports of the same people at once")


def _sift(
    people: People, lists: Directory, state: State, ask: ImportMembers
) -> tuple[dict[str, tuple[ImportRow, ...]], tuple[tuple[int, str], ...]]:
    """Valid rows by the key of their address, addresses ready to keep; and what is wrong with
    the others. Of an address that stands twice in one role the first row counts."""
    wanted: dict[str, tuple[ImportRow, ...]] = {}
    bad: list[tuple[int, str]] = []
    for row in ask.rows:
        try:
            address = valid(row.address)
        except Refused as refused:
            bad.append((row.line, str(refused)))
            continue
        if ask.action == "add" and lists.reserved(state.slug, address):
            bad.append((row.line, str(own_address(address))))
            continue
        if ask.action == "add" and row.role == "member" and banned(state.settings, people, address):
            bad.append((row.line, refusal(address)))
            continue
        key = people.key_of_normal(addresses.normalise(address))
        rows = wanted.get(key, ())
        if all(row.role != other.role for other in rows):
            wanted[key] = (*rows, msgspec.structs.replace(row, address=address))
    return wanted, tuple(bad)


async def _seen(broker: Broker, slug: str, ask: ImportMembers) -> int:
    """The newest sequence, if nothing but this command changed who is a member since `ask.seen`.
    Raises Refused."""
    seen = ask.seen
    async for stored in broker.scan("MEMBERSHIP", subjects.membership(slug, "*"), seen + 1):
        seen = stored.seq
        found = stored.envelope()
        if found.correlation == ask.command:
            continue
        for event in found.events:
            if isinstance(event, MemberSubscribed | MemberUnsubscribed) and event.role == "member":
                raise Refused(
                    "changed",
                    "somebody came or left since this was looked at; look once more",
                )
    return seen


class _Run:
    """One request, which may need several tries."""

    def __init__(self, broker: Broker, roster: Roster, listed: Listed, ask: ImportMembers) -> None:
        self._broker = broker
        self._roster = roster
        self._slug = listed.state.slug
        self._ask = ask
        self._command = ask.command or new_id()
        self._actor = actors.operator(ask.by)
        self._adds = ask.action == "add" and not ask.back
        self.away: list[tuple[int, str]] = []

    async def persons(self, wanted: Mapping[str, tuple[ImportRow, ...]]) -> dict[str, _Found]:
        """Rows by person id. Whoever was not known and is to be added is known from now on; a dry
        run does not keep them."""
        stored = await self._broker.last_many("PEOPLE", map(subjects.people, wanted))
        found: dict[str, _Found] = {}
        fresh: dict[str, tuple[ImportRow, ...]] = {}
        messages: list[Message] = []
        for key, rows in wanted.items():
            subject = subjects.people(key)
            last = stored.get(subject)
            if (person := known(last)) is not None:
                before = found[person.id].rows if person.id in found else ()
                found[person.id] = _Found(before + rows, person.seq, fresh=False)
            elif self._ask.action == "add":
                event = new_person(rows[0].address, rows[0].display_name, self._ask.how)
                data = codec.encode(envelope([event], correlation=self._command, actor=self._actor))
                messages.append(Message(subject, data, expect=last.seq if last else 0))
                fresh[event.person] = rows
        seq = 0
        if messages and not self._ask.dry:
            seq = await self._broker.publish_batch(messages)
        return found | {person: _Found(rows, seq, fresh=True) for person, rows in fresh.items()}

    async def members(self, persons: Mapping[str, _Found]) -> tuple[int, int]:
        """Decide on these persons; how many it was news for, and the sequence in MEMBERSHIP.

        The state of somebody met before comes from the roster, once it has folded what their
        subject holds; the expected sequence proves that nothing came after.
        """
        subject_of = {person: subjects.membership(self._slug, person) for person in persons}
        met = [subject_of[person] for person, found in persons.items() if not found.fresh]
        last = await self._broker.last_many("MEMBERSHIP", met) if met else {}
        newest = max((stored.seq for stored in last.values()), default=0)
        await self._roster.feed.reached(AsOf(membership=newest))
        keys = {(self._slug, person) for person, subject in subject_of.items() if subject in last}
        standings = await self._roster.standings(keys) if keys else {}
        logs = await self._logs(persons, standings, last) if self._adds else {}
        messages: list[Message] = []
        self.away.clear()
        done = 0  # by an earlier request whose answer was lost
        for person, found in persons.items():
            state = state_of(standings.get((self._slug, person), NOBODY))
            subject, stored = subject_of[person], last.get(subject_of[person])
            rows: Sequence[ImportRow] = found.rows
            if person in logs:
                rows = [row for row in rows if not self._stays(row, state, person, logs[person])]
            events = decide_rows(
                state, rows, self._ask.action, how=self._ask.how, back=self._ask.back
            )
            if events:
                data = codec.encode(envelope(events, correlation=self._command, actor=self._actor))
                messages.append(Message(subject, data, expect=stored.seq if stored else 0))
            elif self._ask.again and stored:
                done += self._is_ours(stored)
        if not messages or self._ask.dry:
            return len(messages) + done, newest
        return len(messages) + done, await self._broker.publish_batch(messages)

    async def _logs(
        self,
        persons: Mapping[str, _Found],
        standings: Mapping[Key, Standing],
        last: Mapping[str, Stored],
    ) -> dict[str, Sequence[Envelope]]:
        """What tells how those left who are to be added again: their last message, or all of them
        where that is of something else. Of whom an undo took off, and who left at no other time,
        nothing is told."""
        logs: dict[str, Sequence[Envelope]] = {}
        wanted: dict[str, list[Role]] = {}
        for person, found in persons.items():
            stored = last.get(subjects.membership(self._slug, person))
            held = standings.get((self._slug, person), NOBODY).roles
            roles = [row.role for row in found.rows if row.role not in held]
            if stored is not None and roles:
                wanted[person], logs[person] = roles, [stored.envelope()]
        undone = [person for person, log in logs.items() if is_undone(log[0])]
        lived = await self._roster.periods(self._slug, undone) if undone else {}
        for person, roles in wanted.items():
            if person in lived and all(only_once(lived[person], role) for role in roles):
                del logs[person]
            elif not all(last_departure(logs[person], role) for role in roles):
                logs[person] = await self._log(person, lived.get(person, ()))
        return logs

    async def _log(self, person: str, lived: Sequence[Period]) -> Sequence[Envelope]:
        """From the first change on, where that is known: the broker need not look for it."""
        start = min((end for _, end in lived if end is not None), default=1)
        subject = subjects.membership(self._slug, person)
        return [one.envelope() async for one in self._broker.scan("MEMBERSHIP", subject, start)]

    def _stays(
        self, row: ImportRow, state: decider.State, person: str, log: Sequence[Envelope]
    ) -> bool:
        """Whether somebody left, and is to stay away."""
        left = last_departure(log, row.role) if row.role not in state.roles else None
        why = left and stays_away(left, person, how=self._ask.how, since=row.since)
        if why:
            self.away.append((row.line, why))
        return bool(why)

    def _is_ours(self, stored: Stored) -> bool:
        return stored.envelope().correlation == self._command


def state_of(standing: Standing) -> decider.State:
    """How the decider sees what the roster holds."""
    return decider.State(
        roles=standing.roles,
        delivery_mode=standing.delivery_mode,
        delivery_status=standing.delivery_status,
        moderation=standing.moderation,
        receive_own_postings=standing.receive_own_postings,
        receive_list_copy=standing.receive_list_copy,
        preferred_language=standing.preferred_language,
    )
