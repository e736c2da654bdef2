"""How many lanes work: by how long the relay takes, and by what it puts up with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.sender.width import FEWEST, LEARN, Width


def after(width: Width, each: float, windows: int = 60, busy: float = 0.1) -> int:
    """The lanes wanted after windows of 16 that took so long a recipient."""
    for n in range(windows):
        width.measured(16 * each, 16, busy=busy, now=float(n))
    return width.wanted


def test_near_and_far() -> None:
    """A relay next door has few lanes, one that is 10 ms away as many as it may; when it comes
    nearer they become fewer again."""
    width = Width(32)
    assert after(width, 0.0002) == FEWEST
    assert after(width, 0.010) == 32
    assert after(width, 0.005, 80) in (20, 21)
    assert after(width, 0.0002, 80) == FEWEST


def test_waits_of_our_own_making() -> None:
    """Where our own processor is what everything waits for, lanes are not added."""
    assert after(Width(20), 0.010, busy=0.95) == FEWEST


def test_a_relay_that_wants_fewer() -> None:
    """A relay that turned a connection away gets no more than it took, and one more to try
    after a while."""
    width = Width(20)
    after(width, 0.010)
    width.turned_away(10, 1000.0)
    assert width.wanted == 10
    width.measured(0.16, 16, busy=0.1, now=1001.0)
    assert width.wanted == 10
    width.measured(0.16, 16, busy=0.1, now=1001.0 + LEARN)
    assert width.wanted == 11


@given(
    st.integers(1, 256),
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 100), st.floats(0, 1))),
)
def test_bounds(most: int, windows: list[tuple[float, int, float]]) -> None:
    """Whatever is measured, there is a lane, and never one more than the settings allow."""
    width = Width(most)
    for now, (seconds, recipients, busy) in enumerate(windows):
        width.measured(seconds, recipients, busy=busy, now=float(now))
        assert min(FEWEST, most) <= width.wanted <= most
