"""The display of `postroad up` on a terminal: how all is, drawn anew every second at the bottom,
and log lines above it.

Lines never tear the display, for all of them come through here: those of services by their pipes.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live as Region
from rich.text import Text

from postroad.cli import statuspage
from postroad.cli.output import WIDEST, table
from postroad.runtime.apierror import ApiError
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.status import look, unreachable
from postroad.runtime.supervisor import to_stderr
from postroad.runtime.verdict import judge

if TYPE_CHECKING:
    from postroad.runtime.condition import Status
    from postroad.runtime.config import Config
    from postroad.runtime.supervisor import Supervisor

DRAWN_SECONDS = 1.0
PATIENCE_SECONDS = 3.0  # for one look
COLOURS = {"healthy": "green", "degraded": "yellow", "down": "red"}


class Live:
    """The terminal, for the length of a block."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._console = Console(highlight=False)
        self._region = Region(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._above = sys.stderr.isatty()  # else log lines go where somebody wants them
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._region.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            self._region.stop()

    def write(self, text: str) -> None:
        """Take log lines of this process."""
        self.lines(text.encode())

    def flush(self) -> None:
        """Nothing waits."""

    def lines(self, lines: bytes) -> None:
        """Take whole lines, and put them above the display."""
        if not self._above:
            to_stderr(lines)
            return
        text = Text.from_ansi(lines.decode(errors="replace").rstrip("\n"))
        with contextlib.suppress(OSError):
            self._console.print(text, soft_wrap=True)

    async def watch(self, supervisor: Supervisor) -> None:
        """Draw until cancelled."""
        while True:
            found = await self._look(supervisor)
            with contextlib.suppress(OSError):
                self._region.update(Group(*self._page(supervisor, found)), refresh=True)
            await asyncio.sleep(DRAWN_SECONDS)

    async def _look(self, supervisor: Supervisor) -> Status:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return judge(await look(self._config, supervisor.broker))
        except (TimeoutError, Retry, PostroadError, ApiError):
            return judge(await unreachable(self._config))

    def _page(self, supervisor: Supervisor, found: Status) -> Iterator[RenderableType]:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        up = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        if supervisor.stopping:
            left = [child.name for child in supervisor.children if child.runs]
            yield Text(
                f"Postroad is stopping: {', '.join(left) or 'the broker'} may finish; "
                "Ctrl-C again ends all at once",
                style="bold yellow",
            )
        elif not supervisor.ready.is_set():
            left = [child.name for child in supervisor.children if not child.ready.is_set()]
            yield Text(f"Postroad starts: {', '.join(left)} not ready yet", style="bold")
        else:
            head = f"Postroad is {found.state}, {up}; Ctrl-C stops"
            yield Text(head, style=f"bold {COLOURS[found.state]}")
            yield from (Text(f"  {problem}") for problem in found.problems)
        yield Text()
        if found.broker.state == "down":
            yield from (Text(f"{indent}{line}") for line, indent in statuspage.machine(found))
            return
        stages = map(statuspage.stage, found.stages)
        yield _within(table(statuspage.STAGES, stages, whole=statuspage.STAGES_WHOLE))
        if found.sources or found.relays:
            yield Text()
            yield _within(table(statuspage.PEERS, statuspage.peers(found), whole=4))
        yield Text()
        yield from (Text(f"{indent}{line}") for line, indent in statuspage.errors(found))
        yield from (Text(f"{indent}{line}") for line, indent in statuspage.below(found))


def _within(rows: RenderableType) -> RenderableType:

    return Constrain(rows, WIDEST)
