"""`postroad restore` and `postroad resume`: back from a backup, and on from there."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.consent import agreed
from postroad.cli.frame import Call, command
from postroad.cli.output import complain, counted, print_table, whole
from postroad.cli.progress import progress
from postroad.runtime.errors import PostroadError

if TYPE_CHECKING:
    from postroad.cli.restoring.outstanding import Waiting
    from postroad.runtime.backup.manifest import Manifest
    from postroad.runtime.backup.returning import Returned
    from postroad.runtime.backup.vault import Vault
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config
    from postroad.runtime.paused import Pause

restore = typer.Typer()
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Where the backups are.")]
At = Annotated[str, typer.Option("--at", metavar="BACKUP", help="Not the newest, but this one.")]
Skip = Annotated[
    str,
    typer.Option(
        "--skip-before", metavar="TIME", help="Do not send what was queued before; or 2h ago."
    ),
]
Erasures = Annotated[
    Path | None,
    typer.Option("--erasures", metavar="FILE", help="Who was erased since ([site] erasures_file)."),
]
Settings = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FOLDER", help="Only put settings and secrets there."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", metavar="", help="Only say what would go out.")]
SHOWN = 15
TWICE = "what was sent since the backup would come twice"
READ = ("router", "accepted", "fanout", "answers")  # durables that make copies of mail


@command(restore, "restore", example="postroad restore /mnt/backups/postroad")
async def run(
    call: Call,
    directory: Directory,
    at: At = "",
    skip_before: Skip = "",
    erasures: Erasures = None,
    settings: Settings = None,
    yes: Yes = False,
) -> int:
    """Put a backup back, onto a machine without streams, and prove it by its sums.

    Ingest and sender stand still then until `postroad resume`; everything else works. What would go
    out is listed: since the backup it may have been sent. With --settings nothing but the settings
    is put back, as they name the place of all the rest.
    """
    from postroad.runtime.backup.vault import Damaged, Vault

    os.umask(0o077)
    vault = Vault(directory.absolute())
    manifest = vault.chosen(at)
    if settings is not None:
        return _settings(call, vault, manifest, settings.absolute())
    before = _time(skip_before)
    config = call.config
    notes = _notes(config, erasures)
    if not (yes or call.json) and not _agreed(call, manifest, config):
        return 2
    try:
        returned = await _streams(config, vault, manifest, before)
    except Damaged as damaged:
        older = f"; older: {', '.join(vault.names()[:-1])}" if len(vault.names()) > 1 else ""
        raise PostroadError(
            f"{damaged}; nothing was restored. `postroad backup {vault.path} --check` says which "
            f"backups are whole: take one by --at{older}"
        ) from damaged
    forgotten = await _forgotten(config, notes)
    from postroad.cli.road import streams

    async with streams(config) as broker:
        rows = await _waiting(broker)
    call.show(
        {
            "backup": manifest.name,
            "state": "paused",
            "streams": whole(returned),
            "erased": len(forgotten),
            "waiting": whole(rows),
        },
        lambda: _told(manifest, returned, len(forgotten), rows),
    )
    return 0


@command(restore, "resume", example="postroad resume --skip-before 2026-11-22T03:00Z")
async def resume(
    call: Call, skip_before: Skip = "", dry_run: DryRun = False, yes: Yes = False
) -> int:
    """Let ingest and sender go on behind a restore.

    What would go out is shown first. With --skip-before, copies of what came or was queued before
    that time are not sent: `postroad explain` says so, and `postroad retry ID --failed` sends them
    after all. Exit code 2: the question was answered with no, or nobody can be asked.
    """
    from postroad.cli.restoring.skipping import skip
    from postroad.cli.road import streams
    from postroad.runtime.paused import lift, paused

    async with streams(call.config) as broker:
        why = await paused(broker)
        if why is None:
            call.show({"paused": False}, lambda: print("nothing is paused"))
            return 0
        before = _time(skip_before or why.skip_before)
        rows = await _waiting(broker)
        undecided = await _undecided(broker)
        skipped = [row for row in rows if before and _moment(row.since) < before]
        report = {"paused": True, "waiting": whole(rows), "undecided": undecided}
        if not call.json:
            _show(rows, skipped, why, undecided)
        if dry_run:
            call.show({**report, "skipped": len(skipped)}, lambda: None)
            return 0
        if before and undecided:
            raise PostroadError(
                f"{counted(undecided, 'mail is', 'mails are')} not made into copies yet, which "
                "--skip-before would miss; start `postroad up` and give the command again"
            )
        if not agreed(call, "Let it go out?", yes=yes):
            return 2
        copies, _ = await skip(broker, before) if before else (0, 0)
        await lift(broker)
        call.show(
            {**report, "paused": False, "skipped_copies": copies},
            lambda: print(
                f"ingest and sender go on; {copies:,} copies were left out"
                if copies
                else "ingest and sender go on"
            ),
        )
    return 0


def _time(text: str) -> datetime | None:
    from postroad.cli.times import since
    from postroad.runtime.clock import now

    return since(text, now(), "--skip-before") if text else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _agreed(call: Call, manifest: Manifest, config: Config) -> bool:
    messages = sum(stream.messages for stream in manifest.streams)
    where = config.site.state_dir if config.broker.embedded else "the broker of broker.url"
    print(
        f"the backup of {manifest.begun} ({manifest.name}): {messages:,} messages of "
        f"{len(manifest.streams)} streams, into {where}"
    )
    return agreed(call, "Put it back?", yes=False)


def _notes(config: Config, given: Path | None) -> list[Any]:
    from postroad.cli.restoring.erasures import noted

    if given is None and not config.site.erasures.exists():
        return []
    return noted(given or config.site.erasures)


async def _streams(
    config: Config, vault: Vault, manifest: Manifest, before: datetime | None
) -> list[Returned]:
    """Every stream, and what stands beside; paused from the first moment on."""
    from postroad.cli.restoring.place import empty
    from postroad.cli.road import quiet
    from postroad.runtime.backup import settingsfiles
    from postroad.runtime.backup.returning import bring_back
    from postroad.runtime.clock import now
    from postroad.runtime.paused import Pause, pause

    quiet()
    found: list[Returned] = []
    done, total = 0, sum(stream.messages for stream in manifest.streams)
    async with empty(config) as broker:
        with progress("putting back (messages)") as bar:

            def tell(count: int) -> None:
                nonlocal done
                done += count
                bar(done, total)

            replicas = config.broker.replicas
            for copy in manifest.streams:
                back = await bring_back(
                    broker, vault, copy, marks=manifest.marks, replicas=replicas, tell=tell
                )
                found.append(back)
        why = Pause(
            since=now().isoformat(timespec="seconds"),
            backup=manifest.name,
            taken=manifest.begun,
            skip_before=before.astimezone(UTC).isoformat(timespec="seconds") if before else "",
        )
        await pause(broker, why)
        for file in manifest.files:
            if file.role == "key":
                settingsfiles.give_back(vault, file, config.key_file)
            elif file.role == "login":
                login = config.site.state_dir / "oauth" / Path(file.path).name
                settingsfiles.give_back(vault, file, login)
    return found


async def _forgotten(config: Config, notes: list[Any]) -> list[str]:
    """Erase once more who was erased since."""
    from postroad.cli.restoring import erasures
    from postroad.cli.road import road, streams

    if not notes:
        return []
    async with streams(config) as broker:
        addresses = await erasures.known(broker, notes)
    if addresses:
        async with road(config) as broker:
            await erasures.again(broker, addresses)
    return addresses


def _settings(call: Call, vault: Vault, manifest: Manifest, folder: Path) -> int:
    """The settings and what they name, below their folder as they were; others beside."""
    from postroad.runtime.backup import settingsfiles

    home = Path(manifest.config).parent
    placed, elsewhere = [], []
    for file in manifest.files:
        path = Path(file.path)
        if file.role == "login" or file.path == f"{manifest.state_dir}/site.key":
            continue  # these go to the state_dir, with the streams
        inside = path.is_relative_to(home)
        place = folder / (path.relative_to(home) if inside else f"elsewhere{path}")
        settingsfiles.give_back(vault, file, place)
        placed.append(str(place))
        if not inside:
            elsewhere.append((str(place), file.path))

    def say() -> None:
        print(f"{counted(len(placed), 'file', 'files')} in {folder}")
        for place, was in elsewhere:
            print(f"move {place}\n  to {was}, or change the settings")
        for path in manifest.left_out:
            print(f"not in the backup: {path}")
        print(f"look at {folder / Path(manifest.config).name} (state_dir, hosts), then:")
        print(f"postroad restore {vault.path} --config {folder / Path(manifest.config).name}")

    call.show(
        {"files": placed, "elsewhere": [was for _, was in elsewhere], "missing": manifest.left_out},
        say,
    )
    return 0


async def _waiting(broker: Broker) -> list[Waiting]:
    from postroad.cli.restoring.outstanding import waiting

    return await waiting(broker)


async def _undecided(broker: Broker) -> int:
    """Mails, decisions and verdicts that no service has dealt with yet."""
    from schemas.subjects import DURABLES

    count = 0
    for durable in DURABLES:
        if durable.name in READ:
            info = await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
            count += info["num_pending"] + info["num_ack_pending"]
    return count


def _told(manifest: Manifest, found: list[Returned], erased: int, rows: list[Waiting]) -> None:
    print_table(
        ("stream", "messages", "sum"),
        [(each.name, f"{each.messages:,}", each.sum[:16]) for each in found],
    )
    print(f"restored from the backup of {manifest.begun}; every stream has the sum it had then")
    if left_out := sum(each.left_out for each in found):
        done = counted(left_out, "mark", "marks")
        print(f"{done} of work done during the backup left out: it is looked at again")
    if erased:
        print(f"{counted(erased, 'person', 'people')} erased once more")
    _list(rows, [])
    print(
        "ingest and sender stand still: start `postroad up`, look at `postroad status`, then "
        "`postroad resume`"
    )


def _show(rows: list[Waiting], skipped: list[Waiting], why: Pause, undecided: int) -> None:
    print(f"paused since {why.since}, restored from the backup of {why.taken}")
    _list(rows, skipped)
    if undecided:
        print(f"{counted(undecided, 'mail is', 'mails are')} still to be made into copies")


def _copies(rows: list[Waiting]) -> str:
    copies = counted(sum(row.copies for row in rows), "copy", "copies")
    return f"{copies} of {counted(len(rows), 'mail', 'mails')}" if rows else "nothing"


def _list(rows: list[Waiting], skipped: list[Waiting]) -> None:
    if not rows:
        print("nothing waits to go out")
        return
    left = {id(row) for row in skipped}
    out = _copies([row for row in rows if id(row) not in left])
    print(
        f"{out} would go out"
        + (f", {_copies(skipped)} are left out:" if skipped else f"; {TWICE}:")
    )
    if 0 < len(skipped) < len(rows):
        print(TWICE)
    print_table(
        ("since", "list", "mail", "copies", "in doubt", ""),
        [
            (
                row.since[:16],
                row.list,
                row.subject or ("a letter" if row.letter else row.mail),
                f"{row.copies:,}",
                f"{row.doubtful:,}",
                "left out" if id(row) in left else "",
            )
            for row in rows[:SHOWN]
        ],
    )
    if len(rows) > SHOWN:
        complain(f"and {len(rows) - SHOWN:,} more; all of them with --json")
