"""What is known of the streams, in `state_dir/streams.json`: whether one has gone back.

A broker whose store is damaged may begin with an emptied stream, and say so in its log alone.
Whoever went on would take sequences a second time, and fold rosters and analytics anew from
nothing. So that which was seen stored is remembered, always later than the broker has it: a crash
may leave the file older than the streams, never newer.

One whose messages alone are gone ends where it did. What is said to be lost is certain to be: a
false alarm would stop all mail. Of RAW, RECEIVED, SEND, PENDING and DEADLETTER anything may have
been deleted by us, and SEEN is not worth it: of these only the end is looked at.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from postroad.runtime.apierror import NO_STREAM, ApiError
from postroad.runtime.errors import PostroadError
from postroad.runtime.secretfile import replace_private
from schemas import subjects

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker

NAME = "streams.json"
PAGE = "docs/operators/stream-gone-back.md"
_WHOLE = ("MEMBERSHIP", "LISTS")  # from which nothing is ever deleted
_AGED = ("ROUTED", "DELIVERY", "THREADS")  # nothing but age takes their last message
_NAMED = {"PEOPLE": 0, "KV_CHECKPOINTS": 1}  # subjects keep their last, but for so many (a pause)
_SURELY = 0.9  # of an age: the broker's clock may not be the one that stamped
_NANO = 1_000_000_000
_WATCHED = tuple(stream.name for stream in subjects.STREAMS if not stream.relaxed)


class End(msgspec.Struct, frozen=True):
    """Of one stream: when it was made, its last sequence, and how many up to that are no more; its
    first sequence, and how many subjects it has, or -1 where a limit of whatever kind may take
    them; the time of its last message and its `max_age`, in seconds, 0 where there is none."""

    created: str
    last: int
    gone: int
    first: int = -1
    subjects: int = -1
    newest: float = 0.0
    age: float = 0.0

    @property
    def holes(self) -> int:
        """How many behind the first are no more."""
        return self.gone - self.first + 1


Ends = Mapping[str, End]


def lost(known: Ends, found: Mapping[str, End | None], at: float) -> dict[str, str]:
    """The streams that have gone back, and how, at this time of the broker in seconds; None is a
    stream that is not there, and what is in `found` not at all could not be seen. Pure."""
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
        elif what := _missing(name, end, now, at):
            told[name] = f"has lost {what}, which nothing deletes"
    return told


def _missing(name: str, end: End, now: End, at: float) -> str:
    if name in _WHOLE and now.gone > end.gone:
        return _messages(now.gone - end.gone)
    if name in _NAMED and now.subjects >= 0 and end.subjects - now.subjects > _NAMED[name]:
        fewer = end.subjects - now.subjects
        return f"all messages of {'1 subject' if fewer == 1 else f'{fewer:,} subjects'}"
    if name in _AGED:
        emptied = now.last == now.gone or now.first > end.last
        if end.last > end.gone and emptied and _young(end, now, at):
            return _messages(end.last - end.gone)
        if min(end.first, now.first) >= 0 and now.holes > end.holes:
            return _messages(now.holes - end.holes)
    return ""


def _young(end: End, now: End, at: float) -> bool:
    """Whether the last message cannot have had its age, be that as it was or is."""
    ages = [age for age in (end.age, now.age) if age]
    return end.newest > 0 and (not ages or end.newest + _SURELY * min(ages) > at)


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


async def seen(broker: Broker) -> tuple[dict[str, End | None], float]:
    """The streams as they are, and the broker's time in seconds. Raises BrokerUnavailable."""
    found: dict[str, End | None] = {}
    at = 0.0
    for name in _WATCHED:
        try:
            info = await broker.api(f"STREAM.INFO.{name}")
        except ApiError as error:
            if error.err_code == NO_STREAM:
                found[name] = None
            continue  # of a stream that has no leader nobody knows
        at = max(at, _seconds(info["ts"]))
        found[name] = _end(info["created"], info["config"], info["state"])
    return found, at or time.time()


def _end(created: str, config: Mapping[str, Any], state: Mapping[str, Any]) -> End:
    last = state["last_seq"]
    age = config["max_age"] / _NANO
    full = config.get("max_msgs", -1) > 0 or config.get("max_bytes", -1) > 0
    few = config.get("max_msgs_per_subject", -1) > 0
    return End(
        created,
        last,
        last - state["messages"],
        first=-1 if full or few else state["first_seq"],
        subjects=-1 if full or age else state.get("num_subjects", 0),
        newest=_seconds(state["last_ts"]) if last else 0.0,
        age=age,
    )


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


async def looked(broker: Broker, state_dir: Path) -> dict[str, str]:
    """The streams that have gone back; where none has, what there is is known from now on.
    Raises BrokerUnavailable."""
    known = read(state_dir)
    found, at = await seen(broker)
    if told := lost(known, found, at):
        return told
    now = {**known, **{name: end for name, end in found.items() if end is not None}}
    if now != known:
        with contextlib.suppress(OSError):  # a full disk: what is known stays older
            write(state_dir, now)
    return {}


async def gone_back(broker: Broker, state_dir: Path) -> dict[str, str]:
    """The streams that have gone back; nothing is written. Raises BrokerUnavailable."""
    known = read(state_dir)
    return lost(known, *await seen(broker)) if known else {}


async def refuse(broker: Broker, state_dir: Path) -> None:
    """Raises PostroadError where a stream has gone back: nobody may go on with it."""
    if told := await gone_back(broker, state_dir):
        raise PostroadError(sentence(told))


async def accept(broker: Broker, state_dir: Path, name: str) -> str | None:
    """Go on with a stream as it is: what it had lost, None where that is nothing. One that is not
    there will be made. Raises BrokerUnavailable, OSError."""
    known = read(state_dir)
    found, at = await seen(broker)
    told = lost(known, found, at).get(name)
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
