"""The lanes of one relay: its connections, each lent to one chunk at a time.

As many work as the relay's distance asks for (`width`). Small posts (`now`) are served before
large ones (`bulk`). A relay in trouble is paused as a whole: its trouble is never a member's, and
hammering it helps nobody. One that turns away some of our connections and serves the others gets
fewer. Domains that are sick share a tenth of the connections, and leave those too where they are
needed; a lane that waits for such a domain is no longer counted as working: another takes its
place.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial

from postroad.runtime.clock import now
from postroad.runtime.config import Relay
from postroad.runtime.errors import Busy, Paused
from postroad.runtime.oauth import Tokens
from services.sender.destinations import Destinations
from services.sender.kinds import Carrier, connect
from services.sender.limited import SICK, Limited, quotas
from services.sender.quota import Quota, full
from services.sender.routes import lower
from services.sender.stumbles import Stumbles
from services.sender.width import Width

FIRST_PAUSE = 1.0  # seconds; doubles with each failure in a row
LONGEST = 30.0  # a relay that is away is tried again this often
LONGEST_LASTING = 300.0  # one that wants no more today, or refuses our login
LONGEST_TOKEN = 5.0  # without a token nothing is asked of the relay: see soon whether there is one
FEWER = 0.5  # seconds until a chunk is tried on one of the other lanes
IDLE = 60.0  # seconds after which an unused connection is closed
LEFT = 4  # connections to one that may wait for late answers, before others share the tenth
NEEDED = 20  # connections to one that is left to them where all others are in use
URGENT = 2  # lanes more than bulk may have, so that small posts need not wait for one
OFTEN = 0.1  # seconds between two looks at how busy our processor is


class Lane:
    """One place at a relay, with its connection while it has one."""

    def __init__(self) -> None:
        self.connection: Carrier | None = None
        self.used = 0.0  # loop time of the last use
        self.apart = False  # it waits, or works, for a sick domain
        self.left: asyncio.Future[None] | None = None  # until when its last connection stays
        self.free: Callable[[], None] = _nothing  # called when it is

    async def drop(self) -> None:
        """Close the connection."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close()


class Lanes:
    """As many lanes as the relay may have connections, opened as needed. With `patience`, only
    so many chunks wait for one; the others are given back, so that they do not stand before
    chunks of other relays."""

    def __init__(
        self, relay: Relay, tokens: Tokens | None = None, *, patience: int | None = None
    ) -> None:
        self._relay = relay
        self._tokens = tokens
        self._patience = patience
        daily = Quota(relay.daily_on if relay.warm_up else relay.daily)
        self.quotas = quotas(daily, relay.rates)
        self.limited = [Limited.of(each, relay.connections) for each in relay.destination]
        self.destinations = Destinations([lower(each.domains) for each in relay.destination])
        self.stumbles = Stumbles()
        self.width = Width(relay.connections)
        self.proven = False  # it has taken something since we started
        self.trouble = ""  # what was last told of it; empty when it was seen to work since
        self.reached: dict[Quota, str] = {}  # lasting limits that had no room, in words
        self.pipelining = True  # until the relay is found out to lie about it
        self._all = [Lane() for _ in range(relay.connections)]
        self._free = list(self._all)
        self._working = 0  # lanes lent, but for those apart
        self._apart = 0
        self._left = 0  # lanes that wait for a late answer, lent no more
        self._waiting: tuple[deque[asyncio.Future[Lane]], ...] = (deque(), deque(), deque())
        self._failures = 0
        self._paused_until = 0.0
        self._asked_until = 0.0  # as the relay itself wants it, whatever another lane had taken
        self._probe: Lane | None = None  # the one lane that tries a relay that failed
        self._busy, self._looked = 0.0, (time.monotonic(), time.thread_time())
        self._sweeper: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def works(self) -> bool:
        """Whether a chunk that may go elsewhere should come here: neither paused nor full, and
        after trouble only while nobody else tries."""
        if self._pause_left() > 0 or self._probe is not None:
            return False
        closed = full(self.quotas)
        return (closed is None or closed[1] <= now()) and not (self.trouble and self._working)

    def unused(self, seconds: float) -> bool:
        """Whether it failed, and nobody has tried it for so long since it might be tried."""
        return bool(self.trouble) and not self._working and self._pause_left() < -seconds

    @property
    def paused_until(self) -> str:
        """When the pause ends or ended (ISO 8601); empty where copies went out since."""
        if not self._failures:
            return ""
        left = timedelta(seconds=self._pause_left())
        return (now() + left).isoformat(timespec="seconds")

    @property
    def connected(self) -> int:
        """Connections that can be used."""
        return sum(1 for lane in self._all if lane.connection and not lane.connection.fault)

    def crowded(self, limited: Limited | None) -> bool:
        """Whether sick domains have lanes that others need, or connections of those `limited`."""
        if limited is not None and limited.wanted:
            return True
        others = self._waiting[0] or self._waiting[1]
        few = self._working < self.width.wanted
        return bool(others) and few and self._apart > self._relay.connections // NEEDED

    @contextlib.asynccontextmanager
    async def lend(
        self,
        *,
        urgent: bool,
        sick: bool = False,
        limited: Limited | None = None,
        turn: float = 1.0,
    ) -> AsyncIterator[Lane]:
        """A lane for the length of the block: for a `sick` domain, or one of those `limited`.
        Raises Busy, for `turn` seconds, where there is none for them or too many wait; Paused while
        the relay is paused, or tried again by another lane: were all to come back at once, it could
        turn all away at once."""
        if limited is not None:
            await limited.lend(sick=sick, turn=turn)
        try:
            lane = await self._acquire(urgent=urgent, sick=sick, turn=turn)
        except BaseException:
            if limited is not None:
                limited.give_back(sick=sick)
            raise
        if limited is not None:
            lane.free = partial(limited.give_back, sick=sick)
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
        before, lane.used = lane.used, asyncio.get_running_loop().time()
        if lane.connection is not None:
            if lane.used - before < IDLE:
                return lane.connection, False
            await lane.drop()
        lane.connection = await connect(
            self._relay, pipelining=self.pipelining, tokens=self._tokens
        )
        return lane.connection, True

    def measured(self, seconds: float, recipients: int) -> None:
        """A window without sick domains took so long."""
        loop = asyncio.get_running_loop()
        then, spent = self._looked
        if (passed := time.monotonic() - then) > OFTEN:
            self._busy = (time.thread_time() - spent) / passed
            self._looked = time.monotonic(), time.thread_time()
        self.width.measured(seconds, recipients, busy=self._busy, now=loop.time())
        self._serve()

    def held_up(self, lane: Lane) -> None:
        """A sick domain keeps this lane: let another work instead."""
        if not lane.apart:
            lane.apart = True
            self._working -= 1
            self._apart += 1
            self._serve()

    @property
    def may_leave(self) -> bool:
        """Whether a sick domain that does not answer to a message may keep one connection more, so
        that another can be served."""
        return self._left < self._relay.connections // LEFT

    def leave(self, lane: Lane) -> None:
        """Have the lane stay behind, with its connection that waits for one answer, until that has
        come."""
        if lane.connection is not None:
            lane.left, lane.connection = lane.connection.lingering, None

    def goes_on(self, lane: Lane) -> None:
        """A lane that was held up works for others again."""
        if lane.apart:
            lane.apart = False
            self._apart -= 1
            self._working += 1

    def check(self) -> None:
        """Raises Paused while the relay is paused, or one lane tries whether it works again."""
        if (left := self._pause_left()) > 0:
            raise Paused("the relay is paused", left)
        if self._probe is not None and self._failures:
            raise Paused("the relay is being tried", FEWER)

    def pause(self, *, longest: float = LONGEST, least: float = 0.0) -> float:
        """The relay failed: pause it, longer each time, at most `longest` seconds, and no shorter
        than the `least` that it asked for. Lanes that fail together are one failure. Returns
        seconds."""
        loop_now = asyncio.get_running_loop().time()
        if self._paused_until <= loop_now:
            seconds = min(FIRST_PAUSE * 2.0 ** min(self._failures, 20), longest)
            self._failures += 1
            self._paused_until = loop_now + seconds
            self.width.forget()  # that was not about how many we are
        self._asked_until = max(self._asked_until, loop_now + least)
        return max(self._paused_until, self._asked_until) - loop_now

    def fewer(self, lane: Lane) -> bool:
        """Make do with fewer connections than with this lane's, where others are connected: the
        relay may want that. False where none is; then it is the relay that is in trouble."""
        others = [other.connection for other in self._all if other is not lane]
        connected = sum(1 for each in others if each and not each.fault)
        if connected:
            self.width.turned_away(connected, asyncio.get_running_loop().time())
        return connected > 0

    def succeeded(self) -> None:
        """The relay works."""
        self.proven = True
        self._failures = 0
        self._paused_until = 0.0
        self.stumbles.worked(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Close every idle connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for lane in self._free:
            await lane.drop()

    async def _acquire(self, *, urgent: bool, sick: bool, turn: float) -> Lane:
        if self._room(urgent=urgent, sick=sick):
            return self._lent(sick=sick)
        waiting = self._waiting[2 if sick else 0 if urgent else 1]
        if sick and waiting:
            raise Busy("the lanes for sick domains are in use", turn)
        if self._patience is not None and len(waiting) >= self._patience:
            raise Busy("every lane is in use", turn)
        future: asyncio.Future[Lane] = asyncio.get_running_loop().create_future()
        waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._release(future.result())
            raise

    def _pause_left(self) -> float:
        return max(self._paused_until, self._asked_until) - asyncio.get_running_loop().time()

    def _room(self, *, urgent: bool, sick: bool) -> bool:
        if not self._free or self._working + self._apart + self._left >= self.width.allowed:
            return False
        if sick:
            return self._apart < max(1, self._relay.connections // SICK)
        return self._working < self.width.wanted + (URGENT if urgent else 0)

    def _lent(self, *, sick: bool = False) -> Lane:
        lane = self._free.pop()
        lane.apart = sick
        if sick:
            self._apart += 1
        else:
            self._working += 1
        return lane

    def _release(self, lane: Lane) -> None:
        if lane.apart:
            self._apart -= 1
        else:
            self._working -= 1
        if lane.left is None or lane.left.done():
            self._free_again(lane)
        else:
            self._left += 1
            lane.left.add_done_callback(lambda _: self._came_back(lane))
            self._serve()

    def _came_back(self, lane: Lane) -> None:
        self._left -= 1
        self._free_again(lane)

    def _free_again(self, lane: Lane) -> None:
        lane.left = None
        lane.free()
        lane.free = _nothing
        if lane.connection is None:
            self._free.insert(0, lane)
        else:
            self._free.append(lane)  # used first: others may fall idle
        self._serve()
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE, self._sweep)

    def _serve(self) -> None:
        """Give lanes to those who wait, as long as there are some."""
        for number, queue in enumerate(self._waiting):
            urgent, sick = number == 0, number == 2
            while queue and self._room(urgent=urgent, sick=sick):
                future = queue.popleft()
                if not future.done():
                    future.set_result(self._lent(sick=sick))

    def _sweep(self) -> None:
        """Close what nobody has used for a while."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        open_ = [lane for lane in self._free if lane.connection is not None]
        for lane in open_:
            if loop.time() - lane.used >= IDLE:
                task = loop.create_task(lane.drop())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
        if open_ or self._working or self._apart or self._left:
            self._sweeper = loop.call_later(IDLE, self._sweep)


def _nothing() -> None:
    """Nobody counts it."""
