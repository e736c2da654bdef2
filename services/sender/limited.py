"""The connections that domains with limits of their own may have at a relay."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from postroad.runtime.config import Destination
from postroad.runtime.errors import Busy
from services.sender.quota import Quota

SICK = 10  # connections to one that sick domains may have; one at least
WANTED = 6.0  # seconds for which a place is kept for a chunk that is to come again
LINE = 8  # chunks that wait for a connection; more of them come again
TURN = 1.0  # seconds after which, at most


@dataclass(eq=False)
class Limited:
    """Domains with limits of their own, under the name of the first."""

    name: str
    quotas: tuple[Quota, ...]
    connections: int
    lent: int = 0
    sick: int = 0  # of those lent
    wanted_until: float = -math.inf  # loop time; by those who are well, in vain
    _line: deque[asyncio.Future[None]] = field(default_factory=deque)

    @classmethod
    def of(cls, settings: Destination, most: int) -> Limited:
        """As the settings have it; `most` connections has the relay."""
        limits = quotas(Quota(settings.daily), settings.rates)
        return cls(settings.domains[0].lower(), limits, settings.connections or most)

    @property
    def wanted(self) -> bool:
        """Whether those who are well want more connections than there are."""
        return asyncio.get_running_loop().time() < self.wanted_until

    async def lend(self, *, sick: bool, turn: float) -> None:
        """Count a connection until it is given back; who is `sick` gets few, and none while others
        want one. Raises Busy where there is none and too many wait, for `turn` seconds at most."""
        if sick and (self.wanted or self.sick >= max(1, self.connections // SICK)):
            raise Busy(self._told, turn)
        if self.lent < self.connections:
            self._count(sick=sick)
            return
        if sick:
            raise Busy(self._told, turn)
        loop = asyncio.get_running_loop()
        self.wanted_until = loop.time() + WANTED
        if len(self._line) >= LINE:
            raise Busy(self._told, min(turn, TURN))
        future: asyncio.Future[None] = loop.create_future()
        self._line.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give_back(sick=False)
            raise

    def give_back(self, *, sick: bool) -> None:
        """It is free again: for the first who waits."""
        self.lent -= 1
        self.sick -= sick
        while self._line and self.lent < self.connections:
            future = self._line.popleft()
            if not future.done():
                self._count(sick=False)
                future.set_result(None)

    def _count(self, *, sick: bool) -> None:
        self.lent += 1
        self.sick += sick

    @property
    def _told(self) -> str:
        return f"its share of the connections is in use ({self.name})"


def quotas(daily: Quota, rates: Sequence[tuple[int, float]]) -> tuple[Quota, ...]:
    """A limit a day, and others, each of so many in so many seconds."""
    return daily, *(Quota(count, timedelta(seconds=seconds)) for count, seconds in rates)
