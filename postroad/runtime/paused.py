"""What stands still behind a restore, until a person says that it may go on: ingest and sender.

The mark lies in the bucket CHECKPOINTS, so it holds on whatever machine they run.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from postroad.runtime.errors import PostroadError
from schemas import subjects

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.service import Context

HELD = ("ingest", "sender")
FACT = "restored"  # the kind of fact that status shows
POLL_SECONDS = 2.0


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Since when, from which backup, and what `--skip-before` said; times in RFC 3339."""

    since: str
    backup: str
    taken: str
    skip_before: str = ""

    @property
    def told(self) -> str:
        """In words."""
        return (
            f"paused: restored from the backup of {self.taken}; see what would go out with "
            "`postroad resume --dry-run`, then `postroad resume`"
        )


async def pause(broker: Broker, why: Pause) -> None:
    """Have ingest and sender stand still."""
    await broker.publish(subjects.pause(), msgspec.json.encode(why))


async def paused(broker: Broker) -> Pause | None:
    """Why they stand still; None where they do not."""
    last = await broker.last("KV_CHECKPOINTS", subjects.pause())
    if last is None or not last.data:
        return None
    return msgspec.json.decode(last.data, type=Pause)


async def lift(broker: Broker) -> None:
    """Let them go on, within seconds."""
    last = await broker.last("KV_CHECKPOINTS", subjects.pause())
    if last is not None:
        await broker.erase("KV_CHECKPOINTS", last.seq)


async def wait(context: Context) -> None:
    """Return when the pause is over, or the service is told to stop; at once where there is none.
    Raises PostroadError where it was to run `once`."""
    name = context.health.service
    told = False
    while name in HELD and not context.stopping.is_set():
        why = await paused(context.broker)
        if why is None:
            break
        if context.once:
            raise PostroadError(f"{name} is {why.told}")
        if not told:
            context.health.report(FACT, name, ok=False, detail=why.told)
            context.ready()
            told = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await context.stopping.wait()
    if told:
        context.health.report(FACT, name, ok=True)
