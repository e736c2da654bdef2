"""`postroad status`: is it healthy, and if not, what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from postroad.cli.frame import Call, command
from postroad.cli.output import counted, moment, print_table, print_wrapped

if TYPE_CHECKING:
    from postroad.runtime.later import Later, Reason
    from postroad.runtime.verdict import Peer, Stage, Status

SHOWN_REASONS = 5

status = typer.Typer()


@command(status, "status", example="postroad status --json")
async def show(call: Call) -> int:
    """Every service, the mail that waits before it, every source and relay.

    The exit code is 0 when healthy, 1 when degraded, 2 when down.
    """
    from postroad.cli.road import quiet
    from postroad.runtime.status import status as look

    quiet()
    found = await look(call.config)
    call.show(found, lambda: _print(found))
    return found.exit_code


def _print(found: Status) -> None:
    print(f"Postroad is {found.state}")
    for problem in found.problems:
        print_wrapped(problem, "  ")
    for warning in found.warnings:
        print_wrapped(f"warning: {warning}", "  ")
    if found.broker.state == "down":
        return
    print()
    print_table(
        ("stage", "state", "waiting", "in hand", "pids", "restarts", "last error (UTC)"),
        map(_stage, found.stages),
        whole=6,
    )
    if found.sources or found.relays:
        print()
        peers = [("source", peer) for peer in found.sources]
        peers += [("relay", peer) for peer in found.relays]
        print_table(("", "name", "state", "since", ""), (_peer(*peer) for peer in peers))
    if found.held:
        mails = counted(found.held, "mail waits", "mails wait")
        print(f"\n{mails} for a verdict: postroad held ls")
    _print_later(found.later)
    _print_analytics(found)
    print()
    size = f"{found.broker.bytes / 1e6:,.1f} MB"
    print(f"broker: {found.broker.kind}, NATS {found.broker.version}, {size} stored")


def _print_analytics(found: Status) -> None:
    """How far the projector is behind the streams."""
    if not found.analytics:
        return
    behind = [each for each in found.analytics if each.lag]
    if not behind:
        print("\nanalytics: up to date")
        return
    print(f"\nanalytics: {counted(sum(each.lag for each in behind), 'event')} behind")
    rows = ((e.stream, e.position, e.lag, f"{e.lag_seconds:.1f} s") for e in behind)
    print_table(("stream", "folded up to", "behind", "oldest"), rows, whole=4)


def _print_later(later: Later) -> None:
    """What is scheduled, and for what the most of it waits."""
    if not later.chunks:
        return
    print(f"\nwaiting for later: {_copies(later)}; the next of them {moment(later.next)}")
    for reason in later.reasons[:SHOWN_REASONS]:
        relay = f"relay {reason.relay}: " if reason.relay else ""
        print_wrapped(f"{_copies(reason)}: {relay}{reason.why or 'not told'}", "  ")
    if len(later.reasons) > SHOWN_REASONS:
        print(f"  and {len(later.reasons) - SHOWN_REASONS} more reasons (all of them: --json)")


def _copies(some: Later | Reason) -> str:
    return f"{counted(some.copies, 'copy', 'copies')} in {counted(some.chunks, 'chunk')}"


def _stage(stage: Stage) -> tuple[object, ...]:
    pids = ", ".join(str(instance.pid) for instance in stage.instances)
    counts = stage.lag, stage.pending, pids, stage.restarts
    error = f"{stage.last_error_at[11:19]} {stage.last_error}" if stage.last_error else ""
    return stage.stage, stage.state, *counts, error


def _peer(kind: str, peer: Peer) -> tuple[object, ...]:
    state = {True: "works", False: "fails", None: "not tried yet"}[peer.ok]
    if peer.limited:
        state = "at its limit"
    return kind, peer.name, state, peer.since, peer.detail
