"""`postroad doctor`: what it says of the limits of a relay."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from postroad.cli.doctor.judge.limits import Share, limits
from postroad.runtime.settings import Destination, Relay

DAY = date(2026, 12, 2)
WARMING = {"warm_up": (50, 1_000), "warm_up_from": date(2026, 12, 1)}
WAIT = "; beyond that, copies wait"


@pytest.mark.parametrize(
    ("settings", "day", "told"),
    [
        ({}, 2, "no limit set, and none is known of this relay"),
        ({"daily": 500}, 2, f"500 recipients in 24 hours{WAIT}"),
        ({"rate": "50/s"}, 2, f"50/s{WAIT}"),
        (
            {"rate": ("14/s", "3000/h"), "daily": 9},
            2,
            f"9 recipients in 24 hours; 14/s, 3000/h{WAIT}",
        ),
        (WARMING, 2, f"1,000 recipients in 24 hours (day 2 of 2 of the warm-up){WAIT}"),
        (
            {**WARMING, "daily": 70},
            2,
            f"70 recipients in 24 hours (day 2 of 2 of the warm-up, later 70){WAIT}",
        ),
        (
            {**WARMING, "warm_up_from": date(2026, 12, 9)},
            2,
            "50 recipients in 24 hours (the first step of the warm-up, which begins on 2026-12-09)"
            + WAIT,
        ),
        (WARMING, 3, "no limit set, and none is known of this relay"),
        (
            {"destination": (Destination(domains=("a.b", "*.a.b"), connections=1, rate="5/s"),)},
            2,
            f"a.b and *.a.b: 1 connection, 5/s{WAIT}",
        ),
    ],
)
def test_all_that_is_set_is_told(settings: dict[str, Any], day: int, told: str) -> None:
    """Every kind of limit, and of a warm-up the step of this day."""
    found = limits(Relay(host="h", **settings), DAY.replace(day=day), [Share("a@b", 3)], 1)
    assert (found.state, found.finding) == ("ok", told)


@pytest.mark.parametrize(
    ("settings", "members", "state", "told"),
    [
        ({"daily": 500}, 501, "failed", "501 members: one post takes more than a day's 500"),
        ({"rate": "2/h"}, 49, "failed", "49 members: one post takes more than a day's 48"),
        ({"rate": ("1/s", "2/h"), "daily": 900}, 48, "ok", ""),
        (WARMING, 1_001, "warning", "more than the 1,000 of day 2 of 2 of the warm-up"),
        ({"profile": "gmail"}, 1, "warning", "daily is not set; the provider stops"),
        ({"profile": "gmail", "daily": 900}, 1, "warning", "is known to stop after 500"),
    ],
)
def test_a_limit_that_is_no_good(
    settings: dict[str, Any], members: int, state: str, told: str
) -> None:
    """A post must fit into a day, by whatever limit is the tightest; while a relay warms up this
    is to be expected. A provider's own limit is to be set."""
    found = limits(Relay(host="h", **settings), DAY, [Share("a@b", 1), Share("c@d", members)], 1)
    assert found.state == state
    assert told in found.finding
    assert bool(found.remedy) is (state != "ok")


def test_two_senders_are_told_of_where_something_is_limited() -> None:
    """Each process counts for itself: with limits that is a warning, without none."""
    found = limits(Relay(host="h", rate="5/s"), DAY, [], 2)
    assert (found.state, "2 senders run" in found.finding) == ("warning", True)
    assert limits(Relay(host="h"), DAY, [], 2).state == "ok"
