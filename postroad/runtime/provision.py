"""Streams and consumers, made as the vocabulary says, and never reset.

An operator may have changed ages, limits or replicas: only what Postroad cannot do without is
put right, and every other field is sent back as it was found.
"""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog

from postroad.runtime.apierror import NO_STREAM, ApiError
from postroad.runtime.broker import Broker
from postroad.runtime.errors import SettingsError
from schemas import subjects
from schemas.subjects import Durable, Stream

NANO = 1_000_000_000
OLDEST = {12: 12, 14: 3}  # minor of 2.x: least patch (security fixes and atomic batches)
NOT_FOUND = (NO_STREAM, 10014)  # no such stream, no such consumer
MAX_ACK_PENDING = 4096

log = structlog.get_logger()


async def provision(broker: Broker, *, replicas: int = 1, ack_wait: float = 30.0) -> None:
    """Make every stream and durable consumer that is missing, and mend what must be mended."""
    for stream in subjects.STREAMS:
        await _stream(broker, stream, replicas)
    for durable in (*subjects.DURABLES, *subjects.AGAIN):
        await _consumer(broker, durable, ack_wait)


async def _stream(broker: Broker, stream: Stream, replicas: int) -> None:
    needed: dict[str, Any] = {"allow_direct": True}
    if not stream.relaxed:
        needed["allow_atomic"] = True
    if stream.schedules:
        needed["allow_msg_schedules"] = True
    try:
        found = (await broker.api(f"STREAM.INFO.{stream.name}"))["config"]
    except ApiError as error:
        if error.err_code not in NOT_FOUND:
            raise
        config: dict[str, Any] = {
            "name": stream.name,
            "description": stream.about,
            "subjects": list(stream.subjects),
            "storage": "file",
            "retention": "limits",
            "compression": "s2",
            "num_replicas": replicas,
            "max_age": stream.max_age * NANO,
            "max_msgs_per_subject": stream.per_subject,
            "deny_delete": False,
            **needed,
        }
        if stream.relaxed and replicas == 1:
            config["persist_mode"] = "async"
        await broker.api(f"STREAM.CREATE.{stream.name}", config)
        return
    if 0 < found["max_msgs_per_subject"] < stream.per_subject:
        needed["max_msgs_per_subject"] = stream.per_subject
    missing = [subject for subject in stream.subjects if subject not in found["subjects"]]
    wrong = {key: value for key, value in needed.items() if found.get(key) != value}
    if missing or wrong:
        config = {**found, **wrong, "subjects": [*found["subjects"], *missing]}
        await broker.api(f"STREAM.UPDATE.{stream.name}", config)


async def missing(broker: Broker, durable: Durable, ack_wait: float) -> None:
    """Make a consumer that somebody deleted, from the beginning: what is done stays done. Raises
    BrokerUnavailable, ApiError."""
    try:
        await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
    except ApiError as error:
        if error.err_code not in NOT_FOUND:
            raise
        log.warning("consumer.missing", consumer=durable.name)
        await _consumer(broker, durable, ack_wait)


async def _consumer(broker: Broker, durable: Durable, ack_wait: float) -> None:
    try:
        found = (await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}"))["config"]
    except ApiError as error:
        if error.err_code not in NOT_FOUND:
            raise
        found = None
    wanted: dict[str, Any] = {
        "filter_subjects": list(durable.filters),
        "ack_wait": int(ack_wait * NANO),
    }
    if found is not None:
        if len(durable.filters) == 1 and found.get("filter_subject") == durable.filters[0]:
            wanted = {"ack_wait": wanted["ack_wait"]}
        if all(found.get(key) == value for key, value in wanted.items()):
            return
        config = {**found, **wanted}
        if "filter_subjects" in wanted:
            config.pop("filter_subject", None)
    else:
        config = {
            "durable_name": durable.name,
            "name": durable.name,
            "description": durable.about,
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "max_deliver": -1,
            "max_ack_pending": MAX_ACK_PENDING,
            **wanted,
        }
    await broker.api(
        f"CONSUMER.CREATE.{durable.stream}.{durable.name}",
        {"stream_name": durable.stream, "config": config, "action": ""},
    )


# --- safety ---------------------------------------------------------------------------------------


def check_version(version: str) -> None:
    """Refuse a server too old to be safe. Raises SettingsError naming the fix."""
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    major, minor, patch = (int(part) for part in match.groups()) if match else (0, 0, 0)
    safe = (major, minor) > (2, 14) or (major == 2 and patch >= OLDEST.get(minor, 1 << 30))
    if not safe:
        raise SettingsError(
            f"the NATS server is version {version}, which can lose mail; "
            'upgrade it to 2.12.12, 2.14.3 or newer (or set broker.url = "embedded")'
        )


class _JetStream(msgspec.Struct):
    sync_always: bool = False


class _JetStreamVarz(msgspec.Struct):
    config: _JetStream | None = None


class _Varz(msgspec.Struct):
    version: str = ""
    jetstream: _JetStreamVarz | None = None


def version(broker: Broker) -> str:
    """Of its server: `2.15.1`."""
    found = broker.nc.connected_server_version
    return f"{found.major}.{found.minor}.{found.patch}"


async def check_safety(broker: Broker, url: str, monitor_url: str) -> None:
    """Refuse an external server that acknowledges before the disk has the mail, or that does not
    say. Raises SettingsError naming the fix."""
    check_version(version(broker))
    try:
        await broker.api("INFO")
    except ApiError:
        raise SettingsError(
            "the NATS server runs without JetStream; put jetstream {} in its configuration"
        ) from None
    monitor = monitor_url or f"http://{urlsplit(url).hostname or '127.0.0.1'}:8222"
    try:
        varz = await asyncio.to_thread(_varz, monitor)
    except (OSError, ValueError, msgspec.MsgspecError):
        raise SettingsError(
            f"the NATS server's settings cannot be read at {monitor}/varz, so nobody knows "
            "whether it keeps mail through a power cut; turn its monitoring on "
            "(http: 127.0.0.1:8222) and name it in broker.monitor_url"
        ) from None
    if not (varz.jetstream and varz.jetstream.config and varz.jetstream.config.sync_always):
        raise SettingsError(
            "the NATS server acknowledges mail before it is on disk, so a power cut loses it; "
            "set jetstream { sync_interval: always } in its configuration and restart it"
        )


def _varz(monitor: str) -> _Varz:
    url = f"{monitor.rstrip('/')}/varz"
    if not url.startswith(("http://", "https://")):
        raise ValueError(url)
    with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310  checked above
        return msgspec.json.decode(answer.read(), type=_Varz)
