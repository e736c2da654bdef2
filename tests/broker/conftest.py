"""A real nats-server with streams of its own for each test, through the product's own runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import EmbeddedBroker, embedded
from tests.peers.lent import anew, lent


@pytest.fixture
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A running nats-server, its files in `tmp_path` where it is marked `own_broker`."""
    own = request.node.get_closest_marker("own_broker")
    async with (embedded if own else lent)(tmp_path) as running:
        yield running


@pytest.fixture
async def broker(server: EmbeddedBroker) -> AsyncIterator[Broker]:
    """A connection to it, with every stream in place."""
    async with await Broker.connect(server.reach.url, name="test") as connected:
        await anew(connected, ack_wait=2.0)
        yield connected
