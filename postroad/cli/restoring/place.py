"""Where streams are restored: beside the place of the embedded broker, into which they are moved
when all are there, or an external broker, from which those that were made are removed again where
the rest fails."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.runtime import streamends
from postroad.runtime.apierror import NO_STREAM, ApiError
from postroad.runtime.backup.order import ordered
from postroad.runtime.embedded import embedded, is_running
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.secretfile import private_directory
from postroad.runtime.synced import sync

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config

BESIDE = "restoring"  # in state_dir, until all is there
OLDEST = (2, 15)  # whose archives have sequences and times


@contextlib.asynccontextmanager
async def empty(config: Config) -> AsyncIterator[Broker]:
    """A broker without streams of ours. Raises UsageError where they are, or something runs."""
    if not config.broker.embedded:
        async with _external(config) as broker:
            yield broker
        return
    state_dir = config.site.state_dir
    if is_running(state_dir):
        raise UsageError(f"Postroad runs in {state_dir}; a restore needs a state_dir of its own")
    if (store := state_dir / "broker" / "jetstream").exists() and any(store.glob("**/streams/*")):
        raise UsageError(
            f"{state_dir} has streams already: nothing is put over them. To replace them, move the "
            f"folder away first (mv {state_dir} {state_dir}.before), or name another "
            "site.state_dir"
        )
    private_directory(state_dir)
    beside = state_dir / BESIDE
    with _room(beside):
        if beside.exists():
            if is_running(beside):
                raise UsageError(f"another restore into {state_dir} is under way")
            shutil.rmtree(beside)  # of one that was broken off
    # syncing each message would take minutes a million; all is synced before it is moved
    async with embedded(beside, sync="2m") as server:
        from postroad.runtime.broker import Broker

        async with await Broker.connect(server.reach.url, name="restore") as broker:
            yield broker
    with _room(beside):
        await asyncio.to_thread(_synced, beside / "broker")
        shutil.rmtree(state_dir / "broker", ignore_errors=True)  # without streams, as was seen
        (beside / "broker").rename(state_dir / "broker")
        streamends.forget(state_dir)  # what was known of those before
        sync(state_dir)
        shutil.rmtree(beside)


def _synced(folder: Path) -> None:
    """Have all files of a folder on the disk."""
    for path in (folder, *folder.rglob("*")):
        if path.is_file() or path.is_dir():
            sync(path)


@contextlib.contextmanager
def _room(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PostroadError(f"{place}: {(error.strerror or str(error)).lower()}") from error


@contextlib.asynccontextmanager
async def _external(config: Config) -> AsyncIterator[Broker]:
    from postroad.runtime.provision import version as served_by
    from postroad.runtime.service import connect

    async with await connect(config, "restore") as broker:
        version = served_by(broker)
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise PostroadError(
                f"the NATS server is version {version}: restoring needs 2.15 or newer; restore "
                'with broker.url = "embedded", or upgrade the server'
            )
        if there := [name for name in ordered() if await _exists(broker, name)]:
            raise UsageError(
                f"the broker has streams of Postroad already ({', '.join(there)}): nothing is put "
                "over them; use another account or server, or remove them (nats stream rm)"
            )
        try:
            yield broker
            streamends.forget(config.site.state_dir)  # what was known of those before
        except BaseException:
            for name in ordered():
                with contextlib.suppress(Exception):
                    await broker.api(f"STREAM.DELETE.{name}")
            raise


async def _exists(broker: Broker, name: str) -> bool:
    try:
        await broker.api(f"STREAM.INFO.{name}")
    except ApiError as error:
        if error.err_code != NO_STREAM:
            raise
        return False
    return True
