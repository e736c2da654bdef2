"""Half an hour of posts with something breaking every 30 seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.rounds import judge, pass_
from tests.chaos.underway import LANES, WINDOW, Underway, underway
from tests.peers.sink import Rule, Script, Sink

pytestmark = pytest.mark.soak
SECONDS = float(os.environ.get("POSTROAD_SOAK", "1800"))
EVERY = 30.0  # seconds between two faults
SEED = int(os.environ.get("POSTROAD_SEED", str(time.time_ns() % 10_000)))
SERVICES = ("ingest", "router", "membership", "sender", "projector", "janitor", "monitor")


@dataclass(frozen=True)
class Fault:
    """What breaks, and how many copies may come twice for it."""

    name: str
    happens: Callable[[Underway, random.Random], Awaitable[None]]
    doubles: int = 0


def _kill(name: str, doubles: int = 0) -> Fault:
    async def happens(here: Underway, _: random.Random) -> None:
        await here.signal(name, signal.SIGKILL)

    return Fault(f"kill -9 of {name}", happens, doubles)


def _stop(name: str) -> Fault:
    async def happens(here: Underway, _: random.Random) -> None:
        await here.signal(name, signal.SIGTERM)

    return Fault(f"SIGTERM to {name}", happens)


def _freeze(name: str, doubles: int = 0) -> Fault:
    async def happens(here: Underway, dice: random.Random) -> None:
        frozen = await here.signal(name, signal.SIGSTOP)
        await pass_(dice.uniform(1, 12))
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    return Fault(f"{name} frozen for a while", happens, doubles)


async def _mailbox_away(here: Underway, dice: random.Random) -> None:
    async with here.dovecot.stopped():
        await pass_(dice.uniform(1, 10))


async def _relay_away(here: Underway, dice: random.Random) -> None:
    assert isinstance(here.sink, Sink)
    await here.sink.daemon.kill()
    await pass_(dice.uniform(1, 10))
    await here.sink.daemon.start()


async def _relay_refuses(here: Underway, dice: random.Random) -> None:
    here.sink.tell(Script(rules=(Rule(at="mail", reply="451 4.3.0 not now"),)))
    await pass_(dice.uniform(1, 5))
    here.sink.tell(Script())


async def _relay_hangs_up(here: Underway, dice: random.Random) -> None:
    rule = Rule(at="dot", times=dice.randint(1, 4), close=True, record=False)
    here.sink.tell(Script(rules=(rule,)))
    await pass_(dice.uniform(1, 5))
    here.sink.tell(Script())


async def _all_stopped(here: Underway, _: random.Random) -> None:
    await here.down()
    await here.up()


async def _all_killed(here: Underway, _: random.Random) -> None:
    await here.down(signal.SIGKILL)
    await here.up()


FAULTS = (
    *(_kill(name) for name in SERVICES if name != "sender"),
    _kill("sender", LANES),
    _kill("broker"),
    *(_stop(name) for name in SERVICES),
    *(_freeze(name) for name in SERVICES if name != "sender"),
    _freeze("sender", LANES * WINDOW),
    _freeze("broker"),
    Fault("the mailbox is away", _mailbox_away),
    Fault("the relay is killed", _relay_away, LANES * WINDOW),
    Fault("the relay refuses for now", _relay_refuses),
    Fault("the relay hangs up on a mail", _relay_hangs_up, 4 * WINDOW),
    Fault("all is stopped and started", _all_stopped),
    Fault("all is killed and started", _all_killed, LANES),
)


@pytest.mark.timeout(SECONDS + 900)
async def test_whatever_breaks_everybody_gets_every_post(tmp_path: Path) -> None:
    """Nothing is lost; what comes twice stays within what each fault may double; and in the end
    all is well by itself, with no process grown beyond measure."""
    dice = random.Random(SEED)
    loop = asyncio.get_running_loop()
    order = [fault for _ in range(10) for fault in dice.sample(FAULTS, len(FAULTS))]
    happened: list[Fault] = []
    async with underway(tmp_path) as here:
        before = _weights(here)
        end = loop.time() + SECONDS
        async with here.traffic.flowing():
            while (left := end - loop.time()) > 0:
                await pass_(min(left, EVERY * dice.uniform(0.5, 1.5)))
                if loop.time() < end:
                    fault = order[len(happened) % len(order)]
                    print(f"{SECONDS - (end - loop.time()):6.0f} s  {fault.name}", flush=True)
                    happened.append(fault)
                    await fault.happens(here, dice)
        report = await here.traffic.arrived()
        await here.well()
        bound = sum(fault.doubles for fault in happened)
        after = _weights(here)
        print(
            f"seed {SEED}: {len(here.traffic.posted)} posts, {len(happened)} faults, "
            f"{report.counts}, bound {bound}; MB and files before {before}, after {after}"
        )
        judge(report, bound)
        for name, (megabytes, files) in after.items():
            assert megabytes <= 2 * before[name][0] + 100, (name, before, after)
            assert files <= 2 * before[name][1] + 20, (name, before, after)


def _weights(here: Underway) -> dict[str, tuple[int, int]]:
    """Of each process its memory in MB and its open files."""
    found = {}
    for name in (*SERVICES, "broker", "up"):
        (pid,) = here.pids(name)
        status = Path(f"/proc/{pid}/status").read_text()
        kilobytes = int(status.partition("VmRSS:")[2].split()[0])
        found[name] = kilobytes // 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return found
