"""What a check found: a line to read, and where it is not well, a line to follow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

State = Literal["ok", "warning", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """One row of the table. `subject` is what was looked at ("source gmail", a domain);
    `remedy` is empty only where the state is ok. `rule` names which of the rules for a
    copy it is of."""

    check: str
    subject: str
    state: State
    finding: str
    remedy: str = ""
    rule: str = ""


def ok(check: str, subject: str, finding: str) -> Finding:
    """All is well."""
    return Finding(check, subject, "ok", finding)


def warning(check: str, subject: str, finding: str, remedy: str) -> Finding:
    """Works, and should be looked at."""
    return Finding(check, subject, "warning", finding, remedy)


def failed(check: str, subject: str, finding: str, remedy: str) -> Finding:
    """Mail will not flow, or is not safe."""
    return Finding(check, subject, "failed", finding, remedy)


def skipped(check: str, subject: str, finding: str, remedy: str) -> Finding:
    """Could not be looked at, or need not be."""
    return Finding(check, subject, "skipped", finding, remedy)


def overall(findings: Iterable[Finding]) -> State:
    """The worst of them; what was skipped is nothing bad."""
    states = {finding.state for finding in findings}
    return "failed" if "failed" in states else "warning" if "warning" in states else "ok"
