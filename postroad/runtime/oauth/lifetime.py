"""How old a token is and when to renew it: arithmetic on our own clock alone.

A provider's absolute times are never read (its clock may be an hour off), and the age of a token
is measured in time since boot, which no step of the wall clock changes. Only after a reboot is the
wall clock asked; when it has gone backwards the age is unknown, and the token is renewed.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import msgspec

EARLY = 300.0  # seconds before its end that a token is renewed ...
SHARE = 0.2  # ... or this share of a short life
SLACK = 10.0  # a token that ends sooner is not given to anybody: a login takes its time
PAUSES = (2.0, 300.0)  # the first and the longest pause after a failure that passes
TURNED_DOWN = (5.0, 300.0)  # the same before renewing for a server that turns down new tokens
SUSPECT = 3  # so many new tokens turned down in a row: a person must look
LASTING = 3_600.0  # a refusal that does not pass by itself is tried again after this


class Stamp(msgspec.Struct, frozen=True):
    """A moment: seconds since boot (of which boot), and seconds since 1970 by the wall clock."""

    boot: str
    ticks: float
    wall: float


def now() -> Stamp:
    """This moment."""
    # Linux: suspended time counts, as it does for a token; elsewhere monotonic is what there is
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Stamp(_boot(), time.clock_gettime(clock), time.time())


def age(then: Stamp, at: Stamp) -> float | None:
    """Seconds from `then` to `at`; None when nobody can tell."""
    if then.boot and then.boot == at.boot and at.ticks >= then.ticks:
        return at.ticks - then.ticks
    return at.wall - then.wall if at.wall >= then.wall else None


def renewed_at(lifetime: float, chance: float) -> float:
    """The age (s) at which a token of this lifetime (s) is renewed; `chance` in [0, 1) spreads
    many accounts and processes over time."""
    return lifetime - min(EARLY, lifetime * SHARE) * (1 - chance / 2)


def usable_until(lifetime: float) -> float:
    """The age (s) up to which a token of this lifetime (s) is given to anybody."""
    return lifetime - min(SLACK, lifetime * SHARE / 4)


def pause(times: int, bounds: tuple[float, float]) -> float:
    """Seconds to wait after the n-th failure in a row; doubles within `bounds`."""
    first, longest = bounds
    return 0.0 if times <= 0 else min(first * 2.0 ** min(times - 1, 30), longest)


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""  # not Linux: the wall clock decides
