"""A service that listens for HTTP, and a port that somebody else has."""

from __future__ import annotations

import asyncio
import gc
import socket
from typing import cast

import pytest

from postroad.httpmessage import Request, Response
from postroad.runtime import httplistener, service
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.health import Health
from postroad.runtime.httplistener import Door, Listener
from postroad.runtime.service import Context
from postroad.runtime.telemetry import Telemetry
from tests.peers.logged import logged
from tests.peers.process import until


async def nothing(_: Request) -> Response:
    """What is answered; nobody asks."""
    return Response(404, b"")


def door(port: int) -> Door:
    """A socket on loopback."""
    return Door(
        kind="web",
        host="127.0.0.1",
        port=port,
        section="[web]",
        fields=(),
        unheard=lambda status: Response(status, b""),
    )


async def test_while_a_port_is_taken_its_service_is_ready_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often it tries, and also when it gets the port at last."""
    monkeypatch.setattr(httplistener, "TRY_SECONDS", 0.001)
    health, stopping, told = Health("web"), asyncio.Event(), list[bool]()

    async def listens() -> bool:
        return health.answer().facts[0].ok

    async def ready() -> bool:
        return bool(told)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listener = Listener(
            door(port), health, nothing, lambda: told.append(health.answer().facts[0].ok)
        )
        listening = asyncio.create_task(listener.run(stopping))
        await until(ready)
    await until(listens)
    stopping.set()
    await listening
    assert told == [False]


def test_a_service_is_ready_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said again, as one does that was paused at first, it is neither told nor done again."""
    frozen: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append("freeze"))
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)
    context = Context(
        config=cast("Config", None),
        broker=cast("Broker", None),
        telemetry=cast("Telemetry", None),
        health=Health("web"),
    )
    lines = logged(monkeypatch, service)
    context.ready()
    context.ready()
    assert [line["event"] for line in lines] == ["service.ready"]
    assert (frozen, context.health.ready) == (["freeze"], True)
