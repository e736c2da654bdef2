"""A look at the whole installation, for `postroad status`."""

from __future__ import annotations

import asyncio
from typing import Any

from postroad.runtime.apierror import ApiError
from postroad.runtime.aside import lying_aside
from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from postroad.runtime.config import Config
from postroad.runtime.embedded import is_running
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.later import Scheduled
from postroad.runtime.parked import parked
from postroad.runtime.provision import NOT_FOUND
from postroad.runtime.pull import heads
from postroad.runtime.rollcall import rollcall
from postroad.runtime.service import ROAD, beside, connect
from postroad.runtime.verdict import Lag, Seen, Status, judge
from schemas import subjects

PATIENCE_SECONDS = 5.0  # for everything together


async def status(config: Config) -> Status:
    """How the installation is, within a few seconds; raises nothing for what is merely down."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async with await connect(config, "status", wait=2.0) as broker:
                return judge(await _look(config, broker))
    except PostroadError as error:
        return judge(_unreachable(config, str(error)))
    except (TimeoutError, Retry):
        return judge(_unreachable(config, _silent(config)))


async def _look(config: Config, broker: Broker) -> Seen:
    reports, lags, streams, (waiting, last_parked), later = await asyncio.gather(
        rollcall(broker, (*ROAD, *beside(config))),
        _lags(broker),
        broker.api("INFO"),
        parked(broker),
        _later(broker),
    )
    version = broker.nc.connected_server_version
    return Seen(
        kind=_kind(config),
        at=now(),
        version=f"{version.major}.{version.minor}.{version.patch}",
        bytes=int(streams.get("storage", 0)),
        reports=tuple(reports),
        lags=lags,
        parked=waiting,
        last_parked=last_parked,
        later=later,
        sources=tuple(source.name for source in config.source),
        relays=tuple(relay.name for relay in config.relay),
        beside=beside(config),
        warnings=_warnings(config),
    )


async def _lags(broker: Broker) -> dict[str, Lag]:
    lags = {}
    for durable in subjects.DURABLES:
        info = await _info(broker, f"CONSUMER.INFO.{durable.stream}.{durable.name}")
        if info is not None:
            lags[durable.name] = Lag(
                waiting=info["num_pending"],
                pending=info["num_ack_pending"],
                redelivered=info["num_redelivered"],
            )
    return lags


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


def _unreachable(config: Config, problem: str) -> Seen:
    return Seen(
        kind=_kind(config),
        unreachable=problem,
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
    if not config.broker.embedded:
        return "the broker does not answer; start it, or correct broker.url"
    state_dir = config.site.state_dir
    if is_running(state_dir):
        return (
            "the embedded broker does not answer; unless Postroad is just stopping, "
            "`postroad up` starts it again by itself, and if this lasts, "
            f"{state_dir / 'broker' / 'nats.log'} says why"
        )
    return f"Postroad is not running in {state_dir}; start it with `postroad up`"
