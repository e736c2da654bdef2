"""What the broker keeps for later: chunks that were refused, or wait for a limit or relay. Pure.

Their headers alone tell (`schemas.waiting`), so that a million copies that wait are some thousand
lines to read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from schemas import waiting

_UNTIL = "; goes on at "  # before the time in what the sender says of a limit
_LIMIT = re.compile(rf"(?:daily )?limit of \d+(?: for ([^;]+))? reached{_UNTIL}[^;]+")


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """One chunk that is kept until it is `due`. `relay` is empty where several may take it."""

    due: datetime | None = None
    copies: int = 0
    relay: str = ""
    why: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Scheduled:
        """By the headers of its message."""
        copies = headers.get(waiting.COPIES, "")
        return cls(
            due=_due(headers.get(waiting.DUE, "")),
            copies=int(copies) if copies.isdecimal() else 0,
            relay=headers.get(waiting.RELAY, ""),
            why=headers.get(waiting.WHY, ""),
        )


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """So many wait for the same; `next` is when the first of them is due."""

    why: str
    relay: str = ""
    copies: int
    chunks: int
    next: datetime | None = None


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """All that waits for later; the reason that most wait for comes first."""

    copies: int = 0
    chunks: int = 0
    next: datetime | None = None
    reasons: tuple[Reason, ...] = ()


def summed(found: Sequence[Scheduled]) -> Later:
    """All of them in numbers. What is said of a limit tells until when it holds: of those that
    differ in nothing else, the newest stands for all."""
    groups: dict[tuple[str, str], list[Scheduled]] = {}
    for each in found:
        groups.setdefault((each.relay, each.why.partition(_UNTIL)[0]), []).append(each)
    reasons = [
        Reason(
            why=group[-1].why,
            relay=group[-1].relay,
            copies=sum(each.copies for each in group),
            chunks=len(group),
            next=_first(group),
        )
        for group in groups.values()
    ]
    return Later(
        copies=sum(each.copies for each in found),
        chunks=len(found),
        next=_first(found),
        reasons=tuple(sorted(reasons, key=lambda reason: -reason.copies)),
    )


class Limit(NamedTuple):
    """A limit of ours that is reached, in words, and the domain whose it is, "" for the relay's.
    Nothing is wrong then: it is as the settings have it."""

    told: str
    domain: str


def limits(detail: str) -> tuple[Limit, ...]:
    """The limits in what the sender says of a relay, among other things."""
    return tuple(Limit(found[0], found[1] or "") for found in _LIMIT.finditer(detail))


def _first(found: Sequence[Scheduled]) -> datetime | None:
    return min((each.due for each in found if each.due is not None), default=None)


def _due(schedule: str) -> datetime | None:
    """When a schedule `@at TIME` falls due; None for any other."""
    try:
        due = datetime.fromisoformat(schedule.removeprefix("@at ").strip())
    except ValueError:
        return None
    return due if due.tzinfo else due.replace(tzinfo=UTC)
