"""What is told of what stands, and when."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from postroad.runtime.alarms.standing import Decision, Found, Key, Standing, decide, owed, taken

OUT = Key("relay", "out")
NOW = 1_800_000_000.0


def wrong(text: str = "over its quota", **times: float) -> Found:
    """The relay `out` fails."""
    return Found(key=OUT, kind="relay", text=text, service="sender", **times)


def told(decision: Decision) -> list[tuple[str, str]]:
    """What people hear."""
    raised = [("raised", each.text) for each in decision.raised]
    return raised + [("cleared", each.name) for each in decision.cleared]


def test_what_is_wrong_is_told_once_and_once_more_when_it_is_well():
    """Seeing the same again tells nobody; the all-clear does, once."""
    first = decide({}, [wrong()], (), NOW)
    again = decide(first.standing, [wrong()], (), NOW + 5)
    well = decide(again.standing, [], {OUT}, NOW + 10)
    still = decide(well.standing, [], {OUT}, NOW + 15)
    assert list(map(told, (first, again, well, still))) == [
        [("raised", "over its quota")],
        [],
        [("cleared", "out")],
        [],
    ]


def test_another_reason_is_told():
    """A new reason is told at once, or `again` seconds after the last at the earliest."""
    first = decide({}, [wrong("it expired")], (), NOW)
    assert told(decide(first.standing, [wrong("it was revoked")], (), NOW + 1))
    soon = decide(first.standing, [wrong("2 more", again=60)], (), NOW + 59)
    assert not told(soon)
    assert told(decide(soon.standing, [wrong("2 more", again=60)], (), NOW + 60))


def test_what_passes_is_not_told():
    """What has to last for a while, and does not, is neither raised nor cleared."""
    first = decide({}, [wrong(after=60)], (), NOW)
    passed = decide(first.standing, [], {OUT}, NOW + 59)
    assert not told(first)
    assert not told(passed)
    assert not passed.standing


def test_what_lasts_is_told():
    """It is told when it has lasted so long, counted from when it was first seen."""
    first = decide({}, [wrong(after=60)], (), NOW)
    assert told(decide(first.standing, [wrong(after=60)], (), NOW + 60))


def test_what_cannot_be_seen_stays_as_it_is():
    """A service that is away says neither that its relay fails nor that it is well: no all-clear,
    and no second alarm when it is back."""
    first = decide({}, [wrong()], (), NOW)
    blind = decide(first.standing, [], (), NOW + 5)
    back = decide(blind.standing, [wrong()], (), NOW + 10)
    assert not told(blind)
    assert not told(back)


def test_a_clock_that_is_set_back_silences_nobody():
    """A new reason is told though the last was told in what is now the future."""
    first = decide({}, [wrong("1 message", again=3600)], (), NOW)
    assert told(decide(first.standing, [wrong("2 messages", again=3600)], (), NOW - 86_400))


@given(st.lists(st.tuples(st.sampled_from(["wrong", "well", "unseen"]), st.integers(1, 400))))
def test_raised_and_cleared_take_turns(looks: list[tuple[str, int]]):
    """Whatever is seen, and whenever: of one reason people hear in turns that it is wrong and that
    it is well, and what stands is what they heard last."""
    standing: dict[Key, Standing] = {}
    heard, now = [], NOW
    for what, seconds in looks:
        now += seconds
        found = [wrong(after=300, again=600)] if what == "wrong" else []
        decision = decide(standing, found, {OUT} if what == "well" else (), now)
        standing = dict(decision.standing)
        heard += [state for state, _ in told(decision)]
    assert heard == (["raised", "cleared"] * len(heard))[: len(heard)]
    assert bool([each for each in standing.values() if each.told]) == (len(heard) % 2 == 1)


WAYS = ("command", "webhook")


def now_owed(standing: Mapping[Key, Standing]) -> list[tuple[str, bool, str]]:
    """Which ways are still to be told: of what, or that it is over."""
    return [(way, bool(each.over), each.said) for each, way in owed(standing.values(), WAYS)]


def test_what_a_way_did_not_take_is_owed_to_it_while_the_reason_stands():
    """Who took the alarm hears nothing more of it; who did not is owed it at each look, and the
    latest reason rather than the first."""
    first = decide({}, [wrong("1 is late")], (), NOW, WAYS).standing
    assert [way for way, _, _ in now_owed(first)] == [*WAYS]
    some = taken(first, first[OUT], "command", NOW + 1)
    later = decide(some, [wrong("1 is late")], (), NOW + 3600, WAYS).standing
    assert now_owed(later) == [("webhook", False, "1 is late")]
    more = decide(later, [wrong("2 are late")], (), NOW + 7200, WAYS).standing
    assert now_owed(more) == [(way, False, "2 are late") for way in WAYS]


def test_the_all_clear_is_for_whom_the_alarm_got():
    """Who never heard of it is not told that it is well; who did is, until it takes that."""
    first = decide({}, [wrong()], (), NOW, WAYS).standing
    some = taken(first, first[OUT], "command", NOW + 1)
    well = decide(some, [], {OUT}, NOW + 60, WAYS).standing
    still = decide(well, [], {OUT}, NOW + 600, WAYS).standing
    assert now_owed(well) == now_owed(still) == [("command", True, "over its quota")]
    assert not taken(still, well[OUT], "command", NOW + 601)
    assert not decide(still, [], {OUT}, NOW + 700, ("webhook",)).standing, (
        "who is gone is owed no more"
    )


def test_what_is_taken_after_it_was_over_is_cleared():
    """A way that is slow may take an alarm when all is well: then it is owed the all-clear."""
    first = decide({}, [wrong()], (), NOW, WAYS).standing
    well = decide(first, [], {OUT}, NOW + 1, WAYS).standing
    assert not well
    late = taken(well, first[OUT], "webhook", NOW + 2)
    assert now_owed(late) == [("webhook", True, "over its quota")]


@given(
    st.lists(
        st.tuples(st.sampled_from(["wrong", "well", "unseen"]), st.booleans(), st.booleans()),
    ),
)
def test_each_way_hears_in_turns_and_in_the_end_how_it_is(looks: list[tuple[str, bool, bool]]):
    """Whenever a way fails, is slow, or works: it hears of one reason in turns that it is wrong and
    that it is well, nothing before the alarm, and once it works again what is true."""
    standing: dict[Key, Standing] = {}
    heard: list[bool] = []
    slow: list[Standing] = []
    state, now = "well", NOW
    for what, works, is_slow in [*looks, ("unseen", True, False), ("unseen", True, False)]:
        now += 5
        state = what if what != "unseen" else state
        found = [wrong()] if what == "wrong" else []
        standing = {**decide(standing, found, {OUT} if what == "well" else (), now, WAYS).standing}
        if slow:  # it took the last one only now
            standing = taken(standing, slow.pop(), "webhook", now)
        for each, way in owed(standing.values(), ["webhook"] if works else []):
            heard.append(not each.over)
            if is_slow:
                slow.append(each)
            else:
                standing = taken(standing, each, way, now)
    assert heard == ([True, False] * len(heard))[: len(heard)]
    assert bool(heard and heard[-1]) == (state == "wrong")
