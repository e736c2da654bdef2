"""`postroad backup`: everything into one directory, while all goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from postroad.cli.frame import Call, command
from postroad.cli.output import complain, print_table, whole
from postroad.cli.progress import progress
from postroad.runtime.errors import UsageError
from postroad.runtime.machine import BROKER, full_below, room

if TYPE_CHECKING:
    from postroad.runtime.backup.manifest import Manifest
    from postroad.runtime.backup.vault import Vault
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config

backup = typer.Typer()
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Where the backups are.")]
Keep = Annotated[int, typer.Option("--keep", metavar="N", help="Backups that stay in DIR.", min=1)]
Verify = Annotated[
    bool, typer.Option("--verify", metavar="", help="Then compare it with the streams.")
]
Check = Annotated[
    bool, typer.Option("--check", metavar="", help="Make none; read every piece that is in DIR.")
]
Without = Annotated[
    bool,
    typer.Option("--without-secrets", metavar="", help="Leave out passwords, keys and logins."),
]
KEPT = 7


class Summed(msgspec.Struct, frozen=True, kw_only=True):
    """The copy of a stream; `sum` is of all its messages, with sequences and times."""

    stream: str
    messages: int
    first: int
    last: int
    sum: str
    same: bool = True


@command(backup, "backup", example="postroad backup /mnt/backups/postroad")
async def run(
    call: Call,
    directory: Directory,
    keep: Keep = KEPT,
    verify: Verify = False,
    check: Check = False,
    without_secrets: Without = False,
) -> int:
    """Copy all streams, positions, settings and secrets into DIR, while everything goes on.

    Only what no backup there has is stored. Whatever ends the command, the last complete backup
    stays usable. DIR holds addresses, mail, passwords and keys: guard it like the machine.

    Exit code 1: it could not be made, or --check or --verify found damage.
    """
    from postroad.cli.road import streams
    from postroad.runtime.backup.making import make
    from postroad.runtime.backup.vault import Vault

    os.umask(0o077)
    vault = Vault(directory.absolute())
    if check:
        return await _checked(call, vault)
    config = call.config
    if config.broker.embedded and not (config.site.state_dir / "broker").exists():
        raise UsageError(f"there is nothing in {config.site.state_dir} to back up")
    async with streams(config) as broker:
        with progress("copying (messages)") as bar:
            manifest, made = await make(
                broker, config, vault, keep=keep, secrets=not without_secrets, tell=bar
            )
        compared = await _compared(broker, vault, manifest) if verify else []
    rows = whole([made])
    wrong = [each.stream for each in compared if not each.same]
    call.show(
        {**rows[0], "verified": not wrong if verify else None, "sums": whole(summed(manifest))},
        lambda: print(
            f"backup {made.backup}: {made.messages:,} messages of {made.streams} streams, "
            f"{made.fresh:,} of them new, and {made.files} files; {_mb(made.stored)} stored"
            + (f", {_mb(made.freed)} removed" if made.freed else "")
            + f" in {made.seconds:.1f} s"
            + ("; compared with the streams: the same" if verify and not wrong else "")
        ),
    )
    if made.left_out:
        complain(f"without {', '.join(made.left_out)}: keep them elsewhere")
    if wrong:
        complain(f"not the same as in the broker: {', '.join(wrong)}; make another backup")
    for stream, seqs in made.unreadable.items():
        complain(lost(stream, seqs, full=config.broker.embedded and _full(config)))
    return 1 if wrong or made.unreadable else 0


def lost(stream: str, seqs: Sequence[int], *, full: bool) -> str:
    """What to tell of messages that the broker has and does not give; on a `full` disk it may have
    given out what it could not write."""
    told = ", ".join(f"{seq:,}" for seq in seqs)
    if full:
        return (
            f"{stream}: the broker does not give {told}, and its disk is full: make room, "
            "then make another backup; if that says so too, its store is damaged. No older backup "
            "was removed"
        )
    return (
        f"{stream}: the broker has lost {told}, and does not say so: its store is damaged there. "
        "No older backup was removed: one may have it (docs/operators/broker-will-not-start.md)"
    )


def _full(config: Config) -> bool:
    free, total = room(config.site.state_dir / BROKER)
    return total > 0 and free < full_below(total)


def summed(manifest: Manifest) -> list[Summed]:
    """The sum of each stream in a backup."""
    from postroad.runtime.backup.segments import whole as total

    return [
        Summed(
            stream=each.name,
            messages=each.messages,
            first=each.first,
            last=each.last,
            sum=f"{total(each.pieces):064x}",
        )
        for each in manifest.streams
    ]


async def _compared(broker: Broker, vault: Vault, manifest: Manifest) -> list[Summed]:
    """What the pieces hold, read back from the disk, against what the broker has now of the same
    messages: all of these, but those that were deleted meanwhile."""
    from postroad.runtime.backup.reading import read
    from postroad.runtime.backup.records import encoded
    from postroad.runtime.backup.segments import unpacked

    found = []
    done, total = 0, sum(stream.messages for stream in manifest.streams)
    with progress("comparing (messages)") as bar:
        for copy, row in zip(manifest.streams, summed(manifest), strict=True):
            same = True
            for piece in copy.pieces:
                held = await asyncio.to_thread(list, unpacked(vault, piece))
                entries = {record.seq: entry for record, entry in held}
                async for page in read(broker, copy.name, piece.first, piece.last):
                    for record in page:
                        same = same and entries.get(record.seq) == encoded(record)
                done += piece.count
                bar(done, total)
            found.append(msgspec.structs.replace(row, same=same))
    return found


async def _checked(call: Call, vault: Vault) -> int:
    """Read every piece."""
    from postroad.runtime.backup.vault import Damaged

    names = vault.names()
    if not names:
        raise UsageError(f"{vault.path} holds no backup; `postroad backup {vault.path}` makes one")
    wrong: list[str] = []
    broken: set[str] = set()
    manifests = []
    for name in names:
        try:
            manifests.append(vault.manifest(name))
        except Damaged as damaged:
            wrong.append(str(damaged))
    needed = sorted({name for manifest in manifests for name in manifest.needed()})
    with progress("reading (pieces)") as bar:
        for at, name in enumerate(needed, 1):
            try:
                await asyncio.to_thread(vault.get, name)
            except Damaged as damaged:
                broken.add(name)
                wrong.append(f"{damaged}: {_whose(manifests, name)}")
            bar(at, len(needed))
    whole_ones = [each.name for each in manifests if not each.needed() & broken]
    call.show(
        {"backups": names, "whole": whole_ones, "pieces": len(needed), "damaged": wrong},
        lambda: print_table(
            ("backup", "messages", "state"),
            [
                (
                    each.name,
                    f"{sum(stream.messages for stream in each.streams):,}",
                    "whole" if each.name in whole_ones else "damaged",
                )
                for each in manifests
            ],
        ),
    )
    if wrong:
        complain("\n".join(wrong))
        complain(
            "delete what is damaged: the next backup stores it anew, as far as the streams have "
            "it; look at the disk"
        )
        return 1
    return 0


def _whose(manifests: list[Manifest], name: str) -> str:
    for manifest in manifests:
        for stream in manifest.streams:
            for piece in stream.pieces:
                if piece.name == name:
                    return f"{stream.name} from {piece.first:,} to {piece.last:,}"
        for file in manifest.files:
            if any(name == each for each, _ in file.pieces):
                return file.path
    return "of no backup"


def _mb(octets: int) -> str:
    return f"{octets / 1e6:,.1f} MB"
