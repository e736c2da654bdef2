"""The ledger of a chunk: where to go on, and what to write next (pure).

One entry holds the outcome of the window before and the intent of the next, so that a successor
needs only the last entry. An intent without an outcome is in doubt: its copies may have gone out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.road import ChunkQueued, Failure, Intent, Outcome, WindowRecorded


@dataclass(frozen=True, slots=True)
class Position:
    """Where a chunk stands. Recipients below `done` have an outcome; those from `done` up to
    `doubt` may have their copy already."""

    done: int = 0
    doubt: int = 0
    deferred: tuple[int, ...] = ()
    finished: bool = False
    seq: int = 0  # of the last entry: the next one expects it


def position(last: WindowRecorded | None, seq: int) -> Position:
    """Where the last entry leaves a chunk."""
    if last is None:
        return Position()
    done = doubt = 0
    if last.outcome is not None:
        done = doubt = last.outcome.end
    if last.intent is not None:
        done, doubt = last.intent.start, last.intent.end
    return Position(done, doubt, last.deferred, last.finished, seq)


def entry(
    chunk: ChunkQueued,
    *,
    at: int,
    outcome: Outcome | None,
    named: bool,
    next_end: int | None,
    deferred: Sequence[int],
    relay: str,
    worker: str,
) -> WindowRecorded:
    """The entry after `outcome`: with the intent of [`at`, `next_end`), or with none to pause.

    A chunk is finished when the outcome reaches its end. People are named once: in the intent of
    their window, or with its outcome where there was no intent (`named` is False).
    """
    size = len(chunk.people)
    intent = None
    if next_end is not None and next_end > at:
        intent = Intent(start=at, end=next_end, people=chunk.people[at:next_end])
    people = () if named or outcome is None else chunk.people[outcome.start : outcome.end]
    return WindowRecorded(
        mail_id=chunk.mail_id,
        list=chunk.list,
        chunk=chunk.chunk,
        outcome=outcome,
        intent=intent,
        people=people,
        relay=relay,
        worker=worker,
        deferred=tuple(deferred),
        finished=outcome is not None and outcome.end >= size,
    )


def retry_chunk(
    chunk: ChunkQueued, deferred: Sequence[int], queued: datetime
) -> ChunkQueued | None:
    """The smaller chunk that tries the deferred recipients again; None where there are none.

    `queued` is when this chunk was queued, for the age of the first attempt.
    """
    if not deferred:
        return None
    attempt = chunk.attempt + 1
    stem = chunk.chunk.partition("r")[0]
    numbers = chunk.numbers or tuple(range(chunk.first, chunk.first + len(chunk.people)))
    return ChunkQueued(
        mail_id=chunk.mail_id,
        list=chunk.list,
        chunk=f"{stem}r{attempt}",
        first=chunk.first,
        people=tuple(chunk.people[index] for index in deferred),
        addresses=tuple(chunk.addresses[index] for index in deferred),
        numbers=tuple(numbers[index] for index in deferred),
        attempt=attempt,
        since=chunk.since or queued,
        copy=chunk.copy,
    )


def passed_over(entries: Iterable[WindowRecorded]) -> bool:
    """Whether all who are deferred in these entries of a chunk were not refused themselves: the
    relay took what came behind them, or their domain has to wait."""
    failures = (f for entry in entries if entry.outcome for f in entry.outcome.failures)
    return all(f.scope in ("relay", "destination") for f in failures if f.kind == "deferred")


def given_up(chunk: ChunkQueued, now: datetime, period: timedelta) -> bool:
    """Whether a refusal now is the last: the first attempt is longer ago than `period`."""
    return chunk.since is not None and now - chunk.since > period


def final(failure: Failure) -> Failure:
    """A deferral that will not be tried again."""
    return Failure(
        index=failure.index,
        code=failure.code,
        enhanced=failure.enhanced,
        text=f"given up: {failure.text}",
        kind="failed",
        scope=failure.scope,
    )
