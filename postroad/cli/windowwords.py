"""What a window of the ledger came to, in the words of `postroad post show`. Pure."""

from __future__ import annotations

from schemas.road import Outcome


def counts(outcome: Outcome) -> str:
    """What became of the copies of a window, in words."""
    kinds = [failure.kind for failure in outcome.failures]
    found = {
        "accepted": outcome.end - outcome.start - len(kinds),
        "deferred": kinds.count("deferred"),
        "failed": kinds.count("failed"),
        "left the list": kinds.count("left"),
    }
    told = [f"{count} {kind}" for kind, count in found.items() if count]
    doubtful = doubtful_in(outcome)
    there = sum(failure.index in doubtful for failure in outcome.failures)
    if twice := len(doubtful) - there:
        told.append(f"{twice} perhaps for the second time")
    if there:
        told.append(f"of those not taken {there} may have it")
    return ", ".join(told)


def doubtful_in(outcome: Outcome) -> frozenset[int]:
    """Who may have had a copy before."""
    if outcome.possible_duplicate and not outcome.doubtful:
        return frozenset(range(outcome.start, outcome.end))
    return frozenset(outcome.doubtful)
