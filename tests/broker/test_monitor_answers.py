"""The monitor at work on a real broker: what it answers by HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.service import Context, running
from services.monitor.service import SERVICE
from tests.e2e.supervised import told_only
from tests.e2e.system import until
from tests.peers.process import free_port


@contextlib.asynccontextmanager
async def monitor(broker: Broker, home: Path, port: int) -> AsyncIterator[Context]:
    """A monitor that listens there, within the block."""
    file = home / "postroad.toml"
    file.write_text(
        f'[site]\ndomain = "example.org"\nstate_dir = "{home}"\n[telemetry]\nport = {port}\n'
    )
    config = Config.load(file, {})
    async with running("monitor", config, broker) as context:
        task = asyncio.ensure_future(SERVICE.run(context))

        async def is_ready() -> bool:
            return context.health.ready

        await until(is_ready, "the monitor is ready")
        try:
            yield context
        finally:
            context.stopping.set()
            await task


async def test_health_and_metrics_by_http(broker: Broker, tmp_path: Path) -> None:
    """A road that is away is told with 503, as `postroad status` says it; metrics are answered all
    the same, and nothing else is."""
    await told_only(broker, ("monitor",))
    port = free_port()
    async with monitor(broker, tmp_path, port), httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}"
        health, ready, metrics, other, post = [
            await client.get(f"{url}/healthz"),
            await client.get(f"{url}/readyz"),
            await client.get(f"{url}/metrics"),
            await client.get(f"{url}/etc/passwd"),
            await client.post(f"{url}/metrics", content=b"x"),
        ]
    codes = [each.status_code for each in (health, ready, metrics, other, post)]
    assert codes == [503, 503, 200, 404, 405]
    assert json.loads(health.content)["state"] == "down"
    lines = metrics.text.splitlines()
    assert "postroad_state 2.0" in lines
    assert "postroad_broker_up 1.0" in lines
    assert 'postroad_service_instances{postroad_service="router"} 0.0' in lines


async def test_a_port_that_is_taken_keeps_nobody_from_looking(
    broker: Broker, tmp_path: Path
) -> None:
    """Another program has the port: the monitor is at work, and says so."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with monitor(broker, tmp_path, port) as context:
            (fact,) = context.health.answer().facts
    assert (fact.kind, fact.ok) == ("telemetry", False)
    assert "choose another port in [telemetry]" in fact.detail
