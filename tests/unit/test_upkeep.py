"""What is told of a process that is kept running."""

from __future__ import annotations

from typing import Any

import pytest

from postroad.runtime import health as healths
from postroad.runtime import upkeep as upkeeps
from postroad.runtime.health import Health
from postroad.runtime.restarts import LOOPING
from postroad.runtime.upkeep import Upkeep
from tests.peers.logged import logged


@pytest.fixture
def kept() -> tuple[Upkeep, Health]:
    """A second sender."""
    health = Health("supervisor")
    return Upkeep(health, "service", "sender-2", service="sender"), health


def fact(health: Health) -> Any:
    """What the supervisor reports of it."""
    (found,) = health.answer().facts
    return found


def test_who_is_to_run_is_known_before_its_turn(kept: tuple[Upkeep, Health]) -> None:
    """Nobody takes a service that is not started yet for one that was left out."""
    upkeep, health = kept
    upkeep.waits()
    assert (fact(health).ok, fact(health).detail) == (True, "its turn to start has not come yet")


async def test_who_keeps_dying_is_told_until_it_settled(
    kept: tuple[Upkeep, Health], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few deaths are nobody's business; five in a row are logged once, and told with how it
    ended and what it said; coming up again is not yet being well, a minute of life is."""
    upkeep, health = kept
    lines = logged(monkeypatch, upkeeps)
    for death in range(1, LOOPING + 4):
        upkeep.started(100 + death)
        upkeep.died("ended with exit code 1", "roster.duckdb cannot be read")
        assert fact(health).facts["crash_looping"] == (death >= LOOPING)
    assert [line["event"] for line in lines].count("service.crash_looping") == 1
    found = fact(health)
    assert not found.ok
    assert (found.facts["last_exit"], found.facts["said"]) == (
        "ended with exit code 1",
        "roster.duckdb cannot be read",
    )
    assert "tried again every 30 s" in found.detail
    assert (found.facts["service"], found.facts["restarts"]) == ("sender", LOOPING + 3)
    upkeep.started(200)
    lines = logged(monkeypatch, healths)
    upkeep.ready()
    assert not fact(health).ok
    ((event, detail),) = [(line["event"], line["detail"]) for line in lines]
    assert (event, detail) == ("health.up", "runs again after 8 deaths in a row"), "no down"
    upkeep.settled()
    assert fact(health).ok
    assert not fact(health).facts["crash_looping"]


async def test_a_silent_process_is_told_until_it_answers(kept: tuple[Upkeep, Health]) -> None:
    """It is alive and hangs: a fact of its own, that an answer takes back."""
    upkeep, health = kept
    upkeep.started(7)
    upkeep.ready()
    upkeep.silent("no answer for 30 s")
    assert (fact(health).ok, fact(health).facts["silent"]) == (False, True)
    upkeep.heard()
    assert (fact(health).ok, fact(health).facts["silent"]) == (True, False)
