"""Who answers: the supervisor asks all processes how they are, and remembers who is silent.

Questions are counted, not seconds: who was frozen for an hour, this process among them, has missed
one. Our own answer comes the same way as all others: without it the broker is the silent one, and
nobody else is blamed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from postroad.runtime.broker import Broker
from postroad.runtime.health import STATUS_SUBJECT, Report

LOOK_SECONDS = 10.0  # between two questions that are counted
TOLD = 3  # questions in a row without an answer, until it is told
ENDED = 6  # and until the process is ended, to be started again
BROKER_ENDED = 3

Who = tuple[str, int]  # service and process id
_report = msgspec.json.Decoder(Report)


class Silence:
    """Who has not answered how many questions in a row. Pure."""

    def __init__(self, own: Who) -> None:
        self.own = own
        self.broker = 0  # questions that did not even reach ourselves
        self._missed: dict[Who, int] = {}
        self._heard: set[Who] = set()
        self._asked = False

    def heard(self, who: Who) -> None:
        """It has answered, however late."""
        self._heard.add(who)
        self._missed.pop(who, None)

    def counted(self, asked: Collection[Who]) -> dict[Who, int]:
        """Another question is about to be put to these: how many each has missed before it, where
        any. The first question of all finds nobody silent."""
        if self._asked:
            reached = self.own in self._heard
            self.broker = 0 if reached else self.broker + 1
            for who in asked if reached else ():
                if who not in self._heard:
                    self._missed[who] = self._missed.get(who, 0) + 1
        self._asked = True
        self._heard.clear()
        self._missed = {who: count for who, count in self._missed.items() if who in asked}
        return dict(self._missed)


class Hearing:
    """Puts the question, and gives each answer to `heard`."""

    def __init__(self, broker: Broker, name: str, heard: Callable[[Report], None]) -> None:
        self._broker = broker
        self._heard = heard
        self._inbox = broker.nc.new_inbox()
        self.silence = Silence((name, os.getpid()))

    async def open(self) -> None:
        """Begin to listen."""
        await self._broker.nc.subscribe(self._inbox, cb=self._receive)

    async def ask(self) -> None:
        """Ask everybody; while the broker is away nobody hears it."""
        with contextlib.suppress(NatsError, OSError):
            await self._broker.nc.publish(STATUS_SUBJECT, b"", reply=self._inbox)

    async def _receive(self, message: Msg) -> None:
        with contextlib.suppress(msgspec.MsgspecError):
            report = _report.decode(message.data)
            self.silence.heard((report.service, report.pid))
            self._heard(report)
