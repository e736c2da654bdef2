"""Streams and their consumers as the broker tells of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from postroad.cli.streams.naming import parts
from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from postroad.runtime.health import Report
from postroad.runtime.provision import NOT_FOUND
from postroad.runtime.stored import time_of
from schemas import subjects
from schemas.subjects import Durable, Stream

NANO = 1_000_000_000


class Consumed(msgspec.Struct, kw_only=True):
    """A consumer: the last sequence that it was `delivered`, up to which all is `acked`, what waits
    (`pending`), is `in_hand`, and of that was `redelivered`; `who` takes it."""

    consumer: str
    stream: str
    about: str = ""
    delivered: int
    acked: int
    pending: int
    in_hand: int
    redelivered: int
    asking: int
    who: str = ""


class Look(msgspec.Struct, kw_only=True):
    """A stream. Limits are 0 where there are none, ages in seconds."""

    stream: str
    about: str
    subjects: Sequence[str]
    messages: int
    bytes: int
    first_seq: int
    last_seq: int
    deleted: int
    first: str
    last: str
    oldest_seconds: float
    newest_seconds: float
    max_age: int
    per_subject: int
    max_messages: int
    max_bytes: int
    replicas: int
    consumers: Sequence[Consumed]


async def look_all(broker: Broker) -> list[Look]:
    """Every stream of ours that there is. Raises ApiError, BrokerUnavailable."""
    found = [await look(broker, stream) for stream in subjects.STREAMS]
    return [each for each in found if each is not None]


async def look(broker: Broker, stream: Stream) -> Look | None:
    """One stream; None where it is not there. Raises ApiError, BrokerUnavailable."""
    try:
        info = await broker.api(f"STREAM.INFO.{stream.name}")
    except ApiError as error:
        if error.err_code in NOT_FOUND:
            return None
        raise
    config, state, at = info["config"], info["state"], now()
    first, last = time_of(state["first_ts"]), time_of(state["last_ts"])
    empty = not state["messages"]
    return Look(
        stream=stream.name,
        about=stream.about,
        subjects=config["subjects"],
        messages=state["messages"],
        bytes=state["bytes"],
        first_seq=state["first_seq"],
        last_seq=state["last_seq"],
        deleted=state.get("num_deleted", 0),
        first="" if empty else _plain(first),
        last="" if empty else _plain(last),
        oldest_seconds=0.0 if empty else (at - first).total_seconds(),
        newest_seconds=0.0 if empty else (at - last).total_seconds(),
        max_age=config["max_age"] // NANO,
        per_subject=max(0, config.get("max_msgs_per_subject", 0)),
        max_messages=max(0, config["max_msgs"]),
        max_bytes=max(0, config["max_bytes"]),
        replicas=config["num_replicas"],
        consumers=[
            each
            for durable in (*subjects.DURABLES, *subjects.AGAIN)
            if durable.stream == stream.name
            and (each := await consumed(broker, durable)) is not None
        ],
    )


async def kinds(broker: Broker, stream: Stream) -> dict[str, int]:
    """How many messages there are of each kind of subject. Raises ApiError, BrokerUnavailable."""
    found: Counter[str] = Counter()
    seen = 0
    while True:
        ask = {"subjects_filter": ">", "offset": seen}
        info = await broker.api(f"STREAM.INFO.{stream.name}", ask)
        page: Mapping[str, int] = info["state"].get("subjects") or {}
        seen += len(page)
        for subject, count in page.items():
            found[parts(subject)[0]] += count
        if not page or seen >= info.get("total", 0):
            return dict(found.most_common())


async def consumed(
    broker: Broker, durable: Durable, reports: Sequence[Report] = ()
) -> Consumed | None:
    """One durable consumer; None where it is not there. Raises ApiError, BrokerUnavailable."""
    try:
        info = await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
    except ApiError as error:
        if error.err_code in NOT_FOUND:
            return None
        raise
    return _consumed(durable, info, reports)


def _consumed(durable: Durable, info: Mapping[str, Any], reports: Sequence[Report]) -> Consumed:
    service = service_of(durable)
    pids = [str(report.pid) for report in reports if report.service == service and report.ready]
    return Consumed(
        consumer=durable.name,
        stream=durable.stream,
        about=durable.about,
        delivered=info["delivered"]["stream_seq"],
        acked=info["ack_floor"]["stream_seq"],
        pending=info["num_pending"],
        in_hand=info["num_ack_pending"],
        redelivered=info["num_redelivered"],
        asking=info["num_waiting"],
        who=f"{service} ({', '.join(pids) or 'not running'})" if reports else service,
    )


def service_of(durable: Durable) -> str:
    """The service that takes what a durable brings."""
    again = durable if durable in subjects.AGAIN else subjects.again(durable.name)
    return again.name.removesuffix("-again")


def _plain(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
