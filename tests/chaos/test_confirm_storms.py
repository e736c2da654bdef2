"""A thousand people confirm in the same moment, or one of them a thousand times."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import embedded
from postroad.runtime.provision import provision
from tests.broker.storms import confirmed_at_once

pytestmark = pytest.mark.chaos
MANY = 1000 if os.environ.get("POSTROAD_CHAOS") == "all" else 40


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("askers", "times"), [(MANY, 1), (1, MANY)], ids=["all", "one"])
async def test_a_storm_of_confirmations(tmp_path: Path, askers: int, times: int) -> None:
    """Each is answered, and everybody is on the list by one event."""
    async with (
        embedded(tmp_path) as server,
        await Broker.connect(server.reach.url, name="test") as broker,
    ):
        await provision(broker)
        outcomes = await confirmed_at_once(broker, tmp_path, askers, times)
    assert outcomes == {"joined": askers, "refused": askers * (times - 1)} or times == 1
    assert outcomes["joined"] == askers
