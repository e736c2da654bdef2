"""Compares the tables in use with the same folded anew, and both with the streams."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from postroad.runtime import streamends
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.stored import Stored
from projections import layout, sums
from projections.catalog import projections
from projections.folding import Folder
from projections.projection import Projection, Table
from schemas.questions import Progress, Span
from schemas.subjects import DAY
from services.projector import verdict
from services.projector.beside import Beside, beside
from services.projector.feed import origins
from services.projector.keeper import kept_since
from services.projector.reading import Reader
from services.projector.verdict import (
    HOUR_NS,
    Compared,
    Difference,
    Place,
    Regression,
    Seen,
    Sum,
    Verdict,
)

LOOKED_AT = 500  # messages of a difference whose rows are compared one by one
_TOGETHER = 100  # of them in one question
_SHOWN = 20  # examples of one kind
_ROWS = 3  # the column of an answer by day

Ask = Callable[[Span], Awaitable[list[Sequence[Any]]]]


class Verification:
    """One comparison. `ask` asks the file in use; `progress` is of the folding, then `compared` of
    `tables`."""

    def __init__(self, config: Config, broker: Broker, ask: Ask) -> None:
        self.config = config
        self.broker = broker
        self.ask = ask
        self.progress = Progress()
        self.compared = self.tables = 0
        self.verdict = Verdict()
        self._readers: dict[str, Reader] = {}
        self._seen: dict[str, Seen] = {}
        self._upto: dict[str, int] = {}
        self._kept: dict[str, list[tuple[int, int]]] = {}
        self._since: Mapping[str, int] = {}

    async def run(self) -> Verdict:
        """Fold and compare. Raises Retry, PostroadError, StoreBusy, duckdb.Error, OSError."""
        began = time.monotonic()
        personal = self.config.analytics.addresses
        for stream, how in (
            await streamends.gone_back(self.broker, self.config.site.state_dir)
        ).items():
            self._told(stream, 0, "sequence", how)
        folded, made = await self._standing()
        live = [p for p in projections() if p.tables]
        fit = [p for p in live if made.get(p.name) == layout.version(p, personal=personal)]
        since = kept_since(self.config, {p.stream for p in fit})
        self._since = {
            name: int((at.timestamp() + DAY) * 1e6) for name, at in since.items()
        }  # the projector may delete more meanwhile
        streams = layout.streams(fit)
        found = await origins(self.broker, sorted(streams))
        async with beside(self.config.site.state_dir, fit, found, personal=personal) as file:
            for stream, some in streams.items():
                looked = _Clock(stream, self.verdict.regressions).look
                reader = Reader(self.broker, file, self.progress, stream, Folder(some, {}), looked)
                self._readers[stream] = reader
                await reader.count()
            for stream, reader in self._readers.items():
                await self._fold(stream, reader, folded.get(stream, 0))
            crashpoint("verify.folded")
            self.tables = sum(len(p.tables) for p in live)
            for each in live:
                for table in each.tables:
                    await self._compare(file, each, table, fit=each in fit)
                    self.compared += 1
            await self._join(file)
        await self._holes()
        self.verdict.streams = list(self._seen.values())
        self.verdict.events, self.verdict.failed = self.progress.events, self.progress.failed
        self.verdict.seconds = round(time.monotonic() - began, 2)
        self.verdict.settle()
        return self.verdict

    async def _standing(self) -> tuple[dict[str, int], dict[str, str]]:
        """How far each stream is folded in the file in use, and what made each projection."""
        rows = await self.ask(Span())
        streams = {str(name): int(value) for kind, name, value in rows if kind == "stream"}
        return streams, {str(name): str(value) for kind, name, value in rows if kind != "stream"}

    async def _fold(self, stream: str, reader: Reader, checkpoint: int) -> None:
        before = await self._info(stream, checkpoint)
        upto = self._upto[stream] = min(checkpoint, before.last)
        if checkpoint > before.last:
            detail = f"folded up to {checkpoint:,}, and the stream ends at {before.last:,}"
            self._told(stream, before.last, "sequence", detail)
        await reader.read(upto)
        after = self._seen[stream] = await self._info(stream, checkpoint)
        after.folded = sum(last - first + 1 for first, last in reader.kept)
        after.cut, after.garbage = len(reader.cut), reader.garbage
        after.unknown = reader.unknown - reader.garbage
        self._kept[stream] = list(reader.kept)
        quiet = (before.first, before.last, before.deleted) == (
            after.first,
            after.last,
            after.deleted,
        )
        whole = reader.folder.subjects == ">" or stream in verdict.KEPT
        if quiet and whole and upto == after.last and after.folded != after.messages:
            detail = f"it says that it has {after.messages:,} messages, and gives {after.folded:,}"
            self._told(stream, upto, "count", detail)

    async def _info(self, stream: str, checkpoint: int) -> Seen:
        info = await self.broker.api(f"STREAM.INFO.{stream}")
        state = info["state"]
        last = await self.broker.last(stream, self._readers[stream].folder.subjects)
        return Seen(
            stream=stream,
            first=state["first_seq"],
            last=state["last_seq"],
            messages=state["messages"],
            deleted=state.get("num_deleted", 0),
            checkpoint=checkpoint,
            ages=bool(info["config"].get("max_age")),
            behind=max(0, (last.seq if last else 0) - checkpoint),
        )

    def _told(self, stream: str, seq: int, kind: Any, detail: str) -> None:
        self.verdict.regressions.append(
            Regression(stream=stream, seq=seq, kind=kind, detail=detail)
        )

    async def _compare(self, file: Beside, of: Projection, table: Table, *, fit: bool) -> None:
        result = Compared(
            table=table.name, projection=of.name, stream=of.stream, verdict="not compared"
        )
        self.verdict.tables.append(result)
        if not fit:
            return
        anew: defaultdict[Place, list[Sum]] = defaultdict(list)
        live: defaultdict[Place, list[Sum]] = defaultdict(list)
        where: defaultdict[Place, list[Span]] = defaultdict(list)
        for span in self._spans(of.stream, table.name):
            theirs = await self.ask(span)
            if table.forgets:  # what was erased meanwhile is to be taken out here, too
                position, _ = await self._standing()
                await self._readers[of.stream].read(position[of.stream])
            ours = await file.ask(span)
            sums_ours, _ = _summed(ours)
            sums_theirs, alone = _summed(theirs)
            result.alone += alone
            for place, sum_ in sums_ours.items():
                anew[place].append(sum_)
            for place, sum_ in sums_theirs.items():
                live[place].append(sum_)
            for place in verdict.apart(sums_ours, sums_theirs):
                where[place].append(span)
        total, live_total = (
            verdict.added(sum_ for some in each.values() for sum_ in some) for each in (anew, live)
        )
        result.rows, result.sum = total[0], verdict.told(total)
        result.live_rows, result.live_sum = live_total[0], verdict.told(live_total)
        result.verdict = "different" if where else "same"
        for place in sorted(where):
            found = await self._look(file, place, where[place])
            self.verdict.differences.append(found)

    def _spans(self, stream: str, table: str) -> Sequence[Span]:
        kept = [(a, min(b, self._upto[stream])) for a, b in self._kept[stream]]
        if not kept:
            return []
        cut = self._readers[stream].cut if self._cuts(stream) else []
        return [
            Span(
                table=table,
                first=first,
                last=last,
                since=self._since.get(stream, 0),
                kept=some or (0, 0),
                omit=tuple(seq for seq in cut if first <= seq <= last),
            )
            for first, last, some in sums.spans(kept[0][0], self._upto[stream], kept)
        ]

    def _cuts(self, stream: str) -> bool:
        return any(each.carries for each in self._readers[stream].folder.projections)

    async def _look(self, file: Beside, place: Place, where: Sequence[Span]) -> Difference:
        """Which messages of a list and day differ, and in how many rows."""
        found = Difference(table=where[0].table, list=place[0], day=place[1])
        for span in where:
            closer = msgspec.structs.replace(span, by="message", list=place[0], day=place[1])
            ours = {seq: (rows, sum_) for seq, rows, sum_ in await file.ask(closer)}
            theirs = {seq: (rows, sum_) for seq, rows, sum_ in await self.ask(closer)}
            seqs = sorted(s for s in ours.keys() | theirs if ours.get(s) != theirs.get(s))
            room = max(0, LOOKED_AT - found.messages)
            found.messages += len(seqs)
            for at in range(0, len(seqs[:room]), _TOGETHER):
                only = tuple(seqs[:room][at : at + _TOGETHER])
                one = msgspec.structs.replace(closer, by="row", only=only)
                verdict.count(found, _digests(await file.ask(one)), _digests(await self.ask(one)))
            for seq in seqs[room:]:
                lacks = ours.get(seq, (0, ""))[0] - theirs.get(seq, (0, ""))[0]
                found.missing += max(0, lacks)
                found.extra += max(0, -lacks)
                found.changed += lacks == 0
        return found

    async def _join(self, file: Beside) -> None:
        """Each window of a chunk begins where the one before it ended."""
        if "DELIVERY" not in self._readers:
            return
        parameters = {"omit": self._readers["DELIVERY"].cut, "limit": _SHOWN}
        for list_, mail, chunk, seq, start, before in await file.rows(sums.JOINS, parameters):
            detail = f"chunk {chunk} of {mail} to {list_}: a window begins at {start}, and the one "
            self._told("DELIVERY", seq, "window", detail + f"before it ended at {before}")

    async def _holes(self) -> None:
        for stream, seen in self._seen.items():
            found = verdict.holes(seen, self._kept[stream], self._upto[stream])
            tables = [t for each in self._readers[stream].folder.projections for t in each.tables]
            for hole in found[:_SHOWN]:
                for table in tables:
                    span = Span(table=table.name, first=hole.first, last=hole.last)
                    hole.rows += sum(int(row[_ROWS]) for row in await self.ask(span))
            self.verdict.holes += found


class _Clock:
    """Looks whether the times of neighbours go back."""

    def __init__(self, stream: str, into: list[Regression]) -> None:
        self.stream = stream
        self.into = into
        self._last: Stored | None = None
        self._told = 0

    def look(self, taken: Sequence[Stored]) -> None:
        """Look at messages in order."""
        known = [self._last] if self._last is not None else []
        for one, next_ in pairwise([*known, *taken]):
            if next_.ns < one.ns - HOUR_NS and self._told < _SHOWN:
                self._told += 1
                hours = (one.ns - next_.ns) / HOUR_NS
                detail = f"stored {hours:.1f} h before the message before it: a clock was set back"
                self.into.append(
                    Regression(stream=self.stream, seq=next_.seq, kind="time", detail=detail)
                )
        self._last = taken[-1]


def _summed(rows: Sequence[Sequence[Any]]) -> tuple[dict[Place, Sum], int]:
    """The sums by list and day, and how many rows are of what the stream has no more."""
    found: dict[Place, Sum] = {}
    alone = 0
    for list_, day, lost, count, sum_ in rows:
        if lost:
            alone += int(count)
        else:
            found[list_, day] = verdict.added([(int(count), int(sum_))])
    return found, alone


def _digests(rows: Sequence[Sequence[Any]]) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for seq, digest, times in rows:
        found[seq][digest] += times
    return found
