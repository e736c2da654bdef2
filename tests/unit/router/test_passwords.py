"""Guessing the moderator's password is slow, and keeps nobody out who knows it."""

from __future__ import annotations

import time

import pytest

from postroad.mail import approval
from services.router import passwords
from services.router.passwords import WRONG, Passwords
from tests.unit.router.mails import the_list

KEPT = approval.hashed("correct horse", bytes(16))
TEAM = the_list(moderator_password=KEPT)


async def test_only_so_many_guesses_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten wrong ones within a minute the eleventh is not tried, right or wrong, unless the
    right one was known before; other lists are not concerned."""
    monkeypatch.setattr(passwords, "SECONDS", 3600.0)
    judge, fresh = Passwords(), Passwords()
    assert await judge.judge(TEAM, "correct horse") == "right"
    for number in range(WRONG):
        assert await judge.judge(TEAM, f"guess {number}") == "wrong"
    assert await judge.judge(TEAM, "guess") == "limited"
    assert await judge.judge(TEAM, "correct horse") == "right"
    other = the_list(moderator_password=approval.hashed("another horse", bytes(16)))
    assert await fresh.judge(other, "correct horse") == "wrong"
    assert await fresh.judge(TEAM, "correct horse") == "right"


async def test_a_password_that_was_right_costs_nothing_again() -> None:
    """Only the first post of a moderator is slow."""
    judge = Passwords()
    await judge.judge(TEAM, "correct horse")
    began = time.process_time()
    for _ in range(100):
        assert await judge.judge(TEAM, "correct horse") == "right"
    assert time.process_time() - began < 0.1  # 100 tries take 10 s


async def test_a_new_password_ends_the_old_one() -> None:
    """What was right is so only for what the list keeps now."""
    judge = Passwords()
    assert await judge.judge(TEAM, "correct horse") == "right"
    changed = the_list(moderator_password=approval.hashed("another horse", bytes(16)))
    assert await judge.judge(changed, "correct horse") == "wrong"
    assert await judge.judge(the_list(), "correct horse") == ""
    assert await judge.judge(TEAM, "") == ""
