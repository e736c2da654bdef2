"""The held mail that waits for a verdict.

What was held is read once and remembered; what became of it is asked when somebody wants to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

import msgspec

from postroad.runtime.broker import Broker
from schemas import subjects

HELD = "mail.routed.held.>"
COUNTED = 1_000  # mails of a list that are asked about where only their number matters


class Waiting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A mail that waits on a list: the sequence and the time at which it was held."""

    list: str
    mail_id: str
    seq: int
    at: datetime


class WaitingMail:
    """All of it, by list, the oldest first."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._upto = 0
        self._held: dict[str, dict[int, Waiting]] = {}  # perhaps decided since
        self._reading = asyncio.Lock()

    async def lists(self) -> list[str]:
        """The slugs of lists that something may wait on."""
        await self._read()
        return [slug for slug, held in self._held.items() if held]

    def newest(self, list_: str) -> int:
        """The sequence of the last mail held on a list that may wait, as far as was read; 0 for
        none."""
        return max(self._held.get(list_, ()), default=0)

    async def on(self, list_: str) -> list[Waiting]:
        """What waits on a list."""
        await self._read()
        held = self._held.get(list_, {})
        for one in await self._decided(list(held.values())):
            held.pop(one.seq, None)
        return list(held.values())

    async def count(self) -> int:
        """How much waits on all lists; of thousands, about how much."""
        await self._read()
        for slug, held in list(self._held.items()):
            if len(held) <= COUNTED:
                await self.on(slug)
        return sum(map(len, self._held.values()))

    async def _read(self) -> None:
        """Take in what was held since."""
        async with self._reading:
            async for stored in self._broker.scan("ROUTED", HELD, self._upto + 1):
                _, _, _, list_, mail_id = stored.subject.split(".")
                one = Waiting(list=list_, mail_id=mail_id, seq=stored.seq, at=stored.time)
                self._held.setdefault(list_, {})[stored.seq] = one
                self._upto = stored.seq

    async def _decided(self, held: Iterable[Waiting]) -> list[Waiting]:
        """Which of these are decided: something stands behind the event that held them."""
        by_key = {(one.list, one.mail_id): one for one in held}
        ended: list[Waiting] = []
        wanted = [
            subjects.routed(kind, list_, mail_id)
            for list_, mail_id in by_key
            for kind in ("accepted", "rejected", "discarded")
        ]
        for subject in await self._broker.last_many("ROUTED", wanted):
            _, _, _, list_, mail_id = subject.split(".")
            ended.append(by_key[list_, mail_id])
        return ended
