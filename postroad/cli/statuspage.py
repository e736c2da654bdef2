"""What `postroad status` and the live display of `postroad up` say of an installation, in words.

Rows of tables and lines of text; who prints them decides how.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from postroad.cli.output import counted, moment

if TYPE_CHECKING:
    from postroad.runtime.condition import Disk, Folding, Peer, Stage, Status
    from postroad.runtime.later import Later, Reason

STAGES = (
    "stage",
    "state",
    "rate",
    "waiting",
    "in hand",
    "oldest",
    "pids",
    "restarts",
    "last error",
)
STAGES_WHOLE = 6  # of these columns are never folded
PEERS = ("", "name", "state", "seen", "")
SHOWN_REASONS = 5
AGES = ((172_800, 86_400, "d"), (7200, 3600, "h"), (120, 60, "min"), (0, 1, "s"))


def stage(found: Stage) -> tuple[str, ...]:
    """A row of STAGES."""
    return (
        found.stage,
        found.state,
        f"{found.rate:{',.0f' if found.rate >= 100 else '.3g'}} {found.unit}/s"
        if found.rate
        else "",
        f"{found.lag:,}",
        f"{found.pending:,}",
        age(found.oldest_seconds) if found.lag or found.pending else "",
        ", ".join(str(instance.pid) for instance in found.instances),
        str(found.restarts),
        found.last_error_at[11:19] if found.last_error else "",
    )


def peers(found: Status) -> list[tuple[str, ...]]:
    """A row of PEERS for every source and relay."""
    rows = [_peer("source", peer, peer.polled or peer.since) for peer in found.sources]
    return rows + [_peer("relay", peer, peer.since) for peer in found.relays]


def _peer(kind: str, peer: Peer, seen: str) -> tuple[str, ...]:
    state = {True: "works", False: "fails", None: "not tried yet"}[peer.ok]
    if peer.limited:
        state = "at its limit"
    told = [peer.detail] if peer.detail else []
    if peer.breaker == "open":
        told.append(f"paused for {age(peer.paused_seconds)} more")
    elif peer.breaker == "half-open":
        told.append("the next copy tries it again")
    if peer.last_error and peer.last_error != peer.detail:
        told.append(f"last error {peer.last_error_at[5:16].replace('T', ' ')}: {peer.last_error}")
    return kind, peer.name, state, seen[11:19], "; ".join(told)


def errors(found: Status) -> Iterator[tuple[str, str]]:
    """What the column of last errors has the time of: in a column it would be ten lines."""
    for each in found.stages:
        if each.last_error:
            yield f"{each.stage}, at {each.last_error_at[11:19]}: {each.last_error}", ""


def below(found: Status) -> Iterator[tuple[str, str]]:
    """Lines for below the tables, each with the indent of its continuation."""
    if found.held:
        mails = counted(found.held, "mail waits", "mails wait")
        yield f"{mails} for a verdict: postroad held ls", ""
    if found.parked:
        yield f"{counted(found.parked, 'message')} parked in DEADLETTER", ""
    yield from _later(found.later)
    if found.analytics:
        behind = sum(each.lag for each in found.analytics)
        worst: Folding = max(found.analytics, key=lambda each: each.lag_seconds)
        late = f"{counted(behind, 'event')} behind, the oldest {age(worst.lag_seconds)} old"
        yield f"analytics: {late if behind else 'up to date'}", ""
    size = f"{found.broker.bytes / 1e6:,.1f} MB"
    restarts = f", {counted(found.broker.restarts, 'restart')}" if found.broker.restarts else ""
    yield f"broker: {found.broker.kind}, NATS {found.broker.version}, {size} stored{restarts}", ""
    yield from machine(found)


def machine(found: Status) -> Iterator[tuple[str, str]]:
    """Lines on this machine, which need no broker."""
    if found.disk:
        yield _disk(found.disk), ""
    if found.clock and found.clock.synchronised is False:
        yield f"clock: {found.clock.at[:19]} UTC by this machine; nothing keeps it right (NTP)", ""


def _disk(disk: Disk) -> str:
    share = f" of {disk.total / 1e9:,.1f} GB" if disk.total else ""
    own = f"{disk.state_bytes / 1e6:,.1f} MB ours beside the broker's"
    return f"disk: {disk.free / 1e9:,.1f}{share} free in {disk.path}, {own}"


def _later(later: Later) -> Iterator[tuple[str, str]]:
    """What is scheduled, and for what the most of it waits."""
    if not later.chunks:
        return
    yield f"waiting for later: {_copies(later)}; the next of them {moment(later.next)}", ""
    for reason in later.reasons[:SHOWN_REASONS]:
        relay = f"relay {reason.relay}: " if reason.relay else ""
        yield f"{_copies(reason)}: {relay}{reason.why or 'not told'}", "  "
    if len(later.reasons) > SHOWN_REASONS:
        yield f"and {len(later.reasons) - SHOWN_REASONS} more reasons (all of them: --json)", "  "


def _copies(some: Later | Reason) -> str:
    return f"{counted(some.copies, 'copy', 'copies')} in {counted(some.chunks, 'chunk')}"


def _rate(each_second: float) -> str:
    return f"{each_second:,.0f}" if each_second >= 100 else f"{each_second:.3g}"


def age(seconds: float) -> str:
    """A length of time for a person, short: 4 s, 12 min, 3 h, 5 d."""
    _, unit, name = next(each for each in AGES if seconds >= each[0])
    return f"{seconds / unit:.0f} {name}"
