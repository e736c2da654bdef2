"""Where consumers begin anew: at a sequence of their stream, or at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from postroad.cli.times import since
from postroad.runtime.broker import Broker
from postroad.runtime.errors import UsageError
from schemas import subjects
from schemas.subjects import Durable

BEGINNING = ("0", "1", "beginning")


class Position(msgspec.Struct, frozen=True):
    """A sequence, or where it is None a time."""

    seq: int | None = None
    time: datetime | None = None


def position(text: str, now: datetime, *, several: bool) -> Position:
    """What `--to` means. Raises UsageError; of `several` consumers each stream has sequences of its
    own."""
    if text.strip().lower() in BEGINNING:
        return Position(seq=1)
    if text.strip().isdecimal():
        if several:
            raise UsageError(
                f"--to {text}: each stream has sequences of its own; give a time, or 0 for the "
                "beginning, or reset one consumer"
            )
        return Position(seq=int(text))
    return Position(time=since(text, now, "--to"))


def named(name: str) -> Sequence[Durable]:
    """The durables that this means. Raises UsageError naming those there are."""
    if name == "all":
        return subjects.DURABLES
    found = [each for each in subjects.DURABLES if each.name == name]
    if not found:
        names = ", ".join(each.name for each in subjects.DURABLES)
        raise UsageError(f"there is no consumer {name!r} to reset; there are: {names}, and all")
    return found


async def sequence(broker: Broker, durable: Durable, wanted: Position) -> int:
    """The sequence to begin at in the stream of this consumer. Raises UsageError for one that the
    stream has not reached: what comes until then would be passed over; BrokerUnavailable."""
    if wanted.time is not None:
        start = f"{wanted.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        async for stored in broker.scan(durable.stream, ">", start_time=start):
            return stored.seq
    info = await broker.api(f"STREAM.INFO.{durable.stream}")
    end = int(info["state"]["last_seq"])
    if wanted.seq is not None and wanted.seq > end + 1:
        raise UsageError(f"--to {wanted.seq}: {durable.stream} has no more than {end} yet")
    return end + 1 if wanted.seq is None else max(1, wanted.seq)
