"""A login by token: whether there is one, and how long it is good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from postroad.cli.doctor.finding import Finding, failed, ok, warning
from postroad.runtime.settings import Relay, Source

TESTING_DAYS = 7  # that a login lives for a Google app in "testing"


@dataclass(frozen=True)
class Token:
    """`problem` says why there is no token now, in the words of whoever asked for one; `seconds`
    is how long the present one is good, `since` when a person logged in."""

    problem: str = ""
    lasting: bool = False
    seconds: float | None = None
    since: datetime | None = None


def token(subject: str, account: Source | Relay, seen: Token, now: datetime) -> Finding:
    """Stored, renewable, and what will end it."""
    assert account.oauth2 is not None
    if seen.problem:
        causes, _, remedy = seen.problem.rpartition("; ")  # what happened; perhaps why; what helps
        if not seen.lasting:
            passing = "nothing to do if it passes: run postroad doctor again in a few minutes"
            return warning("token", subject, causes or remedy, remedy if causes else passing)
        again = f"log in again: postroad oauth login {account.name}"
        return failed("token", subject, causes or remedy, remedy if causes else again)
    life = f"good for {seen.seconds / 60:.0f} minutes, " if seen.seconds is not None else ""
    what = f"{life}then renewed by itself"
    if account.oauth2.provider == "google" and seen.since is not None:
        ends = seen.since + timedelta(days=TESTING_DAYS)
        if now < ends:
            what += f'; if the Google app is still in "testing", this ends on {ends:%Y-%m-%d}'
    return ok("token", subject, what)
