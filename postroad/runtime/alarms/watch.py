"""Looking at the whole every few seconds, and telling people what they must mend.

The monitor does this; where none gives a sign of life, the supervisor does. Both keep what they
told in the same book, so that none repeats the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial

import msgspec
import structlog
from nats.aio.msg import Msg

from postroad.alarms import Notice
from postroad.runtime import instruments
from postroad.runtime.alarms import table
from postroad.runtime.alarms.book import Book
from postroad.runtime.alarms.sights import Behind, Look, behind
from postroad.runtime.alarms.standing import Found, Key, Standing, decide, owed, taken
from postroad.runtime.alarms.telling import Errand, Telling
from postroad.runtime.broker import Broker
from postroad.runtime.condition import Seen
from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.health import ALARM_SUBJECT, Health, Told
from postroad.runtime.status import look, unreachable
from postroad.runtime.totals import Totals
from postroad.runtime.verdict import REFUSED, judge

LOOK_SECONDS = 5.0
PATIENCE_SECONDS = 5.0  # for a look
HOUR = 3600.0
OURS = {("broker", "embedded"): "the embedded broker", ("broker", "external"): "the broker"}

_told = msgspec.json.Decoder(Told).decode

log = structlog.get_logger()


class Watch:
    """One who looks and tells. `last` is the last look, `totals` what all processes have counted.
    Raises SettingsError where a handler of [alarm] cannot be had."""

    def __init__(self, config: Config, broker: Broker, health: Health | None = None) -> None:
        self.config = config
        self.broker = broker
        self.book = Book(config.site.state_dir)
        self.health = health
        self.telling = Telling(config.alarm, health)
        self.totals = Totals(instruments.ALL)
        self.last: Look | None = None
        self.acting = True  # whether to listen to what services tell
        self.watchman: Callable[[], str] = str  # what is wrong with who should look, if not us
        self._behind: dict[str, Behind] = {}
        self.refused: deque[tuple[float, dict[str, float]]] = deque()

    @contextlib.asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Hear of what services tell the moment it happens, for the length of the block; at its
        end all that is to be told is told."""

        async def hear(message: Msg) -> None:
            if self.acting:
                with contextlib.suppress(msgspec.MsgspecError):
                    told = _told(message.data)
                    self._settle(*table.told_of(told.service, told.fact))

        subscription = await self.broker.nc.subscribe(ALARM_SUBJECT, cb=hear)
        try:
            yield
        finally:
            with contextlib.suppress(Exception):
                await subscription.unsubscribe()
            await self.telling.close()

    async def look(self) -> Look:
        """Look once, and tell what is to be told."""
        seen = await self._seen()
        at = time.time()
        status = judge(seen)
        if not seen.unreachable:
            waiting = {each.name: each.lag for stage in status.stages for each in stage.consumers}
            self._behind = behind(self._behind, waiting, at)
            self.totals.take(seen.reports)
        found = Look(
            status=status,
            seen=seen,
            now=at,
            behind=self._behind,
            refused=self._refused_lately(at),
            known=self.book.read().keys(),
            watchman=self.watchman(),
        )
        self._settle(*table.look_through(found))
        self.last = found
        return found

    async def _seen(self) -> Seen:
        if not self.broker.nc.is_connected:
            return await unreachable(self.config)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await look(self.config, self.broker)
        except PostroadError as error:
            return await unreachable(self.config, str(error))
        except (TimeoutError, Retry):
            return await unreachable(self.config)

    def _refused_lately(self, at: float) -> dict[str, int]:
        """How many mails each source has left on its server within the last hour."""
        counted = {
            series.values[0]: total.value
            for series, total in self.totals.sums().items()
            if series.name == instruments.MAILS.name and series.values[1] == "refused"
        }
        looks = self.refused
        if not looks or looks[-1][1] != counted:
            looks.append((at, counted))
        while len(looks) > 1 and looks[1][0] <= at - HOUR:
            looks.popleft()
        before = looks[0][1] if looks[0][0] <= at - HOUR else {}
        lately = {name: int(count - before.get(name, 0)) for name, count in counted.items()}
        if self.health is not None:  # by which `postroad status` has it
            for name, mails in lately.items():
                self.health.report(REFUSED, name, ok=True, mails=mails)
        return lately

    def note(self, found: Collection[Found]) -> None:
        """Have it told by whoever looks next: by us, or by another, who cannot know of it and reads
        the same book."""
        if found:
            self._enter(found, ())

    def _settle(self, found: Iterable[Found], well: Collection[Key]) -> None:
        standing = self._enter(found, well)
        self.telling.tell(
            Errand(each.key, way, notice(each), partial(self._taken, each, way))
            for each, way in owed(standing.values(), self.telling.ways)
        )

    def _enter(self, found: Iterable[Found], well: Collection[Key]) -> Mapping[Key, Standing]:
        """Write into the book what stands now."""
        before = self.book.read()
        decision = decide(before, found, well, time.time(), self.telling.ways)
        for each in decision.raised:
            log.error("alarm.raised", **_names(each), text=notice(each).text)
        for each in decision.cleared:
            log.info("alarm.cleared", **_names(each))
        if decision.standing != before:
            self.book.write(decision.standing.values())
        return decision.standing

    def _taken(self, told: Standing, way: str) -> None:
        self.book.write(taken(self.book.read(), told, way, time.time()).values())
        self._settle((), ())  # it may be over meanwhile: no look need come by to tell that


def notice(standing: Standing) -> Notice:
    """What people are told of it: that it is wrong, or, where it is over, well."""
    alarm = table.BY_NAME.get(standing.alarm)
    well = alarm.well if alarm is not None else "works again"
    what = OURS.get((standing.kind, standing.name), f"{standing.kind} {standing.name}")
    said = standing.said.removeprefix(f"{what} ")
    since = datetime.fromtimestamp(standing.over or standing.told, UTC)
    return Notice(
        state="cleared" if standing.over else "raised",
        alarm=standing.alarm,
        service=standing.service,
        kind=standing.kind,
        name=standing.name,
        text=f"{what} {well}" if standing.over else f"{what}: {said}",
        time=since.isoformat(timespec="seconds"),
        page=f"docs/operators/{alarm.page}" if alarm is not None else "",
    )


def _names(standing: Standing) -> dict[str, str]:
    return {"alarm": standing.alarm, "kind": standing.kind, "name": standing.name}
