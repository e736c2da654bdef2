"""At whom a relay hangs up, again and again."""

from __future__ import annotations

from services.sender.stumbles import LASTS, OFTEN, Stumbles


def test_once_is_trouble_of_the_relay() -> None:
    """The first time nobody knows whom it was about; nor later, while the relay serves nobody."""
    stumbles = Stumbles()
    stumbles.worked(1.0)
    assert not stumbles.again("ann", 2.0)
    assert not stumbles.again("ann", 3.0)


def test_again_after_it_worked_is_about_the_recipient() -> None:
    """A relay that serves others in between has something against this one."""
    stumbles = Stumbles()
    stumbles.again("ann", 2.0)
    stumbles.worked(3.0)
    assert stumbles.again("ann", 4.0)
    assert not stumbles.again("bob", 4.0)


def test_without_a_word_of_others_they_go_first() -> None:
    """So that it shows whether they fare better."""
    stumbles = Stumbles()
    for n in range(OFTEN):
        assert not stumbles.often("ann", 9.0)
        stumbles.again("ann", float(n))
    assert stumbles.often("ann", 9.0)


def test_it_is_forgotten() -> None:
    """A mishap of this morning says nothing of tonight."""
    stumbles = Stumbles()
    stumbles.again("ann", 0.0)
    stumbles.worked(1.0)
    assert not stumbles.again("ann", LASTS + 1.0)
    for _ in range(OFTEN):
        stumbles.again("bob", 5.0)
    assert not stumbles.often("bob", 6.0 + LASTS)
    assert not stumbles.blamed("bob", 6.0)


def test_who_is_served_is_like_all_others() -> None:
    """One copy that was taken says more than the hang-ups before it."""
    stumbles = Stumbles()
    stumbles.again("ann", 1.0)
    stumbles.worked(2.0)
    assert stumbles.blamed("ann", 3.0)
    stumbles.forgive("ann")
    assert not stumbles.blamed("ann", 3.0)
    assert not len(stumbles)
