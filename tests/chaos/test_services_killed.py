"""kill -9 of each service at random moments while posts are in flight."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.rounds import chaos, kill_at_random

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"
SEEDS = range(5) if FULL else range(1)
NAMES = ("ingest", "router", "membership", "sender", "broker")
# who is killed in one system, one after another, and how often each; on how many posts of each
RUNS, KILLS = ([[name] for name in NAMES], 8) if FULL else ([list(NAMES)], 2)
POSTS, MEMBERS = (200, 50) if FULL else (35, 25)
BOTH = (60, 20) if FULL else (40, 10)  # posts and members, where a mail is for two lists


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("names", RUNS, ids=" ".join)
async def test_nothing_is_lost_and_little_is_doubled(
    tmp_path: Path, names: list[str], seed: int
) -> None:
    """Every member gets every post; a second copy only of windows open when the sender died."""
    came = await chaos(
        tmp_path,
        f"{', '.join(names)} killed at random, seed {seed}",
        *(kill_at_random(name, KILLS, seed) for name in names),
        posts=POSTS * len(names),
        members=MEMBERS,
        open_windows=KILLS if "sender" in names else 0,
    )
    came.judge()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
async def test_one_mail_to_two_lists(tmp_path: Path, seed: int) -> None:
    """A cross-post stays two independent posts, whoever dies between them."""
    kill_router = kill_at_random("router", KILLS, seed)
    came = await chaos(
        tmp_path,
        f"router killed, two lists, seed {seed}",
        kill_router,
        posts=BOTH[0],
        members=BOTH[1],
        both_lists=True,
    )
    came.judge()
