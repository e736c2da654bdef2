"""What a window's replies mean: who has a copy, who is owed one, who failed (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter

from schemas.road import Failure, Outcome
from services.sender import ledger
from services.sender.answers import Reply
from services.sender.replies import Verdict, classify
from services.sender.transaction import Result
from services.sender.window import Plan

HANGS_UP = 421  # RFC 5321 section 3.8


@dataclass(frozen=True, slots=True)
class Window:
    """The outcome of a window; `outcome.end` is where to go on. Who is `lost` was not answered and
    may have a copy. `trouble` says what is wrong with the relay, "" for nothing: one that
    took what came last works. `hung`: at whose command it ended the session, by index."""

    outcome: Outcome
    accepted: int
    moved: bool  # somebody who was offered has an outcome
    lost: frozenset[int]
    trouble: str
    lasting: bool  # of the trouble: somebody must act, or a day pass, before a try can work
    hung: int | None


def judge(
    results: Sequence[Result],
    plan: Plan,
    *,
    doubt: Collection[int],
    ms: int,
    giving_up: bool,
    silent: bool = False,
) -> Window:
    """Judge the results of a window: one for each who was offered, or for several of them. Those
    in `doubt` may have had a copy before. `silent`: it ended because their domain gave no answer.

    The outcome ends before the first recipient who is still to be tried because the relay
    failed, unless somebody behind was accepted, or may be yet: then who was passed over is deferred
    instead.
    """
    offered = plan.offered
    replies = [reply for result in results for reply in result.recipients]
    first = next((reply for reply in replies if reply is not None and reply.accepted), None)
    # by place; usually there are none
    missed = [n for n, reply in enumerate(replies) if reply is None or not reply.accepted]
    verdicts = {n: classify(reply) for n in missed if (reply := replies[n]) is not None}
    awaited = _awaited(results, silent=silent) if missed else frozenset[int]()
    pending = [
        n
        for n in missed
        if n not in awaited and (n not in verdicts or verdicts[n].scope == "relay")
    ]
    accepted = len(replies) - len(missed)
    behind = [n for n in missed if n not in awaited] if awaited else missed
    reach = _reach(len(replies), behind, pending)
    end = offered[reach] if reach < len(offered) else plan.end

    failures = []
    for place in missed:
        if place >= reach:
            break
        verdict = verdicts.get(place)
        failures.append(
            _unanswered(offered[place])
            if place in awaited
            else _failure(offered[place], replies[place], verdict)
        )
    if giving_up:
        failures = [
            ledger.final(failure)
            if failure.kind == "deferred" and failure.scope != "relay"
            else failure
            for failure in failures
        ]
    if plan.withheld:
        failures += [failure for failure in plan.withheld if failure.index < end]
        failures.sort(key=attrgetter("index"))

    lost = _lost(results, offered) if missed else frozenset[int]()
    doubtful = {index for index in lost.union(doubt) if plan.start <= index < end}
    doubtful -= {failure.index for failure in failures if failure.kind != "deferred"}
    if doubtful:
        doubtful -= _found(results, offered)
    outcome = Outcome(
        start=plan.start,
        end=end,
        code=first.code if first else 0,
        text=first.text if first else "",
        failures=tuple(failures),
        possible_duplicate=bool(doubtful),
        doubtful=tuple(sorted(doubtful)),
        ms=ms,
    )
    stops = [n for n in pending if n >= reach]
    return Window(
        outcome,
        accepted,
        reach > 0,
        lost,
        _trouble([replies[n] for n in stops]),
        any(n in verdicts and verdicts[n].lasting for n in stops),
        _hung(results, offered) if stops else None,
    )


def _reach(size: int, missed: Sequence[int], pending: Sequence[int]) -> int:
    """The place that the outcome ends before: of the first who is pending with nobody accepted
    behind."""
    last = size  # behind the last who was accepted
    for place in reversed(missed):
        if place != last - 1:
            break
        last = place
    return next((place for place in pending if place >= last), size)


def _failure(index: int, reply: Reply | None, verdict: Verdict | None) -> Failure:
    if reply is None or verdict is None:
        text = "the connection broke before this copy"
        return Failure(index=index, code=0, text=text, kind="deferred", scope="relay")
    return Failure(
        index=index,
        code=reply.code,
        enhanced=reply.enhanced,
        text=reply.text,
        kind="deferred" if verdict.scope == "relay" else verdict.kind,
        scope=verdict.scope,
    )


def _unanswered(index: int) -> Failure:
    text = "its domain has not answered yet"
    return Failure(index=index, code=0, text=text, kind="deferred", scope="destination")


def _awaited(results: Sequence[Result], *, silent: bool) -> frozenset[int]:
    """Whose answer may come yet, by place, or never came though it was waited for."""
    awaited = [
        reply is None and (result.awaited or (silent and result.asked is not None))
        for result in results
        for reply in result.recipients
    ]
    return frozenset(place for place, yet in enumerate(awaited) if yet)


def _lost(results: Sequence[Result], offered: Sequence[int]) -> frozenset[int]:
    """Who may have a copy though the server did not say so, by index."""
    lost = [result.lost and reply is None for result in results for reply in result.recipients]
    return frozenset(index for index, gone in zip(offered, lost, strict=True) if gone)


def _found(results: Sequence[Result], offered: Sequence[int]) -> frozenset[int]:
    """Who was seen to have one copy, by index."""
    found = [n in result.found for result in results for n in range(len(result.recipients))]
    return frozenset(index for index, one in zip(offered, found, strict=True) if one)


def _hung(results: Sequence[Result], offered: Sequence[int]) -> int | None:
    """At whom the server ended the session, by index, if it was about one."""
    if len(offered) == 1:
        (reply,) = results[0].recipients
        named = reply is None or (reply.code == HANGS_UP and reply.command != "MAIL")
        return offered[0] if named else None
    start = 0
    for result in results:
        place = _last_asked(result)
        if place is not None:
            return offered[start + place] if place >= 0 else None
        start += len(result.recipients)
    return None


def _last_asked(result: Result) -> int | None:
    """At which recipient of a transaction the session ended, -1 for none of them in particular;
    None where it did not."""
    replies = result.recipients
    ends = [n for n, last in enumerate(replies) if last is not None and last.code == HANGS_UP]
    if ends:  # behind the dot LMTP says it of one, SMTP of all
        last = replies[ends[0]]
        return ends[0] if len(ends) == 1 and last is not None and last.command != "MAIL" else -1
    if None not in replies:
        return None
    if result.asked == -1 and (
        len(replies) == 1 or any(last and last.command == "." for last in replies)
    ):
        return replies.index(None)
    return -1 if result.asked is None else result.asked


def _trouble(replies: Sequence[Reply | None]) -> str:
    """What stopped a window, by the last word on those who are still to be tried."""
    said = next((str(reply) for reply in replies if reply is not None), "")
    return said or ("the connection broke" if replies else "")
