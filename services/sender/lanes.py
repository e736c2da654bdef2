"""The lanes of one relay: its connections, each lent to one chunk at a time.

Small posts (`now`) are served before large ones (`bulk`). A relay in trouble is paused as a
whole: its trouble is never a member's, and hammering it helps nobody. One that turns away some of
our connections and serves the others wants fewer at once: then lanes rest, one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator

from postroad.runtime.config import Relay
from postroad.runtime.errors import Retry
from postroad.runtime.oauth import Tokens
from services.sender.kinds import Carrier, connect
from services.sender.quota import Quota

FIRST_PAUSE = 1.0  # seconds; doubles with each failure in a row
LONGEST = 30.0  # a relay that is away is tried again this often
LONGEST_LASTING = 300.0  # one that wants no more today, or refuses our login
LONGEST_TOKEN = 5.0  # without a token nothing is asked of the relay: see soon whether there is one
FEWER = 0.5  # seconds until a chunk is tried on one of the other lanes
REST = 30.0  # seconds that a lane rests at least
IDLE = 60.0  # seconds after which an unused connection is closed


class Lane:
    """One place at a relay, with its connection while it has one."""

    def __init__(self) -> None:
        self.connection: Carrier | None = None
        self.used = 0.0  # loop time of the last use
        self.tired = False  # to rest when it is given back

    async def drop(self) -> None:
        """Close the connection."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close()


class Lanes:
    """As many lanes as the relay may have connections, opened as needed."""

    def __init__(self, relay: Relay, tokens: Tokens | None = None) -> None:
        self._relay = relay
        self._tokens = tokens
        self.quota = Quota(relay.daily)
        self.trouble = ""  # what was last told of it; empty when it was seen to work since
        self.pipelining = True  # until the relay is found out to lie about it
        self._all = [Lane() for _ in range(relay.connections)]
        self._free = list(self._all)
        self._waiting: tuple[deque[asyncio.Future[Lane]], ...] = (deque(), deque())
        self._failures = 0
        self._paused_until = 0.0
        self._asked_until = 0.0  # as the relay itself wants it, whatever another lane had taken
        self._probe: Lane | None = None  # the one lane that tries a relay that failed

    @contextlib.asynccontextmanager
    async def lend(self, *, urgent: bool) -> AsyncIterator[Lane]:
        """A lane for the length of the block. Raises Retry while the relay is paused, or tried
        again by another lane: were all to come back at once, it could turn all away at once."""
        lane = await self._acquire(urgent=urgent)
        try:
            self.check()
            if self._failures:
                self._probe = lane
            try:
                yield lane
            except BaseException:
                await lane.drop()  # whatever was on the wire, the next chunk starts clean
                raise
            finally:
                lane.used = asyncio.get_running_loop().time()
        finally:
            if self._probe is lane:
                self._probe = None
            self._release(lane)

    async def open(self, lane: Lane) -> tuple[Carrier, bool]:
        """The lane's connection, and whether it is fresh. Raises RelayError."""
        if lane.connection is not None:
            if asyncio.get_running_loop().time() - lane.used < IDLE:
                return lane.connection, False
            await lane.drop()
        lane.connection = await connect(
            self._relay, pipelining=self.pipelining, tokens=self._tokens
        )
        return lane.connection, True

    def check(self) -> None:
        """Raises Retry while the relay is paused, or one lane tries whether it works again."""
        left = max(self._paused_until, self._asked_until) - asyncio.get_running_loop().time()
        if left > 0:
            raise Retry("the relay is paused", left)
        if self._probe is not None and self._failures:
            raise Retry("the relay is being tried", FEWER)

    def pause(self, *, longest: float = LONGEST, least: float = 0.0) -> float:
        """The relay failed: pause it, longer each time, at most `longest` seconds, and no shorter
        than the `least` that it asked for. Lanes that fail together are one failure. Returns
        seconds."""
        now = asyncio.get_running_loop().time()
        if self._paused_until <= now:
            seconds = min(FIRST_PAUSE * 2.0 ** min(self._failures, 20), longest)
            self._failures += 1
            self._paused_until = now + seconds
        self._asked_until = max(self._asked_until, now + least)
        return max(self._paused_until, self._asked_until) - now

    def rest(self, lane: Lane) -> bool:
        """Have this lane rest when it is given back, where others are connected: the relay may
        want fewer at once. False where none is; then it is the relay that is in trouble."""
        others = (o.connection for o in self._all if o is not lane and not o.tired)
        lane.tired = any(connection and not connection.fault for connection in others)
        return lane.tired

    def succeeded(self) -> None:
        """The relay works."""
        self._failures = 0
        self._paused_until = 0.0

    async def close(self) -> None:
        """Close every idle connection."""
        for lane in self._free:
            await lane.drop()

    async def _acquire(self, *, urgent: bool) -> Lane:
        if self._free:
            return self._free.pop()
        future: asyncio.Future[Lane] = asyncio.get_running_loop().create_future()
        self._waiting[0 if urgent else 1].append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._release(future.result())
            raise

    def _release(self, lane: Lane) -> None:
        if lane.tired:
            lane.tired = False
            # not all together: they would be too many together again
            rest = REST * (1.0 + random.random())  # noqa: S311  spreads load, keeps no secret
            asyncio.get_running_loop().call_later(rest, self._release, lane)
            return
        for queue in self._waiting:
            while queue:
                future = queue.popleft()
                if not future.done():
                    future.set_result(lane)
                    return
        self._free.append(lane)
