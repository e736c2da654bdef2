"""What the messages of a log become in this release: which it knows, and the rows of all analytics,
summed. Pure, and nothing of it is kept but sums."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from projections import projection as folds
from projections.folding import Folder, Lying
from projections.projection import Projection
from schemas import codec

MODULUS = 1 << 64
SHOWN = 5  # sequences that are named of those that are not known
NO_EVENTS = frozenset({"RAW", "SPANS", "KV_CHECKPOINTS", "SEEN", "THREADS"})


Stored = Callable[[folds.Rows], Mapping[str, Sequence[tuple[Any, ...]]]]


class Rows(msgspec.Struct, kw_only=True):
    """The rows of a table; `version` is of the projection that it is of."""

    projection: str
    version: int
    rows: int = 0
    sum: str = ""


class Log(msgspec.Struct, kw_only=True):
    """One stream. `unknown` are messages that this release does not know, `failed` those that a
    projection has a fault with; the first of either by sequence. `dropped` it does not know
    either, but they were parked, and dropped for good."""

    stream: str
    messages: int = 0
    events: dict[str, int] = {}
    unknown: int = 0
    failed: int = 0
    first: list[str] = []
    dropped: int = 0
    first_dropped: list[str] = []


class Outcome(msgspec.Struct, kw_only=True):
    """What a whole log became."""

    streams: list[Log]
    tables: dict[str, Rows]


class Folding:
    """Takes the messages of one stream after the other, in order and in any pieces. `stored` says
    what the tables have of the rows that a fold gives; `dropped` are the messages, by stream and
    sequence, that were dropped for good."""

    def __init__(
        self,
        projections: Sequence[Projection],
        stored: Stored,
        dropped: Collection[tuple[str, int]] = (),
    ) -> None:
        self._stored = stored
        self._dropped = dropped
        self._all = [each for each in projections if each.fold is not None]
        self._sums: dict[str, int] = {}
        self._rows: dict[str, int] = {}
        self._logs: dict[str, Log] = {}
        self._folders: dict[str, Folder] = {}

    def take(self, stream: str, messages: Sequence[Lying]) -> None:
        """Some more of a stream."""
        log = self._logs.setdefault(stream, Log(stream=stream))
        log.messages += len(messages)
        if stream not in NO_EVENTS:
            for each in messages:
                self._read(log, each)
        mine = [each for each in self._all if each.stream == stream]
        if not mine:
            return
        folder = self._folders.setdefault(stream, Folder(mine, {}))
        outcome = folder.fold([folder.decode(messages)])
        folder.moved(outcome)
        for failed in outcome.failed:
            log.failed += 1
            _name(log.first, f"{failed.seq} ({failed.projection}: {failed.error})")
        for folded in outcome.folded.values():
            for some in folded:
                self._sum(self._stored(some.rows))

    def outcome(self) -> Outcome:
        """All of it."""
        tables = {
            table.name: Rows(
                projection=each.name,
                version=each.version,
                rows=self._rows.get(table.name, 0),
                sum=f"{self._sums.get(table.name, 0):016x}",
            )
            for each in self._all
            for table in each.tables
        }
        return Outcome(streams=list(self._logs.values()), tables=tables)

    def _read(self, log: Log, message: Lying) -> None:
        if not message.data or message.subject.startswith("$"):  # the broker's own
            return
        try:
            events = codec.decode(message.data).events
        except codec.UnknownEvent:
            if (log.stream, message.seq) in self._dropped:
                log.dropped += 1
                _name(log.first_dropped, str(message.seq))
            else:
                log.unknown += 1
                _name(log.first, str(message.seq))
            return
        for event in events:
            tag = str(event.__struct_config__.tag)
            log.events[tag] = log.events.get(tag, 0) + 1

    def _sum(self, rows: Mapping[str, Sequence[tuple[object, ...]]]) -> None:
        for table, some in rows.items():
            self._rows[table] = self._rows.get(table, 0) + len(some)
            total = self._sums.get(table, 0)
            for row in some:
                octets = hashlib.sha256(msgspec.json.encode(row)).digest()
                total += int.from_bytes(octets[:8], "big")
            self._sums[table] = total % MODULUS


def _name(some: list[str], what: str) -> None:
    if len(some) < SHOWN:
        some.append(what)


def differing(now: Outcome, then: Outcome) -> list[str]:
    """What became of a log that was recorded, and what is another thing now, in words. A projection
    of another version is folded anew by itself, so its tables may differ."""
    found = []
    before = {each.stream: each for each in then.streams}
    for log in now.streams:
        was = before.get(log.stream)
        if log.unknown or log.failed:
            found.append(f"{log.stream}: {log.unknown + log.failed} messages are not understood")
        elif was is not None and was.events != log.events:
            found.append(f"{log.stream}: other events are read than were written")
    for name, rows in then.tables.items():
        here = now.tables.get(name)
        if here is None:
            found.append(f"table {name} is gone")
        elif here.version == rows.version and (here.rows, here.sum) != (rows.rows, rows.sum):
            found.append(f"table {name} has other rows: {here.rows:,} of {rows.rows:,}")
    return found
