"""A real nats-server for each test, with its own store, through the product's own runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import EmbeddedBroker, embedded
from postroad.runtime.provision import provision


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A running nats-server."""
    async with embedded(tmp_path) as running:
        yield running


@pytest.fixture
async def broker(server: EmbeddedBroker) -> AsyncIterator[Broker]:
    """A connection to it, with every stream in place."""
    async with await Broker.connect(server.reach.url, name="test") as connected:
        await provision(connected, ack_wait=2.0)
        yield connected
