"""A mass change is taken back: whoever it changed is put back to how they stood before it.

The events of a command are found by its id, which is their correlation and tells when it began.
Those that compensate them name it as their causation. Whoever was changed since is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from postroad.runtime.broker import Broker, Message
from postroad.runtime.clock import envelope, instant, new_id, now
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.stored import Stored
from schemas import codec, subjects
from schemas.codec import UnknownEvent
from schemas.commands import Answer, UndoRow
from schemas.mass import UndoChange
from schemas.road import AsOf
from services.membership import actors
from services.membership.bans import banned
from services.membership.directory import Listed
from services.membership.importing import state_of
from services.membership.people import People
from services.membership.refused import Refused
from services.membership.restoring import changed_after, restore, standing_at
from services.membership.roster import Roster

PEOPLE = 1_000  # in one answer, and in one atomic batch
READ = 20_000  # messages read for it
MARGIN = timedelta(minutes=10)  # between the clock that made the id and the broker's
TRIES = 20

Touched = dict[str, tuple[int, int]]  # person to the first and the last sequence of the command


async def undo(
    broker: Broker, roster: Roster, people: People, listed: Listed, ask: UndoChange
) -> Answer:
    """Put back some of those whom the command changed. Raises Refused for an id or a time that is
    none."""
    slug = listed.state.slug
    touched, after = await _touched(broker, slug, ask)
    for _ in range(TRIES):
        try:
            answer = await _put_back(broker, roster, people, listed, ask, touched)
        except Conflict:
            continue
        return msgspec.structs.replace(answer, after=after)
    raise Retry("too many changes of the same people at once")


async def _touched(broker: Broker, slug: str, ask: UndoChange) -> tuple[Touched, int]:
    """Whom the command changed, from `ask.after` on, and where to go on; 0 at the end."""
    begun = _begun(ask.undo)
    since = _time(ask.since) if ask.since else begun - MARGIN
    subject = subjects.membership(slug, "*")
    if ask.after:
        following = broker.scan("MEMBERSHIP", subject, ask.after + 1)
    else:
        start = (begun - MARGIN).isoformat()
        following = broker.scan("MEMBERSHIP", subject, start_time=start)
    touched: Touched = {}
    read = 0
    needle = ask.undo.encode()
    async for stored in following:
        read += 1
        if needle in stored.data and _is_of(stored, ask.undo, since):
            person = stored.subject.rpartition(".")[2]
            first, _ = touched.get(person, (stored.seq, 0))
            touched[person] = first, stored.seq
        if len(touched) == PEOPLE or read == READ:
            return touched, stored.seq
    return touched, 0


def _is_of(stored: Stored, command: str, since: datetime) -> bool:
    try:
        found = stored.envelope()
    except UnknownEvent:
        return False
    return found.correlation == command and found.ts >= since


async def _put_back(
    broker: Broker,
    roster: Roster,
    people: People,
    listed: Listed,
    ask: UndoChange,
    touched: Mapping[str, tuple[int, int]],
) -> Answer:
    slug = listed.state.slug
    subject_of = {person: subjects.membership(slug, person) for person in touched}
    last = await broker.last_many("MEMBERSHIP", subject_of.values()) if touched else {}
    newest = max((stored.seq for stored in last.values()), default=0)
    known = await broker.last("PEOPLE", "people.>")
    await roster.feed.reached(AsOf(membership=newest, people=known.seq if known else 0))
    periods = await roster.periods(slug, list(touched))
    addresses = await roster.addresses(list(touched))
    command, actor = ask.command or new_id(), actors.operator(ask.by)
    messages: list[Message] = []
    undone: list[UndoRow] = []
    left: list[UndoRow] = []
    done = 0  # by an earlier request whose answer was lost
    for person, (first, until) in touched.items():
        subject, lived = subject_of[person], periods.get(person, [])
        stored, address = last[subject], addresses.get(person, "")
        newer = stored.envelope()
        if stored.seq > until and newer.causation == ask.undo:
            done += ask.again and newer.correlation == command
            continue
        was = standing_at(lived, first - 1)
        now, before = state_of(standing_at(lived, newest)), state_of(was)
        since = was.since.replace(tzinfo=UTC) if was.since else None
        events = restore(now, before, how="undo", since=since)
        if not events:
            continue
        if not address:
            left.append(UndoRow(address="erased", what="erased since"))
        elif changed_after(lived, until):
            left.append(UndoRow(address=address, what="changed since"))
        elif "member" in before.roles - now.roles and banned(
            listed.state.settings, people, address
        ):
            left.append(UndoRow(address=address, what="banned"))
        else:
            what = "changed" if now.roles and before.roles else "removed" if now.roles else "added"
            undone.append(UndoRow(address=address, what=what))
            made = envelope(events, correlation=command, causation=ask.undo, actor=actor)
            messages.append(Message(subject, codec.encode(made), expect=stored.seq))
    if messages and not ask.dry:
        newest = await broker.publish_batch(messages)
        crashpoint("membership.after_undone")
    return Answer(
        changed=len(undone) + done,
        undone=tuple(undone),
        left=tuple(left),
        total=len(touched),
        as_of=AsOf(membership=newest),
    )


def _begun(command: str) -> datetime:
    """When a command began: its id is a UUIDv7 (RFC 9562)."""
    try:
        milliseconds = int(command, 16) >> 80 if len(command) == 32 else -1
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds >= 0 else _none()
    except (ValueError, OverflowError, OSError):
        return _none()


def _none() -> datetime:
    raise Refused(
        "bad_request", "this is no id of a command; each mass change tells its own as it begins"
    )


def _time(text: str) -> datetime:
    time = instant(text)
    if time is None:
        raise Refused("bad_request", f"{text!r} is no time with its offset")
    if time > now():
        raise Refused("bad_request", f"{text} is still to come")
    return time
