"""Many members at once: two atomic batches instead of a thousand decisions one by one.

PEOPLE first, then MEMBERSHIP, each row with the last sequence its subject had when it was read;
where somebody else was faster the whole is looked at again. Killed in between, the same rows
again find the people known and add the members.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from postroad.mail import addresses
from postroad.runtime.broker import Broker, Message
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.errors import Conflict, Retry
from projections.roster import NOBODY
from schemas import codec, subjects
from schemas.commands import ImportMembers, ImportRow
from schemas.lists import ListSettings
from schemas.road import AsOf
from services.membership import actors, decider
from services.membership.bans import banned, refusal
from services.membership.directory import Listed
from services.membership.people import People, known, new_person, valid
from services.membership.refused import Refused
from services.membership.roster import Roster

ROWS = 1_000  # what one atomic batch holds
TRIES = 20


class _Row(msgspec.Struct, frozen=True, gc=False):
    """A row whose person is known: `seq` in PEOPLE, and whether this import made them so."""

    row: ImportRow
    seq: int
    fresh: bool


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import came to."""

    changed: int
    bad_rows: tuple[tuple[int, str], ...]
    as_of: AsOf


async def store(
    broker: Broker, roster: Roster, people: People, listed: Listed, ask: ImportMembers
) -> Imported:
    """Add every valid row to the list; who is on it already stays as they are.

    Raises Refused for more than 1,000 rows.
    """
    if len(ask.rows) > ROWS:
        raise Refused("bad_request", f"{len(ask.rows)} rows at once; at most {ROWS} are taken")
    wanted, bad = _sift(people, listed.state.settings, ask)
    correlation = new_id()
    for _ in range(TRIES):
        try:
            persons = await _persons(broker, wanted, ask, correlation)
            changed, seq = await _members(broker, roster, listed, persons, ask, correlation)
        except Conflict:
            continue
        as_of = AsOf(membership=seq, people=max((one.seq for one in persons.values()), default=0))
        return Imported(changed=changed, bad_rows=bad, as_of=as_of)
    raise Retry("too many imports of the same people at once")


def _sift(
    people: People, settings: ListSettings, ask: ImportMembers
) -> tuple[dict[str, ImportRow], tuple[tuple[int, str], ...]]:
    """Valid rows by the key of their address, addresses ready to keep; and what is wrong with
    the others. Of an address that stands twice the first row counts."""
    wanted: dict[str, ImportRow] = {}
    bad: list[tuple[int, str]] = []
    for row in ask.rows:
        try:
            address = valid(row.address)
        except Refused as refused:
            bad.append((row.line, str(refused)))
            continue
        if banned(settings, people, address):
            bad.append((row.line, refusal(address)))
            continue
        key = people.key_of_normal(addresses.normalise(address))
        wanted.setdefault(key, msgspec.structs.replace(row, address=address))
    return wanted, tuple(bad)


async def _persons(
    broker: Broker, wanted: Mapping[str, ImportRow], ask: ImportMembers, correlation: str
) -> dict[str, _Row]:
    """Rows by person id; whoever was not known is from now on."""
    stored = await broker.last_many("PEOPLE", map(subjects.people, wanted))
    found: dict[str, _Row] = {}
    fresh: dict[str, ImportRow] = {}
    messages: list[Message] = []
    actor = actors.operator(ask.by)
    for key, row in wanted.items():
        subject = subjects.people(key)
        last = stored.get(subject)
        if (person := known(last)) is not None:
            found.setdefault(person.id, _Row(row, person.seq, fresh=False))
            continue
        event = new_person(row.address, row.display_name, ask.how)
        data = codec.encode(envelope([event], correlation=correlation, actor=actor))
        messages.append(Message(subject, data, expect=last.seq if last else 0))
        fresh[event.person] = row
    if messages:
        seq = await broker.publish_batch(messages)
        found |= {person: _Row(row, seq, fresh=True) for person, row in fresh.items()}
    return found


async def _members(
    broker: Broker,
    roster: Roster,
    listed: Listed,
    persons: Mapping[str, _Row],
    ask: ImportMembers,
    correlation: str,
) -> tuple[int, int]:
    """Subscribe these persons; how many it was news for, and the sequence in MEMBERSHIP.

    The state of somebody met before comes from the roster, once it has folded what their subject
    holds; the expected sequence proves that nothing came after.
    """
    slug = listed.state.slug
    subject_of = {person: subjects.membership(slug, person) for person in persons}
    met = [subject_of[person] for person, row in persons.items() if not row.fresh]
    last = await broker.last_many("MEMBERSHIP", met) if met else {}
    newest = max((stored.seq for stored in last.values()), default=0)
    await roster.feed.reached(AsOf(membership=newest))
    keys = {(slug, person) for person, subject in subject_of.items() if subject in last}
    standings = await roster.standings(keys) if keys else {}
    messages: list[Message] = []
    actor = actors.operator(ask.by)
    for person, found in persons.items():
        standing = standings.get((slug, person), NOBODY)
        events = decider.decide_subscribe(
            decider.State(roles=standing.roles), delivery_mode=found.row.delivery_mode, how=ask.how
        )
        if events:
            data = codec.encode(envelope(events, correlation=correlation, actor=actor))
            stored = last.get(subject_of[person])
            messages.append(Message(subject_of[person], data, expect=stored.seq if stored else 0))
    seq = await broker.publish_batch(messages) if messages else newest
    return len(messages), seq
