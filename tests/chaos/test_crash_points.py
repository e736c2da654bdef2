"""kill -9 at each named crash point: between any two steps of the road."""

from __future__ import annotations

import os
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
PASSES, POSTS = ((1, 3), 40) if FULL else ((1,), 16)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("point", "count", "open_window"), POINTS, ids=[p[0] for p in POINTS])
@pytest.mark.parametrize("later", PASSES)
async def test_a_crash_between_two_steps(
    tmp_path: Path, point: str, count: int, open_window: bool, later: int
) -> None:
    """Whatever step a service dies at, every copy arrives; doubled are open windows at most."""
    service = point.partition(".")[0]
    passes = 1 if count == 1 else count * later
    came = await chaos(
        tmp_path,
        f"{point}:{passes}",
        kill_at(service, f"{point}:{passes}"),
        posts=POSTS,
        members=20,
        both_lists=service == "router",
        open_windows=int(open_window),
    )
    came.judge()
