"""Embedded brokers that are lent to one test after the other: to start one and to make its streams
costs more processor than most tests do with it.

    async with lent(state_dir) as server:  # as with `embedded(state_dir)`
        ...  # connect
        await anew(broker, ack_wait=3.0)

Whoever is lent one finds its lock and how to reach it in `state_dir`, links to its files, and has
every stream `anew`. One that was killed or stopped meanwhile is lent to nobody else. Outside of
pytest nothing is lent.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import EmbeddedBroker, _prepare, embedded
from postroad.runtime.provision import provision
from postroad.runtime.secretfile import private_directory, replace_private
from tests.peers.forkserver import Forked

place: Callable[[], Path] | None = None  # makes a folder for the files of another one
_idle: list[tuple[EmbeddedBroker, int]] = []  # with where its end is told
_made: dict[
    str, Any
] = {}  # by stream: its settings and how many consumers, as `provision` makes it
os.register_at_fork(after_in_child=_idle.clear)


@contextlib.asynccontextmanager
async def lent(state_dir: Path) -> AsyncIterator[EmbeddedBroker]:
    """Have one for the length of the block; it is stopped where that fails."""
    if place is None:
        async with embedded(state_dir) as server:
            yield server
        return
    home = state_dir / "broker"
    private_directory(state_dir)
    private_directory(home)
    with (home / "lock").open("wb") as lock, contextlib.ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        server = await _taken(place)
        running: Any = server.process
        replace_private(home / "access.json", msgspec.json.encode(server.reach))
        for name in ("jetstream", "nats.log"):
            (home / name).symlink_to(server.home / name)
            stack.callback((home / name).unlink)
        try:
            yield server
        except BaseException:
            await server.stop()
            raise
        now: Any = server.process
        if now is running and isinstance(running, Forked) and running.returncode is None:
            _idle.append((server, running.let_go()))
        else:
            await server.stop()


async def _taken(place: Callable[[], Path]) -> EmbeddedBroker:
    """One that nobody has."""
    if _idle:
        server, told = _idle.pop()
        assert server.process is not None
        server.process = Forked(server.process.pid, told)  # type: ignore[assignment]
        return server
    folder = place()
    private_directory(folder / "broker")
    server = EmbeddedBroker(folder / "broker", _prepare(folder, "always"))
    await server.start()
    return server


async def anew(broker: Broker, *, ack_wait: float) -> None:
    """Every stream, and its consumers, as if the broker were new."""
    found = await _streams(broker)
    await asyncio.gather(
        *(
            broker.api(f"STREAM.DELETE.{name}")
            for name, (last, made) in found.items()
            if last or made != _made.get(name)
        )
    )
    await provision(broker, ack_wait=ack_wait)
    if not _made:
        _made.update({name: made for name, (_, made) in (await _streams(broker)).items()})


async def _streams(broker: Broker) -> dict[str, tuple[int, Any]]:
    """By name: its last sequence, and what `_made` has of it."""
    found = (await broker.api("STREAM.LIST"))["streams"] or ()
    return {
        each["config"]["name"]: (
            each["state"]["last_seq"],
            (each["config"], each["state"]["consumer_count"]),
        )
        for each in found
    }


def end() -> None:
    """Of all that nobody has."""
    while _idle:
        server, _ = _idle.pop()
        assert server.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.process.pid, signal.SIGKILL)
