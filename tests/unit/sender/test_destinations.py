"""Domains behind a relay: who is slow, who is left alone for a while, and how both end."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from services.sender.destinations import (
    FIRST_REST,
    LONGEST_REST,
    QUICK,
    REFUSALS,
    TRYING,
    Destinations,
    waits,
)

OTHERS = [f"d{n}.example" for n in range(8)]


def settled(seconds: float = 0.001) -> Destinations:
    """A relay that answered each of several domains in so many seconds."""
    known = Destinations()
    for _ in range(4):
        known.answered(OTHERS, [seconds] * len(OTHERS), 0.0)
    return known


def test_a_slow_domain_is_found_by_comparison() -> None:
    """A domain whose answers take a second where others take a millisecond is apart at once."""
    known = settled()
    known.answered(["a.example"], [0.001], 0.9)
    known.answered(["a.example", "slow.example"], [0.001, 1.0], 1.0)
    assert known.key("slow.example") == "slow.example"
    assert known.key("a.example") == ""
    assert list(known.told()) == [("slow.example", "slow")]


def test_while_it_is_waited_for() -> None:
    """A domain is slow before its answer comes: a quarter of a second beyond what others take is
    enough while others are answered, however quick it was before."""
    known = settled()
    for _ in range(100):
        known.answered(["slow.example"], [0.001], 0.0)
    for n in range(1, 9):  # while we wait
        known.answered(["a.example"], [0.001], n / 25)
    assert not known.waiting(1, "slow.example", 0.2, 0.33)
    assert known.waiting(1, "slow.example", 0.33, 0.33)
    assert not known.waiting(1, "slow.example", 0.4, 0.4)  # known by now


def test_while_nobody_is_answered() -> None:
    """Where nobody is answered, the relay may pause, or our machine: those who are waited for share
    the blame, so that many are not blamed, and one is as soon as nobody else can be."""
    many, one = settled(), settled()
    for now in (0.1, 1.0):
        for lane, domain in enumerate(OTHERS):
            assert not many.waiting(lane, domain, now, now)
    for lane, domain in enumerate(OTHERS):
        many.answered([domain], [1.5], 1.5)
        many.left(lane)
    assert many.plain
    for lane in range(8):
        assert not one.waiting(lane, "slow.example", 0.2, 0.2)
    assert one.waiting(0, "slow.example", 0.3, 0.3)


def test_who_has_most_of_the_answers() -> None:
    """All lanes wait for the domain where nearly everybody is: that says little of it."""
    known = settled()
    known.answered(["large.example"] * 1000, [0.001] * 1000, 0.0)
    assert not known.waiting(1, "large.example", 3.0, 3.0)
    known.answered(["large.example"], [3.0], 3.0)
    assert known.plain


def test_nobody_to_compare_with() -> None:
    """The first answer of all may take as long where others wait behind it, and much longer where
    nobody does. Several such waits are no quick answers, whatever others take."""
    known = Destinations()
    assert not known.waiting(1, "one.example", 4.0, 4.0, others=False)
    assert not known.waiting(1, "one.example", 1.5, 4.0)
    assert known.waiting(1, "one.example", 2.1, 4.0)
    for _ in range(QUICK + 1):  # lanes that waited for it, and nobody else has been answered
        known.answered(["one.example"], [0.3], 0.3)
    assert known.sick("one.example")
    for _ in range(QUICK + 1):
        known.answered(["one.example"], [0.1], 0.3)
    assert known.plain


def test_a_relay_that_turns_slow() -> None:
    """Others are answered meanwhile, and take as long: the relay is slow, and nobody is blamed."""
    known = settled()
    for n in range(40):
        now = 2 + n / 20
        known.answered([OTHERS[n % 8]], [1.0], now)
        assert not known.waiting(1, OTHERS[(n + 4) % 8], 0.8, now)


def test_many_answers_in_a_row() -> None:
    """Answers about one domain that come one after the other may take as long as so many do."""
    known = settled(0.1)
    assert not known.waiting(1, "a.example", 0.1, 1.0, before=(2.0, 20))
    assert known.waiting(1, "a.example", 0.5, 1.0, before=(12.0, 20))


def test_most_are_slow() -> None:
    """However many are slow, each is found: what they take is no measure for the next."""
    known = settled()
    known.answered(["well.example"] * 20, [0.001] * 20, 0.0)
    for n, domain in enumerate(OTHERS[:6]):
        assert known.waiting(1, domain, 0.6, n + 1.0)
        known.answered([domain], [0.6], n + 1.0)
        known.left(1)
    assert len(list(known.told())) == 6


def test_answers_that_come_together() -> None:
    """Of a message to many, whoever's answer comes first is not to blame for the way to the relay
    and back, however often it is the same domain."""
    known = Destinations()
    for number in range(500):
        known.answered(OTHERS * 10, [0.02] + [0.0] * 79, number * 0.02)
    assert known.plain


def test_quick_answers_are_no_credit() -> None:
    """A domain that turns slow after a thousand quick answers is found as soon as any other."""
    known = settled()
    known.answered(["slow.example"] * 1000, [0.001] * 1000, 1.0)
    for n in range(25):
        known.answered(["a.example"], [0.001], 1.0 + n / 25)
    known.answered(["slow.example"], [0.6], 2.0)
    assert known.sick("slow.example")


@given(
    st.lists(st.floats(0.0001, 5.0), min_size=1, max_size=50),
    st.sampled_from(["one.example", "two.example"]),
)
@example([0.0001] * 10 + [5.0], "one.example")
def test_a_slow_relay_blames_no_domain(answers: list[float], domain: str) -> None:
    """Where a relay takes as long for everybody, or there is nobody to compare with, nobody is
    slow."""
    alone, even = Destinations(), Destinations()
    for number, seconds in enumerate(answers):
        alone.answered([domain], [seconds], number)
        even.answered([*OTHERS, domain], [seconds] * 9, number)
    assert alone.plain
    assert even.plain


def test_quick_again() -> None:
    """A slow domain that answers like all others is like all others."""
    known = settled()
    known.waiting(1, "slow.example", 1.0, 1.0)
    for n in range(QUICK):
        assert known.sick("slow.example")
        known.answered(["slow.example"], [0.002], 2.0 + n)
    assert known.plain


def test_a_hiccup_is_forgiven() -> None:
    """One long answer in a while costs nobody much."""
    known = settled()
    for n in range(20):
        known.answered(["a.example"], [0.3], 60.0 * n)
        known.answered(OTHERS, [0.001] * len(OTHERS), 60.0 * n)
        known.answered(OTHERS, [0.001] * len(OTHERS), 60.0 * n)
    assert known.plain


def test_refused_many_times_in_a_row() -> None:
    """After so many refusals nothing is sent for a while; then one copy, and no second before
    its answer; refused again, the rest doubles, to an end; accepted, all is as before."""
    known = Destinations()
    for _ in range(REFUSALS - 1):
        known.refused("dead.example", 0.0)
    assert known.plain
    known.accepted("dead.example")
    for _ in range(REFUSALS + 10):  # of one window
        known.refused("dead.example", 0.0)
    assert known.sick("dead.example")
    assert not known.try_one("dead.example", FIRST_REST - 1)
    now = known.opens("dead.example")
    assert now == FIRST_REST
    for n in range(1, 12):
        assert known.try_one("dead.example", now)
        assert not known.try_one("dead.example", now)
        known.refused("dead.example", now)
        rest = known.opens("dead.example") - now
        assert rest == min(FIRST_REST * 2**n, LONGEST_REST)
        now += rest
    assert known.try_one("dead.example", now)
    known.accepted("dead.example")
    assert known.plain
    assert known.try_one("dead.example", now)


def test_a_try_that_nobody_hears_of_again() -> None:
    """Where the copy to try was not sent after all, another may be, later."""
    known = Destinations()
    known.refused("dead.example", 0.0, silent=True)
    assert known.try_one("dead.example", FIRST_REST)
    assert not known.try_one("dead.example", FIRST_REST + TRYING - 1)
    assert known.try_one("dead.example", FIRST_REST + TRYING)


def test_limited_domains_share_a_group() -> None:
    """Domains of one entry of the settings share their chunks; a sick one has its own."""
    known = Destinations([("gmail.com", "googlemail.com"), ("*.example.org",)])
    assert known.key("googlemail.com") == known.key("gmail.com") == "gmail.com"
    assert known.key("a.b.example.org") == "*.example.org"
    assert known.key("example.org") == ""
    known.refused("gmail.com", 0.0, silent=True)
    assert known.key("gmail.com") == "gmail.com"
    assert known.sick("gmail.com")
    assert not known.sick("googlemail.com")


def test_memory_is_bounded() -> None:
    """A million domains are not remembered."""
    known = Destinations()
    for n in range(25_000):
        known.answered([f"d{n}.example"], [0.001], 0.0)
    known.refused("dead.example", 0.0, silent=True)
    assert len(known._known) <= 10_000
    assert known.sick("dead.example")


def test_whose_wait_it_was() -> None:
    """What a personal copy took is its recipient's; of a shared one only what a recipient's own
    answer took. Who was not asked took no time, not none at all."""
    personal = [([True], {0: 1.0, -1: 2.0}), ([True], {}), ([False], {0: 0.3}), ([False], {})]
    assert waits(personal) == [3.0, 0.0, 0.3, None]
    shared = [([True, True, True], {1: 0.5, -1: 9.0}), ([True, False, False], {1: 0.4})]
    assert waits(shared) == [0.0, 0.5, 0.0, 0.0, 0.4, None]
