"""Specification: when something that stays is looked at again."""

from __future__ import annotations

from schemas.marks import Diary, Ends, Mark
from services.janitor.waiting import FORGET, Waiting

OLD: Ends = {"SEND": 3, "DELIVERY": 5}


def diary(lived: float = 0.0, **ends: int) -> Diary:
    """So far were the streams at the look."""
    return Diary(lived=lived, marks=(Mark(at=lived, ends=ends),), born={"SEND": "then"})


def due(waiting: Waiting[str], old: Ends) -> bool:
    """Whether it is looked at; where not, it is counted as it was."""
    kept: list[str] = []
    found = waiting.due(["a"], old, kept.append)
    assert bool(found) != bool(kept)
    return bool(found)


def test_what_waits_for_a_record_is_left_alone_until_one_could_be_old() -> None:
    """However often a look is taken: not before the horizon passes where a stream ended."""
    waiting: Waiting[str] = Waiting()
    for why in ("held", "scheduled", "sending", "undecided", "underway"):
        waiting.begin(diary(SEND=4, DELIVERY=5), 1)
        assert due(waiting, OLD) == (why == "held")
        waiting.note("a", why)
        assert not due(waiting, OLD)
        assert not due(waiting, {"SEND": 4, "DELIVERY": 5})
        assert due(waiting, {"SEND": 4, "DELIVERY": 6})


def test_what_a_consumer_may_end_is_looked_at_once_one_comes_further() -> None:
    """An acknowledgement is recorded nowhere; what is held or scheduled waits for none."""
    waiting: Waiting[str] = Waiting()
    for why, again in (("sending", True), ("undecided", True), ("underway", True), ("held", False)):
        waiting.begin(diary(SEND=4), 1)
        waiting.note("a", why)
        waiting.begin(diary(SEND=4), 2)
        assert due(waiting, OLD) == again


def test_what_is_young_is_looked_at_when_its_last_word_is_old() -> None:
    """Also where nothing was recorded since."""
    waiting: Waiting[str] = Waiting()
    waiting.begin(diary(SEND=4, DELIVERY=6), 1)
    waiting.note("a", "young", {"DELIVERY": 6})
    assert not due(waiting, OLD)
    assert due(waiting, {"SEND": 4, "DELIVERY": 6})


def test_everything_is_looked_at_once_a_day_and_where_streams_are_new() -> None:
    """What is taken away by hand is recorded nowhere; nor is what cannot be told remembered."""
    waiting: Waiting[str] = Waiting()
    waiting.begin(diary(SEND=4), 1)
    for why in ("", "unknown", "parked"):
        waiting.note("a", "held")
        waiting.note("a", why)
        assert due(waiting, OLD)
    waiting.note("a", "held")
    waiting.begin(diary(FORGET - 1, SEND=4), 1)
    assert not due(waiting, OLD)
    waiting.begin(diary(FORGET, SEND=4), 1)
    assert due(waiting, OLD)
    waiting.note("a", "held")
    waiting.begin(Diary(lived=FORGET + 1, born={"SEND": "now"}), 1)
    assert due(waiting, OLD)
