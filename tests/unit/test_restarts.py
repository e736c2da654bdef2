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


def test_who_worked_is_not_kept_from_it_for_long():
    """However often it has died, one that was at work for some seconds is back after a quarter of
    them; one that dies at once after its start gains nothing by having been ready."""
    restarts = Restarts()
    for _ in range(10):
        restarts.died()
    assert restarts.died(8.0) == 2.0
    assert restarts.died(0.5) == LONGEST_SECONDS
    assert restarts.crash_looping
