"""What is known of the streams, in `state_dir/streams.json`: whether one has gone back.

A broker whose store is damaged may begin with an emptied stream, and say so in its log alone.
Whoever went on would take sequences a second time, and fold rosters and analytics anew from
nothing. So that which was seen stored is remembered, always later than the broker has it: a crash
may leave the file older than the streams, never newer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from postroad.runtime.apierror import ApiError
from postroad.runtime.errors import PostroadError
from postroad.runtime.secretfile import replace_private
from schemas import subjects

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker

NAME = "streams.json"
NOT_FOUND = 10059
PAGE = "docs/operators/stream-gone-back.md"
_WHOLE = ("MEMBERSHIP", "LISTS")  # from which nothing is ever deleted
_WATCHED = tuple(stream.name for stream in subjects.STREAMS if not stream.relaxed)


class End(msgspec.Struct, frozen=True):
    """Of one stream: when it was made, its last sequence, and how many up to that are no more."""

    created: str
    last: int
    gone: int


Ends = Mapping[str, End]


def lost(known: Ends, found: Mapping[str, End | None]) -> dict[str, str]:
    """The streams that have gone back, and how; None is a stream that is not there, and what is
    in `found` not at all could not be seen. Pure."""
    told = {}
    for name, end in known.items():
        if name not in found or not end.last:
            continue
        now = found[name]
        if now is None:
            told[name] = f"is gone; it had {_messages(end.last)}"
        elif now.last < end.last:
            told[name] = f"has gone back: it ends at {now.last:,}, and ended at {end.last:,} before"
        elif now.created != end.created:
            told[name] = f"was made anew; the one before ended at {end.last:,}"
        elif name in _WHOLE and now.gone > end.gone:
            told[name] = f"has lost {_messages(now.gone - end.gone)}, which nothing deletes"
    return told


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"


def read(state_dir: Path) -> dict[str, End]:
    """What is known; nothing where there is no file, or it cannot be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((state_dir / NAME).read_bytes(), type=dict[str, End])
    return {}


def write(state_dir: Path, ends: Ends) -> None:
    """Replace it. Raises OSError."""
    data = msgspec.json.format(msgspec.json.encode(ends, order="sorted"), indent=1)
    replace_private(state_dir / NAME, data, lasting=True)


def forget(state_dir: Path) -> None:
    """Know nothing more: other streams take the place of those."""
    (state_dir / NAME).unlink(missing_ok=True)


async def seen(broker: Broker) -> dict[str, End | None]:
    """The streams as they are. Raises BrokerUnavailable."""
    found: dict[str, End | None] = {}
    for name in _WATCHED:
        try:
            info = await broker.api(f"STREAM.INFO.{name}")
        except ApiError as error:
            if error.err_code == NOT_FOUND:
                found[name] = None
            continue  # of a stream that has no leader nobody knows
        state = info["state"]
        last = state["last_seq"]
        found[name] = End(info["created"], last, last - state["messages"])
    return found


async def looked(broker: Broker, state_dir: Path) -> dict[str, str]:
    """The streams that have gone back; where none has, what there is is known from now on.
    Raises BrokerUnavailable."""
    known = read(state_dir)
    found = await seen(broker)
    if told := lost(known, found):
        return told
    now = {**known, **{name: end for name, end in found.items() if end is not None}}
    if now != known:
        with contextlib.suppress(OSError):  # a full disk: what is known stays older
            write(state_dir, now)
    return {}


async def gone_back(broker: Broker, state_dir: Path) -> dict[str, str]:
    """The streams that have gone back; nothing is written. Raises BrokerUnavailable."""
    known = read(state_dir)
    return lost(known, await seen(broker)) if known else {}


async def refuse(broker: Broker, state_dir: Path) -> None:
    """Raises PostroadError where a stream has gone back: nobody may go on with it."""
    if told := await gone_back(broker, state_dir):
        raise PostroadError(sentence(told))


async def accept(broker: Broker, state_dir: Path, name: str) -> str | None:
    """Go on with a stream as it is: what it had lost, None where that is nothing. One that is not
    there will be made. Raises BrokerUnavailable, OSError."""
    known, found = read(state_dir), await seen(broker)
    told = lost(known, found).get(name)
    if told is not None:
        del known[name]
        if (now := found[name]) is not None:
            known[name] = now
        write(state_dir, known)
    return told


def sentence(told: Mapping[str, str]) -> str:
    """What is wrong, and what helps."""
    what = "; ".join(f"stream {name} {how}" for name, how in told.items())
    return (
        f"{what}; nothing goes on with it: restore a backup, or have it go on with what is left "
        f"by `postroad stream accept {next(iter(told))}` ({PAGE})"
    )
