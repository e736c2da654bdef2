"""Some recipients are refused: for now, or for good."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.sending import routing, sending
from tests.e2e.system import until
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

PERIOD = timedelta(seconds=3)  # in the place of five days


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies are tried again for three seconds."""
    monkeypatch.setenv("POSTROAD_SITE__DELIVERY_RETRY_PERIOD", "3s")


async def test_450_comes_back_later_and_550_never(tmp_path: Path) -> None:
    """A 4xx recipient gets the copy by the broker's schedule, once; a 5xx one is recorded and
    not tried again; all others are not touched by it."""
    script = Script(
        rules=(
            Rule(at="rcpt", match="^p0-[37]@", per="subject", times=2, reply="450 4.2.0 later"),
            Rule(at="rcpt", match="^p0-5@", reply="550 5.1.1 p0-5@example.net unknown"),
        )
    )
    async with sending(tmp_path, script, relay={"retry_after": '"1s"'}) as here:
        everyone = await here.queue(await here.post(1), 0, 40)
        await here.finished(3)  # the chunk and two retries
        wanted = frozenset(everyone) - {"p0-5@example.net"}
        report = check(here.sink.records(), [Post("<1@posts>", wanted)])
        assert report.exact, report
        failed = [
            failure
            for entry in await here.ledger()
            if entry.outcome
            for failure in entry.outcome.failures
            if failure.kind == "failed"
        ]
        assert [(f.index, f.code, f.enhanced, f.scope) for f in failed] == [
            (5, 550, "5.1.1", "recipient")
        ]
        assert "@" not in failed[0].text
        await here.tables_agree()


async def test_shared_copies_defer_one_recipient_alone(tmp_path: Path) -> None:
    """In a shared transaction only the refused recipient waits."""
    script = Script(rules=(Rule(at="rcpt", match="^p0-3@", times=1, reply="450 4.2.0 later"),))
    async with sending(tmp_path, script, relay={"retry_after": '"1s"'}) as here:
        everyone = await here.queue(await here.post(1), 0, 250, personal=False)
        await here.finished(2)
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))]).exact
        assert len(here.sink.records()) == 4


@pytest.mark.usefixtures("short")
async def test_who_is_refused_for_longer_than_the_period_is_given_up(tmp_path: Path) -> None:
    """Five days, here three seconds: then the last refusal is final, with its reply, and nothing
    is tried again. Everybody else has their copy since the beginning."""
    script = Script(rules=(Rule(at="rcpt", match="^p0-3@", reply="450 4.2.2 p0-3@x is full"),))
    async with sending(tmp_path, script, relay={"retry_after": '"1s"'}) as here:
        everyone = await here.queue(await here.post(1), 0, 8)

        async def given_up() -> bool:
            failures = [f for e in await here.ledger() if e.outcome for f in e.outcome.failures]
            return any(failure.kind == "failed" for failure in failures)

        await until(given_up, "one recipient is given up")
        ledger = await here.ledger()
        *earlier, (failure,) = [e.outcome.failures for e in ledger if e.outcome]
        assert (failure.code, failure.enhanced, failure.scope) == (450, "4.2.2", "recipient")
        assert failure.text.startswith("given up: ")
        assert "@" not in failure.text
        assert {f.kind for failures in earlier for f in failures} == {"deferred"}
        assert (ledger[-1].finished, ledger[-1].deferred) == (True, ())
        wanted = frozenset(everyone) - {"p0-3@example.net"}
        assert check(here.sink.records(), [Post("<1@posts>", wanted)]).exact


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "first",
    [
        pytest.param((), id="well"),
        pytest.param((Rule(at="mail", times=1, close=True),), id="stale connection"),
        pytest.param((Rule(at="rcpt", times=1, reply="452 4.2.2 full"),), id="one is full"),
    ],
)
async def test_the_last_try_of_a_domain_is_one_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: tuple[Rule, ...]
) -> None:
    """A domain refused everybody until the period was over: unless it refuses again, nobody is
    given up unasked; what became of one says nothing of the next."""
    shorter = "from services.sender import destinations\ndestinations.FIRST_REST = 8.0\n"
    (tmp_path / "sitecustomize.py").write_text(shorter)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *sys.path)))
    script = Script(rules=(Rule(at="rcpt", match="@sick", reply="450 4.4.1 timed out"),))
    relay = {"out": {"retry_after": '"1s"'}}
    async with routing(tmp_path, relay, scripts={"out": script}) as here:
        everyone = await here.queue(await here.post(1), 0, 40, domains=("sick.example",))
        began = datetime.now(UTC)

        async def waits() -> bool:
            over = datetime.now(UTC) - began > PERIOD
            return over and await here.facts("out") == (True, "sick.example waits")

        await until(waits, "the domain is left alone, and the period is over")
        here.sinks["out"].tell(Script(rules=first))
        await here.hurry()
        full = 1 if first and first[0].reply else 0

        async def came() -> bool:
            return len(here.got()) == len(everyone) - full and await here.road.idle()

        await until(came, "all had their chance")
        assert len(set(here.got())) == len(everyone) - full


@pytest.mark.usefixtures("short")
async def test_who_waited_for_a_limit_of_ours_is_not_given_up_at_once(tmp_path: Path) -> None:
    """The period is for refusals: who was asked for the first time after it, because their domain
    may get only so many, is tried again like anybody else."""
    last = Rule(at="rcpt", match="^p0-18@", times=1, reply="450 4.2.0 Greylisted")
    limit = '[[relay.destination]]\ndomains = ["example.net"]\nrate = "2/s"\n'
    relays, scripts = {"out": {"retry_after": '"1s"'}}, {"out": Script(rules=(last,))}
    async with routing(tmp_path, relays, scripts=scripts, more=limit) as here:
        both = ("example.net", "good.example")
        await here.arrived(await here.queue(await here.post(1), 0, 20, domains=both))


@pytest.mark.usefixtures("short")
async def test_a_relay_that_is_away_for_longer_than_the_period_costs_nobody_a_copy(
    tmp_path: Path,
) -> None:
    """Six days, here: what the relay cannot take waits as long as it is away, and nobody is
    given up for it."""
    async with sending(tmp_path, relay={"retry_after": '"1s"'}) as here:
        first = await here.queue(await here.post(1), 0, 8)
        await here.finished(1)
        await here.sink.daemon.stop()
        second = await here.queue(await here.post(2), 1, 8)
        began = datetime.now(UTC)

        async def long_away() -> bool:
            return datetime.now(UTC) - began > 2 * PERIOD

        await until(long_away, "twice the period is over")
        assert not [e for e in await here.ledger() if e.chunk == "1" and e.finished]
        await here.sink.daemon.start()
        await here.finished(2)
        posts = [Post("<1@posts>", frozenset(first)), Post("<2@posts>", frozenset(second))]
        assert check(here.sink.records(), posts).exact
        assert not [f for e in await here.ledger() if e.outcome for f in e.outcome.failures]
