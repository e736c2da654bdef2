"""A running system that has nothing to do: what it costs, and how soon it is there.

All that `postroad up` runs, web among it, connected to an empty Dovecot mailbox.

- Memory: PSS (proportional set size) from /proc, so that shared pages count once, five seconds
  after every service is ready. Of pages that other programs use too only our part counts: run it
  with no other Python running.
- Processor: CPU time of all processes over three minutes. It is what they used, not what others
  left them, so it holds on a busy machine.
- Start: from the start of `postroad up` to its line that all is ready, byte code compiled: the
  first time, when every stream is made, and later ones. It is as slow as the machine is busy.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from postroad.runtime.children import die_with_parent
from postroad.runtime.rollcall import rollcall
from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.road import BUILD, RUNNING, Mailbox, Road, write_settings
from tests.bench.yardsticks import Bound
from tests.e2e.system import smtp_relay
from tests.peers.dovecot import Dovecot
from tests.peers.process import free_port

SETTLED = 5.0
MEASURED = 180.0
STARTS = 3
USER, PASSWORD = "lists@example.org", "secret"


async def measure() -> AsyncIterator[Figure]:
    """The sums, with each process's part."""
    async with Dovecot.start({USER: PASSWORD}) as dovecot:
        mailbox = Mailbox(dovecot.port, USER, PASSWORD)
        relays = f"{smtp_relay(free_port())}[web]\nport = {free_port()}\n"
        async with Road.start(0, mailbox, relays=relays) as road:
            reports = await rollcall(road.broker, (*RUNNING, "web", "supervisor"), seconds=10)
            pids = {**road.pids, **{report.service: report.pid for report in reports}}
            (pids["nursery"],) = {*processes.below(pids["supervisor"])} - {*pids.values()}
            await asyncio.sleep(SETTLED)
            parts = {name: processes.pss(pid) for name, pid in pids.items()}
            scenario = "memory when idle (PSS), all processes"
            yield Figure.median(scenario, [sum(parts.values())], "MB", need=Bound(400), parts=parts)
            loop = asyncio.get_running_loop()
            began, before = loop.time(), processes.cpu(pids)
            await asyncio.sleep(MEASURED)
            share = 100 / (loop.time() - began)
            spent = processes.spent(before, processes.cpu(pids))
            scenario = "processor when idle, of one core"
            total = share * sum(spent.values())
            yield Figure.median(scenario, [total], "%", need=Bound(2), cpu=[spent])
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as place:
            write_settings(Path(place), mailbox, relays)
            first, *later = [await started(Path(place)) for _ in range(1 + STARTS)]
        yield Figure.median("postroad up to ready, first start", [first], "s", need=Bound(5))
        yield Figure.median("postroad up to ready", later, "s", need=Bound(5))


async def started(home: Path) -> float:
    """Start `postroad up`, and stop it again; the seconds until all was ready."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "postroad.cli", "up", "--config", str(home / "postroad.toml")),
        env={**os.environ, "POSTROAD_LOG": "error"},
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            line = await process.stdout.readline()
        assert line.startswith(b"Postroad is running"), line
        return loop.time() - began
    finally:
        process.terminate()
        await process.wait()
