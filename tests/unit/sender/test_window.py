"""Whom a window offers to the relay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.road import Failure
from services.sender.window import Plan, Withhold, plan, together


def without(who: set[int]) -> Withhold:
    """Withholds these."""
    return lambda n: Failure(index=n, code=0, kind="left") if n in who else None


def test_nobody_withheld_makes_windows_of_the_full_width() -> None:
    """The usual case: as many as the window takes, then the rest."""
    assert plan(0, 40, 16, without(set())) == Plan(0, 16, [*range(16)], [])
    assert plan(32, 40, 16, without(set())).end == 40


def test_who_is_withheld_takes_no_place_in_a_window() -> None:
    """A chunk most of whom are withheld needs few windows; those behind the last belong to it."""
    found = plan(0, 40, 4, without({*range(2, 30), 32, 33, 34}))
    assert (found.offered, found.end) == ([0, 1, 30, 31], 35)
    assert plan(35, 40, 4, without({*range(35, 40)})).offered == []


@given(
    st.integers(1, 60),
    st.sets(st.integers(0, 59)),
    st.lists(st.integers(1, 20), max_size=60),
)
def test_everybody_is_offered_or_withheld_once(size: int, who: set[int], widths: list[int]) -> None:
    """Windows of any width cover the chunk without a gap."""
    offered: list[int] = []
    withheld: list[int] = []
    at = 0
    for width in [*widths, *[1] * size]:
        if at == size:
            break
        found = plan(at, size, width, without(who))
        assert found.start == at < found.end
        assert len(found.offered) <= width
        offered += found.offered
        withheld += [failure.index for failure in found.withheld]
        assert sorted(offered + withheld) == list(range(found.end))
        at = found.end
    assert set(withheld) == who & set(range(size))


def test_a_domain_with_many_recipients_has_messages_of_its_own() -> None:
    """Who fills a quarter of a message shares it with no other domain; the others share theirs."""
    domains = ["a"] * 2 + ["b"] * 2 + ["c"] * 12 + ["d"] * 2 + ["e"] * 2 + ["f"] * 3 + ["g"]
    ends = [0]
    while ends[-1] < len(domains):
        ends.append(together(domains, ends[-1], 10, 10))
    assert ends == [0, 4, 14, 20, 23, 24]
    assert together(["a"] * 4 + ["b"] * 3 + ["c"] * 3, 0, 10, 100) == 10


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=80), st.integers(1, 30))
def test_messages_cover_all_domains(domains: list[str], room: int) -> None:
    """Every message has somebody, none more than there is room for."""
    domains.sort()
    at = 0
    while at < len(domains):
        end = together(domains, at, room, 30)
        assert at < end <= min(len(domains), at + room)
        at = end
