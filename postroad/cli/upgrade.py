"""`postroad upgrade --check`: whether this release reads what is there."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from postroad.cli.frame import Call, command
from postroad.cli.output import counted, print_table
from postroad.cli.progress import progress
from postroad.runtime.errors import PostroadError, Retry, SettingsError, UsageError

upgrade = typer.Typer()
Check = Annotated[bool, typer.Option("--check", metavar="", help="Look, and change nothing.")]


class Checked(msgspec.Struct, kw_only=True):
    """What was found. `wrong` stands against running this release here; `changes` are made by it
    when it is started, `warnings` are of the settings; what was `dropped` is not understood, and
    passed over, as before."""

    releases: list[str] = []
    messages: int = 0
    wrong: list[str] = []
    changes: list[str] = []
    warnings: list[str] = []
    dropped: list[str] = []


class NotChecked(PostroadError):
    """Nothing can be said. Exit code 2."""

    exit_code = 2


@command(
    upgrade, "upgrade", example="postroad upgrade --check --config /etc/postroad/postroad.toml"
)
async def run(call: Call, check: Check = False) -> int:
    """Say whether this release reads what an earlier one wrote, and what it would change.

    Give it with the new release, beside the old one that runs. Logs of earlier releases are folded
    and compared with what became of them then; all events of this system are read and folded; the
    settings are checked, and streams and consumers looked at. Nothing is changed.

    Exit code 0: nothing stands against it. 1: something does. 2: it could not be checked.
    """
    if not check:
        raise UsageError("postroad upgrade looks only: give it --check (docs/operators/upgrade.md)")
    found = Checked()
    _golden(found)
    try:
        config = call.config
        found.warnings += [*config.warnings, *config.check_files()]
    except SettingsError as error:
        found.wrong += str(error).splitlines()
        raise NotChecked(
            "\n".join([*found.wrong, "mend the settings, then check again"])
        ) from error
    try:
        await _here(call, found)
    except NotChecked:
        raise
    except (PostroadError, Retry, OSError) as error:
        raise NotChecked(f"this system was not checked: {error}") from error
    return call.judge(1 if found.wrong else 0, found, lambda: _told(found))


def _golden(found: Checked) -> None:
    from postroad.cli.upgrading import golden
    from postroad.cli.upgrading.outcome import differing

    for release in golden.releases():
        messages, then = golden.log(release)
        found.releases.append(release)
        found.wrong += [
            f"the log of release {release}: {line}, a fault of this release"
            for line in differing(golden.folded(messages), then)
        ]


async def _here(call: Call, found: Checked) -> None:
    from postroad.cli.road import quiet
    from postroad.cli.upgrading import configs, own
    from postroad.runtime.attach import COMMAND, attach

    quiet()
    async with attach(call.config, COMMAND) as (broker, _):
        with progress("reading (messages)") as bar:
            outcome = await own.folded(broker, bar)
        found.changes += await configs.changes(broker, call.config)
    for log in outcome.streams:
        found.messages += log.messages
        if count := log.unknown + log.failed:
            found.wrong.append(
                f"{log.stream}: {counted(count, 'message is', 'messages are')} not understood, "
                f"such as {', '.join(log.first)} (`postroad stream get {log.stream} SEQ`): "
                "of a newer release, or damaged, and would be passed over or parked"
            )
        if log.dropped:
            found.dropped.append(
                f"{log.stream}: {counted(log.dropped, 'message')}, such as "
                f"{', '.join(log.first_dropped)}"
            )


def _told(found: Checked) -> None:
    print_table(
        ("", ""),
        [
            ("logs of earlier releases", ", ".join(found.releases)),
            ("messages here", f"{found.messages:,}"),
            ("made or changed at the start", "\n".join(found.changes) or "nothing"),
            ("warnings", "\n".join(found.warnings) or "none"),
            ("not understood, but dropped", "\n".join(found.dropped) or "none"),
            ("against it", "\n".join(found.wrong) or "nothing"),
        ],
        whole=1,
    )
