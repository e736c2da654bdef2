"""What a window's replies mean: who has a copy, who is owed one, who failed (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter

from schemas.road import Failure, Outcome
from services.sender import ledger
from services.sender.answers import Reply
from services.sender.replies import classify
from services.sender.transaction import Result
from services.sender.window import Plan


@dataclass(frozen=True, slots=True)
class Window:
    """The outcome of a window; `outcome.end` is where to go on. Who is `lost` was not answered and
    may have a copy. `trouble` says what is wrong with the relay, "" for nothing: one that
    took what came last works."""

    outcome: Outcome
    accepted: int
    moved: bool  # somebody who was offered has an outcome
    lost: frozenset[int]
    trouble: str
    lasting: bool  # of the trouble: somebody must act, or a day pass, before a try can work


def judge(
    results: Sequence[Result], plan: Plan, *, doubt: Collection[int], ms: int, giving_up: bool
) -> Window:
    """Judge the results of a window: one for each who was offered, or for several of them. Those
    in `doubt` may have had a copy before.

    The outcome ends before the first recipient who is still to be tried because the relay
    failed, unless somebody behind was accepted: then who was passed over is deferred instead.
    """
    offered = plan.offered
    replies = [reply for result in results for reply in result.recipients]
    lost = [result.lost for result in results for _ in result.recipients]
    accepted = [reply is not None and reply.accepted for reply in replies]
    verdicts = [
        None if reply is None or ok else classify(reply)
        for reply, ok in zip(replies, accepted, strict=True)
    ]
    pending = [
        not ok and (verdict is None or verdict.scope == "relay")
        for verdict, ok in zip(verdicts, accepted, strict=True)
    ]
    reach = max((place for place, ok in enumerate(accepted) if ok), default=-1) + 1
    while reach < len(replies) and not pending[reach]:
        reach += 1
    end = offered[reach] if reach < len(offered) else plan.end

    failures = [failure for failure in plan.withheld if failure.index < end]
    for place in range(reach):
        index, reply, verdict = offered[place], replies[place], verdicts[place]
        if accepted[place]:
            continue
        if reply is None or verdict is None:
            text = "the connection broke before this copy"
            failure = Failure(index=index, code=0, text=text, kind="deferred", scope="relay")
        else:
            failure = Failure(
                index=index,
                code=reply.code,
                enhanced=reply.enhanced,
                text=reply.text,
                kind="deferred" if verdict.scope == "relay" else verdict.kind,
                scope=verdict.scope,
            )
        failures.append(failure)
    if giving_up:
        failures = [
            ledger.final(failure)
            if failure.kind == "deferred" and failure.scope != "relay"
            else failure
            for failure in failures
        ]
    if plan.withheld:
        failures.sort(key=attrgetter("index"))

    first = next((reply for reply, ok in zip(replies, accepted, strict=True) if ok and reply), None)
    now_lost = frozenset(index for index, gone in zip(offered, lost, strict=True) if gone)
    without = {failure.index for failure in failures if failure.kind != "deferred"}
    doubtful = tuple(
        sorted(
            index
            for index in now_lost.union(doubt)
            if plan.start <= index < end and index not in without
        )
    )
    outcome = Outcome(
        start=plan.start,
        end=end,
        code=first.code if first else 0,
        text=first.text if first else "",
        failures=tuple(failures),
        possible_duplicate=bool(doubtful),
        doubtful=doubtful,
        ms=ms,
    )
    lasting = any(
        verdict is not None and verdict.lasting
        for verdict, waits in zip(verdicts[reach:], pending[reach:], strict=True)
        if waits
    )
    return Window(
        outcome,
        sum(accepted),
        reach > 0,
        now_lost,
        _trouble(replies[reach:], pending[reach:]),
        lasting,
    )


def _trouble(replies: Sequence[Reply | None], pending: Sequence[bool]) -> str:
    for reply, waits in zip(replies, pending, strict=True):
        if waits and reply is not None:
            return str(reply)
    if any(pending):
        return "the connection broke"
    return ""
