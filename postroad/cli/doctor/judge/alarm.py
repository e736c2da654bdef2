"""Alarms: whether somebody is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postroad.cli.doctor.checks import REMEDIES
from postroad.cli.doctor.finding import Finding, failed, ok, warning
from postroad.cli.doctor.judge.machine import HERE

TRY = "; postroad doctor --only alarm --send tells a test alarm"


def alarm(ways: int, problems: Sequence[str], told: Mapping[str, str] | None) -> Finding:
    """Of so many ways to tell: what is wrong with them as they stand, and of each what it failed
    with (empty: nothing) where a test alarm was `told`."""
    if problems:
        return failed("alarm", HERE, "; ".join(problems), REMEDIES["alarm"])
    if not ways:
        return warning("alarm", HERE, "nobody is told of alarms", REMEDIES["alarm"])
    if told is None:
        return ok("alarm", HERE, f"alarms are told in {ways} way{'s' * (ways > 1)}{TRY}")
    wrong = [f"{how}: {why}" for how, why in told.items() if why]
    if wrong:
        what = f"a test alarm was not taken by {'; '.join(wrong)}"
        return failed("alarm", HERE, what, REMEDIES["alarm"])
    return ok("alarm", HERE, f"a test alarm was taken by: {', '.join(told)}")
