"""Guessing the moderator's password is slow, and keeps nobody out who knows it."""

from __future__ import annotations

import time

import pytest

from postroad.mail import approval
from projections.lists import List
from services.router import passwords
from services.router.passwords import WRONG, Passwords
from tests.peers.quickhash import quick_hash
from tests.unit.router.mails import the_list

__all__ = ["quick_hash"]


def a_list(password: str = "correct horse") -> List:
    """A list with this password."""
    return the_list(moderator_password=approval.hashed(password, bytes(16)))


@pytest.mark.usefixtures("quick_hash")
async def test_only_so_many_guesses_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten wrong ones within a minute the eleventh is not tried, right or wrong, unless the
    right one was known before; other lists are not concerned."""
    monkeypatch.setattr(passwords, "SECONDS", 3600.0)
    judge, fresh, team = Passwords(), Passwords(), a_list()
    assert await judge.judge(team, "correct horse") == "right"
    for number in range(WRONG):
        assert await judge.judge(team, f"guess {number}") == "wrong"
    assert await judge.judge(team, "guess") == "limited"
    assert await judge.judge(team, "correct horse") == "right"
    other = a_list("another horse")
    assert await fresh.judge(other, "correct horse") == "wrong"
    assert await fresh.judge(team, "correct horse") == "right"


async def test_a_password_that_was_right_costs_nothing_again() -> None:
    """Only the first post of a moderator is slow."""
    judge, team = Passwords(), a_list()
    await judge.judge(team, "correct horse")
    began = time.process_time()
    for _ in range(100):
        assert await judge.judge(team, "correct horse") == "right"
    assert time.process_time() - began < 0.1  # 100 tries take 10 s


@pytest.mark.usefixtures("quick_hash")
async def test_a_new_password_ends_the_old_one() -> None:
    """What was right is so only for what the list keeps now."""
    judge, team = Passwords(), a_list()
    assert await judge.judge(team, "correct horse") == "right"
    changed = a_list("another horse")
    assert await judge.judge(changed, "correct horse") == "wrong"
    assert await judge.judge(the_list(), "correct horse") == ""
    assert await judge.judge(team, "") == ""
