"""Asking every running instance how it is: one question on `postroad.status`, many answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

import msgspec
from nats.aio.msg import Msg

from postroad.runtime.broker import Broker
from postroad.runtime.health import LEFT_OUT, STATUS_SUBJECT, Report

MORE_SECONDS = 0.05  # for further instances, once each service wanted has answered

_report = msgspec.json.Decoder(Report)


async def rollcall(
    broker: Broker, wanted: Collection[str] = (), *, seconds: float = 1.0
) -> list[Report]:
    """The report of every instance that answers within `seconds`, by service and process id.

    Returns sooner, a moment after each service in `wanted` has answered, or the supervisor for it
    that it was told to leave it out; without `wanted` that moment is all.
    """
    reports: list[Report] = []
    missing = set(wanted)
    complete = asyncio.Event()

    async def receive(message: Msg) -> None:
        if not message.data:  # nobody is there, and nobody will answer
            complete.set()
            return
        with contextlib.suppress(msgspec.MsgspecError):
            report = _report.decode(message.data)
            reports.append(report)
            missing.discard(report.service)
            missing.difference_update(fact.name for fact in report.facts if fact.kind == LEFT_OUT)
            if not missing:
                complete.set()

    inbox = broker.nc.new_inbox()
    subscription = await broker.nc.subscribe(inbox, cb=receive)
    try:
        await broker.nc.publish(STATUS_SUBJECT, b"", reply=inbox)
        if missing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await complete.wait()
        if not missing:
            await asyncio.sleep(min(MORE_SECONDS, seconds))
    finally:
        with contextlib.suppress(Exception):
            await subscription.unsubscribe()
    return sorted(reports, key=lambda report: (report.service, report.pid))
