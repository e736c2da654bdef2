"""When a process that died is started again."""

from __future__ import annotations

from itertools import pairwise

from postroad.runtime.restarts import LONGEST_SECONDS, LOOPING, Restarts


def test_the_wait_doubles_up_to_half_a_minute():
    """The first restart comes after 0.2 s, each next after twice as long, never above 30 s."""
    restarts = Restarts()
    waits = [restarts.died() for _ in range(12)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == LONGEST_SECONDS == max(waits)
    assert all(later >= earlier for earlier, later in pairwise(waits))


def test_a_settled_process_starts_with_a_clean_record():
    """After a minute of life the next death is a first one, but all deaths stay counted."""
    restarts = Restarts()
    for _ in range(LOOPING):
        restarts.died()
    restarts.settled()
    assert not restarts.crash_looping
    assert restarts.died() == 0.2
    assert restarts.count == LOOPING + 1


def test_one_death_is_no_crash_loop():
    """Only deaths in a row, none of them after a settled life, are called a crash loop."""
    restarts = Restarts()
    for _ in range(LOOPING - 1):
        restarts.died()
        assert not restarts.crash_looping
    restarts.died()
    assert restarts.crash_looping
