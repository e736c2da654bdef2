"""The circuit breaker of a domain: it opens, tries one copy now and then, and closes again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.sending import Routing, routing
from tests.e2e.system import until
from tests.peers.sink import Rule, Script

REST = 2.0  # seconds, in the place of a minute
SHORTER = f"from services.sender import destinations\ndestinations.FIRST_REST = {REST}\n"
LATER = Rule(at="rcpt", match="@sick", reply="450 4.4.1 connection timed out")


async def told(here: Routing, detail: str) -> None:
    """Wait until this is said of the relay, which works."""

    async def is_told() -> bool:
        return await here.facts("out") == (True, detail)

    await until(is_told, f"the status says {detail!r}")


async def asked(here: Routing) -> int:
    """How often the relay refused somebody of the domain."""
    outcomes = [entry.outcome for entry in await here.ledger() if entry.outcome]
    return sum(1 for outcome in outcomes for f in outcome.failures if f.code == 450)


async def test_it_is_left_alone_and_served_when_it_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused many times in a row, it is asked for one copy after each rest; the first that is
    taken opens the way for all, and everybody has one copy."""
    (tmp_path / "sitecustomize.py").write_text(SHORTER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *sys.path)))
    relay = {"out": {"retry_after": '"1s"', "connections": "1"}}
    async with routing(tmp_path, relay, scripts={"out": Script(rules=(LATER,))}) as here:
        ref = await here.post(1)
        domains = ("good.example", "sick.example")
        everyone = [a for n in range(4) for a in await here.queue(ref, n, 60, domains=domains)]
        await told(here, "sick.example waits")
        before = await asked(here)

        async def tried_again() -> bool:
            return await asked(here) > before

        await until(tried_again, "it was asked again")
        here.sinks["out"].tell(Script())
        await here.arrived(everyone)
        await told(here, "")
        assert await asked(here) <= 40, "two windows, and one copy after each rest"
