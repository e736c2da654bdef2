"""The monitor's I/O: it looks, tells, answers, and sends metrics."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog

from postroad.httpmessage import Request, Response
from postroad.runtime import instruments
from postroad.runtime.alarms.watch import LOOK_SECONDS, Watch
from postroad.runtime.httplistener import Door, Listener
from postroad.runtime.quantities import duration
from postroad.runtime.service import Context, Service
from postroad.runtime.totals import Series, Sum
from services.monitor import answers, exposition, kept
from services.monitor.series import series

FRESH = 2.0  # seconds; who asks is told of a look that is no older
KEPT_EVERY = 60.0  # seconds between two writings of what was counted, where nobody asks
FIELDS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)

log = structlog.get_logger()


class Monitor:
    """One monitor at work."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings = context.config.telemetry
        self.watch = Watch(context.config, context.broker, context.health)
        self._state_dir = context.config.site.state_dir
        before = kept.read(self._state_dir)
        self.began = before.began
        self.watch.totals.go_on(before.sums, before.last)
        self.watch.refused.extend(before.refused)
        self._written = time.monotonic()
        self._looking = asyncio.Lock()
        self._at = float("-inf")

    async def run(self) -> None:
        """Look until told to stop."""
        async with self.watch.hearing(), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._send())
            if self.settings.port:
                tasks.create_task(self._listen())
            else:
                self.context.ready()
            while not self.context.stopping.is_set():
                await self.look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self.context.stopping.wait()
            sending.cancel()
        self._keep()
        self.watch.book.gone()

    async def look(self, fresh: float = 0.0) -> None:
        """Look, unless somebody has within `fresh` seconds."""
        async with self._looking:
            began = time.monotonic()
            if began - self._at < fresh:
                return
            try:
                self.watch.book.alive()  # first: who stands in for us stops before we tell
                await self.watch.look()
            except Exception as error:  # noqa: BLE001  the watchman does not fall asleep over it
                log.error("monitor.bug", error=type(error).__name__)  # noqa: TRY400
            self._at = time.monotonic()
            if self._at - self._written >= KEPT_EVERY:
                self._keep()
            took = self._at - began
            self.context.health.metrics.record(instruments.LOOKED, value=took)

    def series(self) -> dict[Series, Sum]:
        """Every series as of the last look, to be shown: it is kept first."""
        last = self.watch.last
        if last is None:
            return {}
        self._keep()
        return series(last, self.watch.totals.sums(), self.watch.book.read())

    def _keep(self) -> None:
        kept.write(self._state_dir, self.began, self.watch.totals, [*self.watch.refused])
        self._written = time.monotonic()

    async def _listen(self) -> None:
        settings = self.settings
        door = Door(
            "telemetry",
            settings.host,
            settings.port,
            "[telemetry]",
            FIELDS,
            answers.unheard,
        )
        listener = Listener(door, self.context.health, self.respond, self.context.ready)
        await listener.run(self.context.stopping)

    async def respond(self, request: Request) -> Response:
        """What a request gets."""
        page = answers.asked(request)
        if isinstance(page, Response):
            return page
        await self.look(fresh=FRESH)
        if page == "/metrics":
            text = exposition.text(self.series())
            return Response(200, text, {"Content-Type": exposition.CONTENT_TYPE})
        last = self.watch.last
        return answers.health(page, last.status if last is not None else None)

    async def _send(self) -> None:
        """Send metrics to the collector, for ever, where there is one."""
        if not self.settings.otlp_endpoint:
            return
        from services.monitor.collector import Collector  # noqa: PLC0415  costs who has none

        collector = Collector(
            self.settings.otlp_endpoint, namespace=self.settings.service_namespace
        )
        taken = True
        try:
            while True:
                await asyncio.sleep(duration(self.settings.metrics_interval))
                send = asyncio.to_thread(
                    collector.send, self.series(), began=self.began, now=time.time_ns()
                )
                was, taken = taken, await send
                if was and not taken:
                    log.warning("metrics.not_taken")
        finally:
            collector.close()


async def run(context: Context) -> None:
    """Look and answer until told to stop."""
    await Monitor(context).run()


SERVICE = Service(
    name="monitor",
    about="looks at the whole, raises alarms, answers /healthz, /readyz and /metrics",
    run=run,
)
