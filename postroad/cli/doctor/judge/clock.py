"""The clock: signatures, tokens, certificates and what expires go by it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from postroad.cli.doctor.checks import REMEDIES
from postroad.cli.doctor.finding import Finding, failed, ok, skipped, warning
from postroad.cli.doctor.judge.machine import HERE

OFF = 5.0  # seconds: more, and something does not keep the clock
WRONG = 120.0  # receivers refuse signatures from the future, providers tokens


class Reading(NamedTuple):
    """What another clock says: by how many seconds ours is ahead of it, and how far that may be
    wrong."""

    who: str
    ahead: float
    doubt: float = 0.0


def clock(readings: Sequence[Reading], newest: float, *, kept: bool | None) -> Finding:
    """How far our clock is from others. `newest`: by how many seconds the newest event is of the
    future. `kept`: whether the kernel says that a time service keeps it; None where it does not."""
    if newest > WRONG:
        what = f"the newest event was stored {_span(newest)} from now: the clock was set back"
        return failed("clock", HERE, what, REMEDIES["clock"])
    if not readings:
        if kept:
            return ok("clock", HERE, "kept by the time service of this machine; no other answered")
        why = "no other clock answered" + ("" if kept is None else ", and no service keeps ours")
        remedy = "compare it: date -u; let UDP port 123 (NTP) out; timedatectl set-ntp true"
        return skipped("clock", HERE, why, remedy)
    middle = median(reading.ahead for reading in readings)
    doubt = max(reading.doubt for reading in readings)
    others = ", ".join(reading.who for reading in readings)
    if abs(middle) <= OFF + doubt:
        return ok("clock", HERE, f"within {max(abs(middle), doubt, 0.001):.1g} s of {others}")
    what = f"the clock is {_span(abs(middle))} {'fast' if middle > 0 else 'slow'}, by {others}"
    found = failed if abs(middle) > WRONG else warning
    return found("clock", HERE, what, REMEDIES["clock"])


def _span(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
