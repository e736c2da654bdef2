"""A whole backup: marks, streams in their order, files, and last the line that makes it count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from postroad.runtime import sitekey, streamends
from postroad.runtime.apierror import NO_STREAM, ApiError
from postroad.runtime.backup import order, settingsfiles
from postroad.runtime.backup.copying import Copying
from postroad.runtime.backup.framing import Position, Reader
from postroad.runtime.backup.manifest import FileCopy, Manifest, StreamCopy
from postroad.runtime.backup.vault import Vault
from postroad.runtime.clock import now
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.provision import version as served_by

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config

Tell = Callable[[int, int], None]  # messages dealt with, of how many


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was made. `fresh` counts messages that no backup here had; `stored` octets
    added to the directory, `freed` those of backups that are not kept any longer. Messages that are
    `unreadable` (a stream and its first sequences) are not in it, and then no other backup goes."""

    backup: str
    streams: int
    messages: int
    fresh: int
    stored: int
    freed: int
    files: int
    left_out: tuple[str, ...]
    unreadable: dict[str, list[int]] = {}
    seconds: float


async def make(
    broker: Broker,
    config: Config,
    vault: Vault,
    *,
    keep: int,
    secrets: bool,
    tell: Tell,
) -> tuple[Manifest, Made]:
    """One more backup; without `secrets` the site's key is the only one in it. Raises
    PostroadError, ApiError."""
    begun = now()
    if told := await sitekey.wrong(broker, config):  # nobody could make use of it
        raise UsageError(told)
    with vault.writing():
        before = vault.newest()
        files, left_out = [], []
        for role, path in settingsfiles.found(config):
            if role in ("secret", "login") and not secrets:
                left_out.append(str(path))
            elif (file := _file(vault, role, path)) is not None:
                files.append(file)
        _same(before, files)
        streams, fresh, marks, unreadable = await _streams(
            broker, config.site.state_dir, vault, before, tell
        )
        taken = set(vault.names())
        while (name := begun.strftime("%Y%m%dT%H%M%SZ")) in taken:
            begun += timedelta(seconds=1)
        manifest = Manifest(
            name=name,
            release=version("postroad"),
            server=served_by(broker),
            begun=begun.isoformat(timespec="seconds"),
            ended=now().isoformat(timespec="seconds"),
            marks=marks,
            config=str(config.path),
            state_dir=str(config.site.state_dir),
            streams=tuple(streams),
            files=tuple(files),
            left_out=tuple(left_out),
        )
        with vault.telling():
            vault.keep(manifest)
            freed = vault.prune(keep) if not unreadable else 0
    return manifest, Made(
        backup=name,
        streams=len(streams),
        messages=sum(stream.messages for stream in streams),
        fresh=fresh,
        stored=vault.stored,
        freed=freed,
        files=len(files),
        left_out=manifest.left_out,
        unreadable=unreadable,
        seconds=round((now() - begun).total_seconds(), 2),
    )


def _same(before: Manifest | None, files: list[FileCopy]) -> None:
    """Refuse a directory with the backups of another system: these would go one by one."""
    known = [f.sha256 for f in (before.files if before else ()) if f.role == "key"]
    here = [file.sha256 for file in files if file.role == "key"]
    if known and known != here:
        raise UsageError(
            "the directory has backups of a system with another site key; name another directory "
            "for this one"
        )


def _file(vault: Vault, role: str, path: Path) -> FileCopy | None:
    with vault.telling():
        return settingsfiles.copy(vault, role, path)


async def _streams(
    broker: Broker, state_dir: Path, vault: Vault, before: Manifest | None, tell: Tell
) -> tuple[list[StreamCopy], int, int, dict[str, list[int]]]:
    await streamends.refuse(broker, state_dir)
    there, total, marks = {}, 0, 0
    for name in order.ordered():
        try:
            info = await broker.api(f"STREAM.INFO.{name}")
        except ApiError as error:
            if error.err_code != NO_STREAM:
                raise
            continue
        _goes_on(vault, before, name, info["state"]["last_seq"])
        there[name] = await _readers(broker, name)
        total += info["state"]["messages"]
        if name == order.MARKED:
            marks = info["state"]["last_seq"]
    if not there:
        raise UsageError("there are no streams of Postroad on this broker: nothing to back up")
    streams, fresh, reached = [], 0, 0
    unreadable: dict[str, list[int]] = {}

    def dealt(count: int) -> None:
        nonlocal reached
        reached += count
        tell(min(reached, total), total)

    for name, readers in there.items():
        copying = Copying(broker, vault, name, dealt)
        with vault.telling():
            streams.append(await copying.copy(before.stream(name) if before else None, readers))
        fresh += copying.fresh
        if copying.unreadable:
            unreadable[name] = copying.unreadable
    return streams, fresh, marks, unreadable


def _goes_on(vault: Vault, before: Manifest | None, name: str, last: int) -> None:
    """Refuse to put less beside the last backup: with `keep` it would take the place of more."""
    copy = before.stream(name) if before is not None else None
    if before is not None and copy is not None and last < copy.last:
        raise PostroadError(
            f"stream {name} ends at {last:,}, and at {copy.last:,} in the backup {before.name} of "
            f"{vault.path}: nothing is added there. Restore that backup; or keep it, and name "
            f"another directory for what is left ({streamends.PAGE})"
        )


async def _readers(broker: Broker, stream: str) -> list[Reader]:
    """The durable consumers of a stream, and how far each has come."""
    found: list[Reader] = []
    offset = 0
    while True:
        answer: dict[str, Any] = await broker.api(f"CONSUMER.LIST.{stream}", {"offset": offset})
        page = answer.get("consumers") or []
        for info in page:
            if not info["config"].get("durable_name"):
                continue
            floor = info["ack_floor"]
            at = Position(consumer=floor["consumer_seq"], stream=floor["stream_seq"])
            found.append(Reader(name=info["name"], config=info["config"], floor=at))
        offset += len(page)
        if not page or offset >= answer["total"]:
            return found
