"""kill -9 of each service at random moments while posts are in flight."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.rounds import chaos, kill_at_random

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"
SEEDS = range(5) if FULL else range(1)
POSTS, MEMBERS, KILLS = (200, 50, 8) if FULL else (100, 50, 3)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["ingest", "router", "membership", "sender", "broker"])
async def test_nothing_is_lost_and_little_is_doubled(tmp_path: Path, name: str, seed: int) -> None:
    """Every member gets every post; a second copy only of windows open when the sender died."""
    came = await chaos(
        tmp_path,
        f"{name} killed at random, seed {seed}",
        kill_at_random(name, KILLS, seed),
        posts=POSTS,
        members=MEMBERS,
        open_windows=KILLS if name == "sender" else 0,
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
        posts=60,
        members=20,
        both_lists=True,
    )
    came.judge()
