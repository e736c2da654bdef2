"""`postroad doctor`: what it makes of checks that end otherwise than by a finding."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from postroad.cli.doctor.examination import Subject, examined
from postroad.cli.doctor.finding import Finding, failed, ok, overall, skipped, warning

CHECKS = ("host", "connection", "tls")


async def findings(end: str) -> AsyncIterator[Finding]:
    """One finding that is ok, then the end."""
    yield ok("host", "relay out", "is there")
    if end == "failed":
        yield failed("connection", "relay out", "nothing listens", "check port")
    elif end == "late":
        await asyncio.Event().wait()
    elif end == "broken":
        raise ZeroDivisionError
    yield ok("tls", "relay out", "trusted")


async def states(end: str) -> list[tuple[str, str, str]]:
    """Check, state and finding of what came of it."""
    found = await examined(Subject("relay out", CHECKS, findings(end)), 0.05)
    assert all(finding.remedy for finding in found if finding.state != "ok")
    return [(finding.check, finding.state, finding.finding) for finding in found[1:]]


async def test_what_needs_a_failed_check_is_skipped() -> None:
    """After a check that the rest needs, nothing more is asked, and the rest is named."""
    assert await states("failed") == [
        ("connection", "failed", "nothing listens"),
        ("tls", "skipped", "not looked at without connection"),
    ]


async def test_a_check_that_never_ends_has_failed() -> None:
    """Patience is limited: the check that is waited for fails, and the rest is skipped."""
    assert await states("late") == [
        ("connection", "failed", "no answer within 0.05 s"),
        ("tls", "skipped", "not looked at without connection"),
    ]


async def test_a_check_that_breaks_has_failed() -> None:
    """A mistake of ours in one check takes no other subject with it, and is told."""
    assert await states("broken") == [
        ("connection", "failed", "this check broke: ZeroDivisionError"),
        ("tls", "skipped", "not looked at without connection"),
    ]


def test_the_worst_finding_is_the_verdict() -> None:
    """Failed before warning before ok; what was skipped is nothing bad."""
    fine, left = ok("a", "s", "f"), skipped("a", "s", "f", "r")
    odd, bad = warning("a", "s", "f", "r"), failed("a", "s", "f", "r")
    assert overall([fine, left]) == "ok"
    assert overall([fine, odd, left]) == "warning"
    assert overall([odd, bad, fine]) == "failed"
