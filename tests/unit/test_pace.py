"""How fast things happen."""

from __future__ import annotations

import pytest

from postroad.runtime.pace import SLOT_SECONDS, SLOTS, Pace


def test_a_rate_is_of_the_last_minute() -> None:
    """What is older counts no more, and an hour costs no more memory than a minute."""
    pace = Pace(0.0)
    for second in range(3600):
        pace.add("copies", 20, float(second))
    assert pace.rates(3599.0)["copies"] == pytest.approx(20, rel=0.1)
    assert len(pace._slots) == SLOTS
    assert pace.rates(3599.0 + SLOTS * SLOT_SECONDS + SLOT_SECONDS) == {}


def test_a_young_process_is_as_fast_as_it_was_so_far() -> None:
    """In its first minute the rate is over its life."""
    pace = Pace(100.0)
    pace.add("handled", 30, 104.0)
    assert pace.rates(110.0) == {"handled": 3.0}
