"""The sentences that deciders are tested with, told about a light switch."""

from __future__ import annotations

import pytest

from postroad.testing import Decider, FrozenClock

SWITCH = Decider(initial=False, evolve=lambda _, event: event == "lit")


def light(lit: bool) -> list[str]:
    """Turn it on."""
    return [] if lit else ["lit"]


def repaint(lit: bool, *, colour: str) -> list[str]:
    """Paint it, which is not done under current."""
    if lit:
        raise ValueError(f"not {colour} while it is lit")
    return [colour]


def test_a_decision_is_told_from_what_happened_before() -> None:
    """Events make the state, the decision answers with events, or with none."""
    SWITCH.given().when(light).then("lit")
    SWITCH.given("lit", "dark").when(light).then("lit")
    SWITCH.given("lit").when(light).then_nothing()
    SWITCH.given("lit").when(repaint, colour="red").then_refused(ValueError, "not red")


def test_a_sentence_that_is_not_true_fails() -> None:
    """Other events, events instead of none, no refusal, another refusal: each fails the test."""
    with pytest.raises(AssertionError):
        SWITCH.given().when(light).then("dark")
    with pytest.raises(AssertionError):
        SWITCH.given().when(light).then_nothing()
    with pytest.raises(AssertionError, match="instead of refusing"):
        SWITCH.given().when(light).then_refused(ValueError)
    with pytest.raises(AssertionError):
        SWITCH.given("lit").when(repaint, colour="red").then_refused(ValueError, "not blue")
    with pytest.raises(ValueError, match="not red"):
        SWITCH.given("lit").when(repaint, colour="red").then_refused(KeyError)
    with pytest.raises(ValueError, match="not red"):
        SWITCH.given("lit").when(repaint, colour="red").then("red")


def test_a_frozen_clock_moves_only_when_told() -> None:
    """Time stands still between steps, and ids are new and in order."""
    clock = FrozenClock()
    began = clock.now()
    assert clock.now() == began
    assert (clock.advance(90.0).now() - began).total_seconds() == 90.0
    assert clock.new_id() < clock.new_id()
