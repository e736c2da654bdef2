"""Durations and sizes."""

from __future__ import annotations

import pytest

from postroad.runtime.errors import SettingsError
from postroad.runtime.quantities import duration, rate, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("60s", 60), ("1.5m", 90), ("2h", 7200), ("30d", 2_592_000), ("1 s", 1)],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is a number and a unit."""
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"), [("40KB", 40_000), ("25mb", 25_000_000), ("1MiB", 1 << 20), ("9", 9)]
)
def test_sizes(text: str, count: int) -> None:
    """KB and MB are decimal, KiB and MiB binary, a bare number is bytes."""
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "60", "-1s", "1w", "s", "1s1s", "١s", "1e9s"])
def test_other_durations_are_refused(text: str) -> None:
    """A duration without its unit is a guess that we do not make."""
    with pytest.raises(SettingsError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("50/s", (50, 1)), (" 600 / min ", (600, 60)), ("3000/H", (3000, 3600)), ("9/d", (9, 86_400))],
)
def test_rates(text: str, meant: tuple[int, float]) -> None:
    """A rate is a count and a time."""
    assert rate(text) == meant


@pytest.mark.parametrize("text", ["", "50", "50/", "/s", "1.5/s", "-1/s", "0/s", "5/w"])
def test_other_rates_are_refused(text: str) -> None:
    """A rate without its time is a guess that we do not make."""
    with pytest.raises(SettingsError, match="is not a rate"):
        rate(text)
