"""Who looks, and what those who look leave to each other in the book."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from postroad.runtime.alarms.table import broker_dying
from postroad.runtime.alarms.telling import Errand
from postroad.runtime.alarms.watch import Watch
from postroad.runtime.config import Config
from postroad.runtime.health import Health
from postroad.runtime.upkeep import Upkeep


async def test_a_broker_that_keeps_dying_is_told_while_nobody_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor, which alone knows, writes it into the book, once; the monitor reads it there
    and tells it, by the name that people have for it."""
    file = tmp_path / "postroad.toml"
    file.write_text(
        f"[site]\ndomain = 'lists.example.org'\nstate_dir = '{tmp_path}'\n"
        "[alarm]\ncommand = 'true'\n"
    )
    config = Config.load(file, {})
    away: Any = SimpleNamespace(nc=SimpleNamespace(is_connected=False))
    supervisor, monitor = Watch(config, away), Watch(config, away)
    health = Health("supervisor")
    upkeep = Upkeep(health, "broker", "embedded")
    told: list[Errand] = []
    monkeypatch.setattr(monitor.telling, "tell", told.extend)
    while not upkeep.crash_looping:
        supervisor.note(broker_dying(health.answer()))
        assert not supervisor.book.read()
        upkeep.died("was ended by SIGKILL")
    supervisor.note(broker_dying(health.answer()))
    before = supervisor.book.read()
    supervisor.note(broker_dying(health.answer()))
    assert supervisor.book.read() == before
    await monitor.look()
    assert [each.notice.text for each in told if each.notice.alarm == "crashing"] == [
        "the embedded broker: keeps dying (the last time it was ended by SIGKILL)"
    ]
