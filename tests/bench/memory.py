"""The memory of a running system that has nothing to do: supervisor, broker and every service that
`postroad up` runs, projector and janitor among them.

PSS (proportional set size) from /proc, so that shared pages count once. Measured five seconds
after every service is ready, connected to an empty Dovecot mailbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.road import Mailbox, Road
from tests.bench.yardsticks import Bound
from tests.peers.dovecot import Dovecot
from tests.peers.process import free_port

SETTLED = 5.0
USER, PASSWORD = "lists@example.org", "secret"


async def measure() -> AsyncIterator[Figure]:
    """The sum, and each process's part."""
    async with (
        Dovecot.start({USER: PASSWORD}) as dovecot,
        Road.start(free_port(), Mailbox(dovecot.port, USER, PASSWORD)) as road,
    ):
        await asyncio.sleep(SETTLED)
        parts = {name: processes.pss(pid) for name, pid in road.pids.items()}
        scenario = "memory when idle (PSS), all processes"
        yield Figure.median(scenario, [sum(parts.values())], "MB", need=Bound(450), parts=parts)
