"""What a window's replies mean: who has a copy, who is owed one, who failed (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.road import Failure, Outcome
from services.sender import ledger
from services.sender.answers import Reply
from services.sender.replies import classify
from services.sender.transaction import Result


@dataclass(frozen=True, slots=True)
class Window:
    """The outcome of a window; `outcome.end` is where to go on. Recipients from there up to
    `doubt` may have a copy. `trouble` says what is wrong with the relay, "" for nothing: one that
    took what came last works."""

    outcome: Outcome
    accepted: int
    doubt: int
    trouble: str
    lasting: bool  # of the trouble: somebody must act, or a day pass, before a try can work


def judge(
    results: Sequence[Result], start: int, *, doubtful: bool, ms: int, giving_up: bool
) -> Window:
    """Judge the results of a window whose first recipient has the index `start`.

    The outcome ends before the first recipient who is still to be tried because the relay
    failed, unless somebody behind was accepted: then who was passed over is deferred instead.
    """
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
    reach = max((index for index, ok in enumerate(accepted) if ok), default=-1) + 1
    while reach < len(replies) and not pending[reach]:
        reach += 1

    failures = []
    for index in range(reach):
        reply, verdict = replies[index], verdicts[index]
        if accepted[index]:
            continue
        if reply is None or verdict is None:
            text = "the connection broke before this copy"
            failure = Failure(
                index=start + index, code=0, text=text, kind="deferred", scope="relay"
            )
        else:
            failure = Failure(
                index=start + index,
                code=reply.code,
                enhanced=reply.enhanced,
                text=reply.text,
                kind="deferred" if verdict.scope == "relay" else verdict.kind,
                scope=verdict.scope,
            )
        if failure.kind == "deferred" and giving_up and failure.scope != "relay":
            failure = ledger.final(failure)
        failures.append(failure)

    first = next((reply for reply, ok in zip(replies, accepted, strict=True) if ok and reply), None)
    doubt = max((index + 1 for index, is_lost in enumerate(lost) if is_lost), default=0)
    outcome = Outcome(
        start=start,
        end=start + reach,
        code=first.code if first else 0,
        text=first.text if first else "",
        failures=tuple(failures),
        possible_duplicate=doubtful,
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
        max(start + doubt, start + reach),
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
