"""Specification: [retention]."""

from __future__ import annotations

import pytest

from postroad.runtime.settings_retention import Retention, check_retention

DAY = 86_400.0


@pytest.mark.parametrize(("mail", "days"), [("30d", 25.0), ("90d", 25.0), ("12d", 10.0)])
def test_mail_is_stale_before_it_is_forgotten(mail: str, days: float) -> None:
    """What a server shows anew is told from what was taken by RECEIVED: with a shorter age, older
    mail is refused sooner."""
    assert Retention(mail=mail).known_seconds == days * DAY


@pytest.mark.parametrize("name", ["mail", "send", "deadletter"])
def test_an_age_is_a_time_of_a_second_at_least(name: str) -> None:
    """Nothing is deleted the moment it is finished, and a slip says which age it is in."""
    assert not list(check_retention(Retention()))
    for wrong in ("0s", "soon"):
        (line,) = check_retention(Retention(**{name: wrong}))
        assert line.startswith(f"[retention] {name}")
