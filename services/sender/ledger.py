"""The ledger of a chunk: where to go on, and what to write next (pure).

One entry holds the outcome of the window before and the intent of the next, so that a successor
needs only the last entry. An intent without an outcome is in doubt: its copies may have gone out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.road import ChunkQueued, Failure, Intent, Outcome, WindowRecorded


@dataclass(frozen=True, slots=True)
class Position:
    """Where a chunk stands. Recipients below `done` have an outcome; of those from there on,
    `sent` have their copy, and those in `doubt` may have one, or a second one."""

    done: int = 0
    doubt: frozenset[int] = frozenset()
    sent: frozenset[int] = frozenset()
    deferred: tuple[int, ...] = ()
    finished: bool = False
    seq: int = 0  # of the last entry: the next one expects it
    id: str = ""  # of its envelope
    split: bool = False  # it is not sent itself, its parts are


def position(last: WindowRecorded | None, seq: int, id_: str = "") -> Position:
    """Where the last entry, with the id of its envelope, leaves a chunk."""
    if last is None:
        return Position()
    if last.split:
        return Position(finished=True, split=True, seq=seq)
    intent = last.intent
    if intent is None:
        done = last.outcome.end if last.outcome is not None else 0
        doubt, sent = frozenset[int](), frozenset[int]()
    else:
        done, sent = intent.start, frozenset(intent.sent)
        doubt = frozenset(range(done, intent.end)).difference(intent.without, sent)
        doubt |= frozenset(intent.twice)
    return Position(done, doubt, sent, last.deferred, last.finished, seq, id_)


def entry(
    chunk: ChunkQueued,
    *,
    at: int,
    outcome: Outcome | None,
    named: bool,
    next_end: int,
    may_have: Collection[int],
    sent: Collection[int],
    deferred: Sequence[int],
    relay: str,
    worker: str,
    destination: str = "",
    late: Sequence[str] = (),
    cleared: Sequence[str] = (),
    awaited: bool = False,
) -> WindowRecorded:
    """The entry after `outcome`: with the intent of [`at`, `next_end`), or with none to pause.

    When the next entry is written those in `may_have` may have a copy, or a second one; those in
    `sent` have theirs now; the intent keeps both. `late` are the people of windows before who
    turned out to have a copy, `cleared` those who can no longer have two. A chunk is finished when
    the outcome reaches its end and no such answer is `awaited`. People are named once: in the
    intent of their window, or with its outcome where there was no intent (`named` is False).
    """
    size = len(chunk.people)
    intent = None
    end = max(next_end, max(may_have, default=-1) + 1, max(sent, default=-1) + 1)
    if end > at:
        known = frozenset((*may_have, *sent))
        without = tuple(index for index in range(at, end) if index not in known)
        intent = Intent(
            start=at,
            end=end,
            people=chunk.people[at:end],
            without=without,
            sent=tuple(sorted(index for index in sent if index >= at)),
            twice=tuple(sorted(index for index in sent if index >= at and index in may_have)),
        )
    people = () if named or outcome is None else chunk.people[outcome.start : outcome.end]
    return WindowRecorded(
        mail_id=chunk.mail_id,
        list=chunk.list,
        chunk=chunk.chunk,
        outcome=outcome,
        intent=intent,
        people=people,
        relay=relay,
        destination=destination,
        worker=worker,
        deferred=tuple(deferred),
        late=tuple(late),
        cleared=tuple(cleared),
        finished=outcome is not None and outcome.end >= size and not awaited,
    )


def passed_over(entries: Iterable[WindowRecorded]) -> bool:
    """Whether all who are deferred in these entries of a chunk were not refused themselves: the
    relay took what came behind them, or their domain has to wait."""
    return all(failure.scope in ("relay", "destination") for failure in _deferred(entries))


def defers(entry: WindowRecorded) -> bool:
    """Whether somebody of its window is tried again."""
    return any(True for _ in _deferred((entry,)))


def of_their_domain(entries: Iterable[WindowRecorded]) -> set[int]:
    """Who is deferred in these entries of a chunk because their domain has to wait."""
    return {failure.index for failure in _deferred(entries) if failure.scope == "destination"}


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


def _deferred(entries: Iterable[WindowRecorded]) -> Iterator[Failure]:
    outcomes = (entry.outcome for entry in entries if entry.outcome is not None)
    return (f for outcome in outcomes for f in outcome.failures if f.kind == "deferred")
