"""What is told of what stands, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroad.runtime.alarms.standing import Decision, Found, Key, Standing, decide

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
