"""Who looks, and what those who look leave to each other in the book."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg

from postroad.runtime import instruments
from postroad.runtime.alarms.table import broker_dying
from postroad.runtime.alarms.telling import Errand
from postroad.runtime.alarms.watch import HOUR, Watch
from postroad.runtime.config import Config
from postroad.runtime.health import Fact, Health, Told
from postroad.runtime.upkeep import Upkeep
from postroad.runtime.verdict import REFUSED


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


async def test_who_hears_of_what_is_over_meanwhile_hears_that_at_once(tmp_path: Path) -> None:
    """The command takes its time, and the thing is well before it ends: the all-clear follows it,
    though nobody looks again."""
    lines, slow, ends = tmp_path / "lines", tmp_path / "slow", tmp_path / "ends"
    os.mkfifo(ends)
    slow.write_text(f'#!/bin/sh\ncat >> "{lines}"\ncat "{ends}"\n')
    slow.chmod(0o755)

    def end() -> None:
        with ends.open("w"):  # once the command is there; the next one need not wait
            ends.unlink()
            ends.touch()

    file = tmp_path / "postroad.toml"
    file.write_text(
        f"[site]\ndomain = 'lists.example.org'\nstate_dir = '{tmp_path}'\n"
        f"[alarm]\ncommand = '{slow}'\n"
    )
    heard: list[Callable[[Msg], Awaitable[None]]] = []

    class Subscribed:
        is_connected = True

        async def subscribe(self, _: str, *, cb: Callable[[Msg], Awaitable[None]]) -> None:
            heard.append(cb)

    broker: Any = SimpleNamespace(nc=Subscribed())
    watch = Watch(Config.load(file, {}), broker)
    async with watch.hearing():
        for text in ("the server refused the login", ""):
            fact = Fact(kind="source", name="box", ok=not text, detail=text, alarm=text)
            told = msgspec.json.encode(Told(service="ingest", fact=fact))
            await heard[0](Msg(_client=broker.nc, data=told))
            await asyncio.sleep(0)
        await asyncio.to_thread(end)
    assert lines.read_text().splitlines() == [
        "source box: the server refused the login",
        "source box works again",
    ]
    assert not watch.book.read()


async def test_what_a_source_left_is_status_too(tmp_path: Path) -> None:
    """Whoever looks reports for each source how many mails it left in the last hour, by which
    status says the same as the alarm; an hour later that there are none."""
    file = tmp_path / "postroad.toml"
    file.write_text(f"[site]\ndomain = 'lists.example.org'\nstate_dir = '{tmp_path}'\n")
    health, ingest = Health("monitor"), Health("ingest")
    away: Any = SimpleNamespace(nc=SimpleNamespace(is_connected=False))
    watch = Watch(Config.load(file, {}), away, health)
    for outcome, mails in (("received", 9), ("refused", 4)):
        ingest.metrics.add(instruments.MAILS, "md", outcome, by=mails)
    watch.totals.take([ingest.answer()])
    await watch.look()
    assert [fact.facts for fact in health.answer().facts] == [{"mails": 4}]
    watch.refused[0] = (watch.refused[0][0] - HOUR, watch.refused[0][1])
    await watch.look()
    assert [fact.facts for fact in health.answer().facts] == [{"mails": 0}]
    assert health.answer().facts[0].kind == REFUSED
