"""Who answers for the supervisor where a test starts services by itself."""

from __future__ import annotations

import os
from collections.abc import Collection

import msgspec
from nats.aio.msg import Msg

from postroad.runtime.broker import Broker
from postroad.runtime.health import LEFT_OUT, STATUS_SUBJECT, Fact, Report
from postroad.runtime.service import BESIDE
from postroad.runtime.verdict import SUPERVISOR


async def told_only(broker: Broker, services: Collection[str]) -> None:
    """Say what `postroad up --only SERVICE...` says: of the others that stand beside the road
    nobody need wait for an answer, or miss it."""
    facts = [Fact(kind=LEFT_OUT, name=name) for name in BESIDE if name not in services]
    report = Report(service=SUPERVISOR, pid=os.getpid(), ready=True, facts=facts)

    async def answer(question: Msg) -> None:
        await question.respond(msgspec.json.encode(report))

    await broker.nc.subscribe(STATUS_SUBJECT, cb=answer)
