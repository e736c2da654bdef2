"""Telling people, as `[alarm]` says: by a command, a webhook, handlers of one's own.

Telling must not delay mail: it runs beside it, is tried three times, and gives up after a while.
Handlers are functions of other packages (`postroad.alarms`), and run in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import shlex
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib import metadata
from threading import Thread
from typing import Any

import msgspec
import structlog

from postroad.alarms import GROUP, Notice
from postroad.runtime.errors import SettingsError
from postroad.runtime.health import Health
from postroad.runtime.settings import Alarm

SECONDS = 10.0  # for a command to end, a webhook to answer, a handler to come back
TRIES = 3
PAUSE = 2.0  # seconds before the second try; the third waits twice as long

log = structlog.get_logger()

Teller = Callable[[Notice], Awaitable[str]]
Handler = Callable[[Notice], Any]


class Telling:
    """Who is told. Raises SettingsError where a handler is not installed, or cannot be loaded."""

    def __init__(self, settings: Alarm, health: Health | None = None) -> None:
        self._settings = settings
        self._health = health  # where it is told that nobody could be
        self._handlers = dict(zip(settings.handlers, load(settings.handlers), strict=True))
        self._telling: set[asyncio.Task[None]] = set()

    def tell(self, notice: Notice) -> None:
        """Tell everybody. Returns at once."""
        names = {"alarm": notice.alarm, "kind": notice.kind, "name": notice.name}
        if notice.state == "raised":
            log.error("alarm.raised", **names, text=notice.text)
        else:
            log.info("alarm.cleared", **names)
        task = asyncio.create_task(self._tell(notice))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Wait until everybody is told, or has had the time to be."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=SECONDS)

    async def once(self, notice: Notice) -> dict[str, str]:
        """Tell everybody, trying once, and wait for it: of each way what went wrong, or empty."""
        ways = self._ways()
        found = await asyncio.gather(*(_try(tell, notice) for _, tell in ways))
        return {how: why for (how, _), why in zip(ways, found, strict=True)}

    async def _tell(self, notice: Notice) -> None:
        await asyncio.gather(*(self._insist(how, tell, notice) for how, tell in self._ways()))

    def _ways(self) -> list[tuple[str, Teller]]:
        ways: list[tuple[str, Teller]] = []
        if self._settings.command:
            ways.append(("command", self._run))
        if self._settings.webhook:
            ways.append(("webhook", self._post))
        ways += [(f"handler {name}", _by(call)) for name, call in self._handlers.items()]
        return ways

    async def _insist(self, how: str, tell: Teller, notice: Notice) -> None:
        why = ""
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE * attempt)
            why = await _try(tell, notice)
            if not why:
                break
        if self._health is not None:
            self._health.report("telling", how, ok=not why, detail=why)
        if not why:
            return
        log.error("alarm.not_told", how=how, kind=notice.kind, name=notice.name, why=why)

    async def _run(self, notice: Notice) -> str:
        """Run the command; empty, or what went wrong."""
        with tempfile.TemporaryFile() as text:  # no pipe: who does not read ends as it likes
            text.write(f"{notice.text}\n".encode())
            text.seek(0)
            process = await asyncio.create_subprocess_exec(
                *shlex.split(self._settings.command),
                stdin=text,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        return f"exit code {process.returncode}" if process.returncode else ""

    async def _post(self, notice: Notice) -> str:
        """Post to the webhook; empty, or what went wrong."""
        import httpx  # noqa: PLC0415  only who has a webhook pays for it

        async with httpx.AsyncClient(timeout=SECONDS) as client:
            answer = await client.post(
                self._settings.webhook,
                content=msgspec.json.encode(notice),
                headers={"Content-Type": "application/json"},
            )
        return "" if answer.is_success else f"HTTP {answer.status_code}"


async def _try(tell: Teller, notice: Notice) -> str:
    try:
        async with asyncio.timeout(SECONDS):
            return await tell(notice)
    except Exception as error:  # noqa: BLE001 - telling must never stop mail
        return type(error).__name__


def _by(handler: Handler) -> Teller:
    return partial(_in_thread, handler)


async def _in_thread(handler: Handler, notice: Notice) -> str:
    """Call it in a daemon thread: one that hangs keeps no process from ending. Empty, or what it
    failed with."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str] = loop.create_future()

    def over(why: str) -> None:
        if not done.done():  # somebody still waits for it
            done.set_result(why)

    def run() -> None:
        why = ""
        try:
            handler(notice)
        except BaseException as error:  # noqa: BLE001  whatever it is, it must not end us
            why = type(error).__name__
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(over, why)

    Thread(target=run, daemon=True, name="alarm").start()
    return await done


def load(names: Sequence[str]) -> list[Handler]:
    """The handlers under these names. Raises SettingsError."""
    if not names:
        return []
    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    return [_loaded(name, points) for name in names]


def _loaded(name: str, points: dict[str, metadata.EntryPoint]) -> Handler:
    if name not in points:
        near = difflib.get_close_matches(name, points, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise SettingsError(
            f"[alarm] handlers: no package has a handler {name!r}; {hint}there are: "
            f"{', '.join(sorted(points)) or 'none'}"
        )
    try:
        handler = points[name].load()
    except Exception as error:
        raise SettingsError(
            f"[alarm] handlers: {name} cannot be loaded ({type(error).__name__}); "
            "reinstall its package, or take it off the list"
        ) from error
    if not callable(handler):
        raise SettingsError(f"[alarm] handlers: {name} is no function; see docs/operators/alarm.md")
    found: Handler = handler
    return found
