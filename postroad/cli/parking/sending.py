"""Putting parked messages back on the road, and dropping them: each once, whoever is killed.

All there is of either is one event behind the parked message, stored on condition that nothing was
said of it since: a second try, or two operators at once, find it.
"""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from postroad.cli.ask import login
from postroad.cli.parking.words import Letter, hopeless, mail_of, stage
from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict
from postroad.runtime.parked import STREAM, parked_in, resolution
from projections.masking import masked
from schemas import codec, subjects
from schemas.parking import ParkedResolved

WHY = 500  # characters
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 10.0  # to see what becomes of it

Result = Literal[
    "handled",  # requeued, and the service is done with it
    "waiting",  # requeued, and its service is not done with it yet
    "parked",  # requeued, and parked again
    "dropped",
    "resolved",  # somebody was faster
    "refused",  # cannot be requeued
    "would",  # with --dry-run
]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one; `order` is the sequence of the event that says so."""

    seq: int
    id: str
    result: Result
    why: str = ""
    order: int = 0


async def judge(broker: Broker, letter: Letter) -> str:
    """Why it cannot be handled again; empty where it can. Raises BrokerUnavailable."""
    parked = letter.parked
    lying = mail = None
    name = ""
    if parked is not None:
        try:
            found = await broker.get(parked.stream, parked.seq)
        except ApiError:
            found = None
        if found is not None and found.subject == parked.subject:
            lying = found.data
        name, part = mail_of(parked.data if lying is None else lying)
        if name:
            mail = await broker.last("RAW", subjects.raw(name, part, 0))
    return hopeless(letter, lying=lying, mail_there=not name or mail is not None)


async def resolve(
    broker: Broker, letter: Letter, how: Literal["dropped", "requeued"], why: str = ""
) -> Done:
    """Say what becomes of it, and `why`, unless that was said. Raises BrokerUnavailable."""
    event = ParkedResolved(parked=letter.seq, how=how, reason=masked(why)[:WHY])
    by = login()
    actor = f"operator:{by}" if by else "operator"
    message = envelope([event], correlation=letter.id, causation=letter.id, actor=actor)
    done = Done(seq=letter.seq, id=letter.id, result="resolved")
    crashpoint("deadletter.before_order")
    try:
        order = await broker.publish(letter.subject, codec.encode(message), expect=letter.last)
    except Conflict:
        last = await broker.last(STREAM, letter.subject)
        said = resolution(last) if last is not None else None
        told = f"it was {said.how} meanwhile" if said else "it was parked again meanwhile"
        return msgspec.structs.replace(done, why=told)
    crashpoint("deadletter.after_order")
    result: Result = "dropped" if how == "dropped" else "waiting"
    return msgspec.structs.replace(done, result=result, order=order)


async def outcome(broker: Broker, letter: Letter, done: Done, late: float) -> Done:
    """What its service made of it, up to the loop time `late`; what it is not done with goes on
    without us. Raises BrokerUnavailable."""
    again = f"{stage(letter)}-again"
    while True:
        last = await broker.last(STREAM, letter.subject)
        anew = parked_in(last) if last is not None and last.seq > done.order else None
        if anew is not None and last is not None:
            why = f"as {last.seq}: {anew.reason}"
            return msgspec.structs.replace(done, result="parked", why=why)
        info = await broker.api(f"CONSUMER.INFO.{STREAM}.{again}")
        if info["ack_floor"]["stream_seq"] >= done.order and anew is None:
            last = await broker.last(STREAM, letter.subject)
            if last is None or last.seq == done.order:
                return msgspec.structs.replace(done, result="handled")
        elif asyncio.get_running_loop().time() > late:
            return done
        await asyncio.sleep(POLL_SECONDS)
