"""Who is silent, and who is not to be blamed for it."""

from __future__ import annotations

from postroad.runtime.hearing import Silence

OWN, ROUTER, SENDER = ("supervisor", 1), ("router", 2), ("sender", 3)


def asked(silence: Silence, *answering: tuple[str, int]) -> dict[tuple[str, int], int]:
    """Put a question, which these answer."""
    found = silence.counted([ROUTER, SENDER])
    for who in answering:
        silence.heard(who)
    return found


def test_who_misses_question_after_question_is_counted() -> None:
    """Each question without an answer counts, one answer makes it good, however late."""
    silence = Silence(OWN)
    assert asked(silence, OWN, ROUTER) == {}
    assert asked(silence, OWN, ROUTER) == {SENDER: 1}
    assert asked(silence, OWN, ROUTER) == {SENDER: 2}
    silence.heard(SENDER)
    assert asked(silence, OWN) == {}
    assert asked(silence) == {ROUTER: 1, SENDER: 1}


def test_nobody_is_blamed_for_a_broker_that_is_silent() -> None:
    """Where not even our own answer comes back, the broker is the silent one."""
    silence = Silence(OWN)
    for missed in range(3):
        assert asked(silence) == {}
        assert silence.broker == missed
    silence.heard(OWN)
    asked(silence)
    assert silence.broker == 0


def test_a_new_process_begins_anew() -> None:
    """What the dead one missed is not its successor's."""
    silence = Silence(OWN)
    asked(silence, OWN)
    asked(silence, OWN)
    assert asked(silence, OWN) == {ROUTER: 2, SENDER: 2}
    assert silence.counted([ROUTER, ("sender", 4)]) == {ROUTER: 3, ("sender", 4): 1}
