"""How long copies took, of those that arrived. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds since a mail came in, or was let through where it was held or stopped, within which
    relays took 50, 95 and 99 of 100 copies."""

    p50: float
    p95: float
    p99: float

    @property
    def told(self) -> str:
        """In words."""
        shares = (("half", self.p50), ("95 %", self.p95), ("99 %", self.p99))
        return ", ".join(f"{share} within {seconds(value)}" for share, value in shares)


def durations(taken: Iterable[tuple[float, int]]) -> Durations | None:
    """Of so many copies after so many seconds each; None where there are none."""
    ordered = sorted(one for one in taken if one[1] > 0)
    total = sum(copies for _, copies in ordered)
    if not total:
        return None
    return Durations(
        p50=_within(ordered, 0.50 * total),
        p95=_within(ordered, 0.95 * total),
        p99=_within(ordered, 0.99 * total),
    )


def _within(ordered: list[tuple[float, int]], copies: float) -> float:
    so_far = 0
    for after, count in ordered:
        so_far += count
        if so_far >= copies:
            return round(after, 6)
    return round(ordered[-1][0], 6)


def seconds(value: float) -> str:
    """So many seconds, for a person."""
    for unit, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if value >= 2 * unit:
            return f"{value / unit:.1f} {name}"
    return f"{value:.3g} s"
