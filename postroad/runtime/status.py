"""A look at the whole installation, for `postroad status`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from postroad.runtime import machine
from postroad.runtime.apierror import ApiError
from postroad.runtime.aside import lying_aside
from postroad.runtime.broker import Broker
from postroad.runtime.clock import instant, now
from postroad.runtime.condition import Clock, Disk, Lag, Seen, Status
from postroad.runtime.config import Config
from postroad.runtime.embedded import access, is_running
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.later import Scheduled
from postroad.runtime.parked import parked
from postroad.runtime.plainly import of_a_place
from postroad.runtime.provision import NOT_FOUND, version
from postroad.runtime.pull import heads
from postroad.runtime.rollcall import rollcall
from postroad.runtime.service import ROAD, beside, connect
from postroad.runtime.verdict import judge
from schemas import subjects

PATIENCE_SECONDS = 5.0  # for everything together


async def status(config: Config) -> Status:
    """How the installation is, within a few seconds; raises nothing for what is merely down."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async with await connect(config, "status", wait=2.0) as broker:
                return judge(await look(config, broker))
    except PostroadError as error:
        return judge(await unreachable(config, str(error)))
    except (TimeoutError, Retry):
        return judge(await unreachable(config))
    except OSError as error:
        if not of_a_place(error):
            raise
        return judge(await unreachable(config))


async def look(config: Config, broker: Broker) -> Seen:
    """All that `judge` wants to know, over a connection that stands. Raises BrokerUnavailable,
    ApiError."""
    reports, (lags, ahead), streams, (waiting, last_parked), later, disk = await asyncio.gather(
        rollcall(broker, (*ROAD, *beside(config))),
        _lags(broker),
        broker.api("INFO"),
        parked(broker),
        _later(broker),
        asyncio.to_thread(_disk, config),
    )
    stored = int(streams.get("storage", 0))
    return Seen(
        kind=_kind(config),
        at=now(),
        version=version(broker),
        bytes=stored,
        reports=tuple(reports),
        lags=lags,
        parked=waiting,
        last_parked=last_parked,
        later=later,
        sources=tuple(source.name for source in config.source),
        relays=tuple(relay.name for relay in config.relay),
        beside=beside(config),
        disk=msgspec.structs.replace(disk, broker_bytes=stored),
        clock=Clock(
            at=now().isoformat(timespec="seconds"),
            broker_ahead=round(ahead, 1),
            synchronised=machine.synchronised(),
        ),
        warnings=_warnings(config),
    )


async def _lags(broker: Broker) -> tuple[dict[str, Lag], float]:
    """Of each durable by name; and how many seconds the broker's clock is ahead of ours."""
    lags: dict[str, Lag] = {}
    ahead = 0.0
    for durable in subjects.DURABLES:
        info = await _info(broker, f"CONSUMER.INFO.{durable.stream}.{durable.name}")
        if info is not None:
            lags[durable.name] = await _lag(broker, durable, info)
            if (told := instant(info.get("ts", ""))) is not None:
                ahead = (told - now()).total_seconds()
    return lags, ahead


async def _lag(broker: Broker, durable: subjects.Durable, info: Mapping[str, Any]) -> Lag:
    waiting, pending = info["num_pending"], info["num_ack_pending"]
    oldest = 0.0
    if waiting or pending:
        done = info["ack_floor"]["stream_seq"]
        found = [await broker.next(durable.stream, each, done + 1) for each in durable.filters]
        ages = [(now() - stored.time).total_seconds() for stored in found if stored]
        oldest = round(max(0.0, *ages), 1) if ages else 0.0
    return Lag(
        waiting=waiting,
        pending=pending,
        redelivered=info["num_redelivered"],
        oldest=oldest,
        asking=info["num_waiting"],
    )


def _disk(config: Config) -> Disk:
    state = config.site.state_dir
    place = machine.narrowest(state)
    free, total = machine.room(place)
    return Disk(path=str(place), free=free, total=total, state_bytes=machine.held(state))


async def _later(broker: Broker) -> tuple[Scheduled, ...]:
    """Every chunk that is scheduled, the one scheduled first in front."""
    try:
        found = await heads(broker, "SEND", subjects.retry("*", "*", "*"))
    except ApiError as error:
        if error.err_code in NOT_FOUND:
            return ()
        raise
    return tuple(Scheduled.of(stored.headers) for stored in found)


async def _info(broker: Broker, subject: str, body: object = None) -> Any:
    """What the broker says of a stream or consumer; None where it is not there (yet)."""
    try:
        return await broker.api(subject, body)
    except ApiError as error:
        if error.err_code in NOT_FOUND:
            return None
        raise


async def unreachable(config: Config, problem: str = "") -> Seen:
    """What is seen where there is no broker: this machine. `problem` says why there is none, where
    that is known; of one of ours, what is to be done about it is known better here."""
    if config.broker.embedded:
        problem = ""
    disk = await asyncio.to_thread(_disk, config)
    return Seen(
        kind=_kind(config),
        at=now(),
        unreachable=problem or _silent(config),
        disk=disk,
        clock=Clock(at=now().isoformat(timespec="seconds"), synchronised=machine.synchronised()),
        sources=tuple(source.name for source in config.source),
        relays=tuple(relay.name for relay in config.relay),
        beside=beside(config),
        warnings=_warnings(config),
    )


def _warnings(config: Config) -> tuple[str, ...]:
    return (*config.warnings, *lying_aside(config.site.state_dir))


def _kind(config: Config) -> Any:
    return "embedded" if config.broker.embedded else "external"


def _silent(config: Config) -> str:
    """Why the broker may not answer, and what helps."""
    if not config.broker.embedded:
        return "the broker does not answer; start it, or correct broker.url"
    state_dir = config.site.state_dir
    try:
        access(state_dir)
        runs = is_running(state_dir)
    except OSError as error:
        return of_a_place(error) or str(error)
    if runs:
        return (
            "the embedded broker does not answer; unless Postroad is just stopping, "
            "`postroad up` starts it again by itself, and if this lasts, "
            f"{state_dir / 'broker' / 'nats.log'} says why"
        )
    return f"Postroad is not running in {state_dir}; start it with `postroad up`"
