"""kill -9 at each named crash point: between any two steps of the road."""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path

import pytest

from tests.chaos.rounds import chaos, kill_at

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"

# crash point, at which pass, whether a window is open there (its copies may go out twice)
POINTS = [
    ("ingest.after_raw", 1, False),  # once for many mails
    ("ingest.after_received", 1, False),
    ("ingest.after_checkpoint", 1, False),
    ("ingest.after_flag", 1, False),
    ("router.after_first_list", 7, False),
    ("router.after_claim", 7, False),
    ("router.before_ack", 7, False),
    ("membership.after_chunk", 7, False),
    ("membership.before_done", 7, False),
    ("sender.before_dot", 7, True),
    ("sender.after_dot", 7, True),
    ("sender.before_record", 7, True),
    ("sender.after_record", 7, True),
]
PASSES, POSTS, MEMBERS = ((1, 3), 40, 20) if FULL else ((1,), 9, 8)  # posts for each point
# each in a system of its own, or one after the other those of a service
RUNS = (
    [[point] for point in POINTS]
    if FULL
    else [list(points) for _, points in groupby(POINTS, lambda each: each[0].partition(".")[0])]
)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("points", RUNS, ids=lambda points: points[0][0])
@pytest.mark.parametrize("later", PASSES)
async def test_a_crash_between_two_steps(
    tmp_path: Path, points: list[tuple[str, int, bool]], later: int
) -> None:
    """Whatever step a service dies at, every copy arrives; doubled are open windows at most."""
    service = points[0][0].partition(".")[0]
    at = [f"{point}:{1 if count == 1 else count * later}" for point, count, _ in points]
    came = await chaos(
        tmp_path,
        " ".join(at),
        kill_at(service, *at),
        posts=POSTS * len(points),
        members=MEMBERS,
        both_lists=service == "router",
        open_windows=sum(open_window for *_, open_window in points),
    )
    came.judge()
