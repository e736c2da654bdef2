"""Links to leave by: whether they lead to our web service."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.cli.doctor.checks import REMEDIES
from postroad.cli.doctor.finding import Finding, failed, ok, skipped, warning
from postroad.cli.doctor.judge.broker import START
from postroad.cli.doctor.judge.machine import HERE


@dataclass(frozen=True)
class Web:
    """What answered where links begin: a `status`, and whether the page is `ours`; or the `problem`
    that kept it from being reached. None of them where `running` is off, and nobody was asked."""

    base_url: str
    running: bool = True
    status: int = 0
    ours: bool = False
    problem: str = ""


def web(facts: Web | None) -> Finding:
    """Whether who follows a link gets to us. `facts` is None without [web]."""
    if facts is None:
        return ok("web", HERE, "no [web]: links to leave by are mail addresses")
    if not facts.running:
        return skipped("web", HERE, "Postroad is not running", START)
    if facts.problem:  # some networks cannot reach their own address from within
        what = f"{facts.base_url} cannot be reached from here: {facts.problem}"
        return warning("web", HERE, what, REMEDIES["web"])
    if not facts.ours:
        what = f"{facts.base_url}/u/ is answered by something else (status {facts.status})"
        return failed("web", HERE, what, REMEDIES["web"])
    return ok("web", HERE, f"{facts.base_url}/u/ leads to us")
