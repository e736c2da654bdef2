"""What a process counts, as it tells it."""

from __future__ import annotations

import pytest

from postroad.runtime import metrics
from postroad.runtime.metrics import Instrument, Metrics, Point

COPIES = Instrument(
    name="copies", kind="counter", unit="{copy}", about="copies", attributes=("relay", "outcome")
)
LANES = Instrument(name="lanes", kind="gauge", unit="{lane}", about="lanes")
TOOK = Instrument(name="took", kind="histogram", unit="s", about="time", bounds=(0.1, 1.0))


def test_counters_add_up_by_their_attributes():
    """A counter has one number for each combination of attributes."""
    counted = Metrics()
    counted.add(COPIES, "out", "accepted", by=16)
    counted.add(COPIES, "out", "accepted")
    counted.add(COPIES, "out", "failed")
    assert list(counted.points()) == [
        Point("copies", ("out", "accepted"), 17.0),
        Point("copies", ("out", "failed"), 1.0),
    ]


def test_a_gauge_is_what_it_was_set_to_last():
    """A gauge tells how much there is now."""
    counted = Metrics()
    counted.set(LANES, to=4)
    counted.set(LANES, to=16)
    assert list(counted.points()) == [Point("lanes", (), 16.0)]


def test_a_histogram_has_inclusive_upper_bounds():
    """A value on a bound is in the bucket below it, as in OpenTelemetry and Prometheus."""
    counted = Metrics()
    for value in (0.05, 0.1, 0.5, 7.0):
        counted.record(TOOK, value=value)
    assert list(counted.points()) == [Point("took", (), 7.65, (2, 1, 1))]


def test_series_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """A fault that makes up values without end takes no memory without end."""
    monkeypatch.setattr(metrics, "MOST", 2)
    counted = Metrics()
    for name in "abc":
        counted.add(COPIES, name, "accepted")
        counted.record(TOOK, value=1.0)
    assert len(list(counted.points())) == 2
