"""Telling people, as `[alarm]` says: by a command, a webhook, handlers of one's own.

Telling must not delay mail: it runs beside it. Who cannot be told is tried again later, and later
each time, for as long as there is something to tell. Handlers are functions of other packages
(`postroad.alarms`), and run in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import os
import shlex
import signal
import tempfile
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
PAUSE = 5.0  # seconds before the second try; each later one waits twice as long
LONGEST = 600.0
TRIES = 3  # that failed, until it is said that somebody cannot be told
HANGING = 32  # calls of a handler that have not come back; with so many it is not called again

log = structlog.get_logger()

Teller = Callable[[Notice], Awaitable[str]]
Handler = Callable[[Notice], Any]
Place = tuple[Hashable, str]


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to be told by one way; `what` it is about tells it from others. `taken` is called
    once the way took it."""

    what: Hashable
    way: str
    notice: Notice
    taken: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Failed:
    """How often a way failed in a row at an errand, and when (by the loop) it is tried again."""

    tries: int
    until: float


_FRESH = _Failed(0, 0.0)


class Telling:
    """Who is told. Raises SettingsError where a handler is not installed, or cannot be loaded."""

    def __init__(self, settings: Alarm, health: Health | None = None) -> None:
        self._settings = settings
        self._health = health  # where it is told that nobody could be
        self._handlers = dict(zip(settings.handlers, load(settings.handlers), strict=True))
        self._ways = self._found_ways()
        self._telling: dict[Place, asyncio.Task[None]] = {}
        self._failed: dict[Place, _Failed] = {}

    @property
    def ways(self) -> Collection[str]:
        """Who is told: `command`, `webhook`, `handler NAME`."""
        return self._ways.keys()

    def tell(self, errands: Iterable[Errand]) -> None:
        """Tell all that is to be told. Returns at once, and is called again and again with what is
        still owed: what is under way, or failed a moment ago, is left to itself."""
        wanted = {(errand.what, errand.way): errand for errand in errands}
        self._failed = {place: it for place, it in self._failed.items() if place in wanted}
        now = asyncio.get_running_loop().time()
        for place, errand in wanted.items():
            if place not in self._telling and self._failed.get(place, _FRESH).until <= now:
                self._telling[place] = asyncio.create_task(self._tell(place, errand))

    async def close(self) -> None:
        """Wait until everybody is told, or has had the time to be."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while self._telling:  # who took something may be owed another
                    await asyncio.wait(self._telling.values())

    async def once(self, notice: Notice) -> dict[str, str]:
        """Tell everybody, trying once, and wait for it: of each way what went wrong, or empty."""
        found = await asyncio.gather(*(_try(tell, notice) for tell in self._ways.values()))
        return dict(zip(self._ways, found, strict=True))

    def _found_ways(self) -> Mapping[str, Teller]:
        ways: dict[str, Teller] = {}
        if self._settings.command:
            ways["command"] = self._run
        if self._settings.webhook:
            ways["webhook"] = self._post
        return ways | {f"handler {name}": _by(call) for name, call in self._handlers.items()}

    async def _tell(self, place: Place, errand: Errand) -> None:
        why = await _try(self._ways[errand.way], errand.notice)
        if why:
            tries = self._failed.get(place, _FRESH).tries + 1
            pause = min(PAUSE * 2.0 ** (tries - 1), LONGEST)
            self._failed[place] = _Failed(tries, asyncio.get_running_loop().time() + pause)
            if tries == TRIES:
                self._not_told(errand, why)
        else:
            self._failed.pop(place, None)
            if self._health is not None:
                self._health.report("telling", errand.way, ok=True, detail="")
        del self._telling[place]
        if not why:
            errand.taken()

    def _not_told(self, errand: Errand, why: str) -> None:
        if self._health is not None:
            self._health.report("telling", errand.way, ok=False, detail=why)
        notice = errand.notice
        log.error("alarm.not_told", how=errand.way, kind=notice.kind, name=notice.name, why=why)

    async def _run(self, notice: Notice) -> str:
        """Run the command; empty, or what went wrong."""
        with tempfile.TemporaryFile() as text:  # no pipe: who does not read ends as it likes
            text.write(f"{notice.text}\n".encode())
            text.seek(0)
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *shlex.split(self._settings.command),
                    stdin=text,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
            try:
                process = await asyncio.shield(starting)
                await process.wait()
            finally:
                process = await starting  # it may be there, though nobody waits for it any more
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):  # with all that it has started
                        os.killpg(process.pid, signal.SIGKILL)
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
    return partial(_in_thread, handler, set())


async def _in_thread(handler: Handler, hanging: set[Thread], notice: Notice) -> str:
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

    hanging -= {thread for thread in hanging if not thread.is_alive()}
    if len(hanging) >= HANGING:
        return "it hangs"
    thread = Thread(target=run, daemon=True, name="alarm")
    thread.start()
    hanging.add(thread)
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
