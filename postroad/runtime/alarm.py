"""[alarm]: a person is told what only a person can mend, by a command, a webhook or both.

Each thing is told of once, again where its reason changes, and once more when it works again.
Whoever is told learns which section of the settings is meant and what to do; never an address,
a secret or a token. Telling must not delay mail: it runs beside it, and gives up after a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from postroad.runtime.clock import now
from postroad.runtime.settings import Alarm

SECONDS = 10.0  # for a command to end, and for a webhook to answer
TRIES = 3
PAUSE = 2.0  # seconds before the second try; the third waits twice as long

log = structlog.get_logger()


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook is posted, as JSON; the command gets `text` on its standard input."""

    state: str  # "raised" or "cleared"
    service: str
    kind: str  # source, relay, ...
    name: str
    text: str
    time: str


Teller = Callable[[Notice], Awaitable[str]]


class Alarms:
    """The alarms of one process."""

    def __init__(self, settings: Alarm, service: str) -> None:
        self._settings = settings
        self._service = service
        self._raised: dict[tuple[str, str], str] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def tell(self, kind: str, name: str, detail: str, *, ok: bool) -> None:
        """Somebody must act (`ok` False), or need not any more. Returns at once."""
        before = self._raised.get((kind, name))
        if ok:
            if self._raised.pop((kind, name), None) is None:
                return
            state, text = "cleared", f"{kind} {name} works again"
            log.info("alarm.cleared", kind=kind, name=name)
        elif before == detail:
            return
        else:
            self._raised[kind, name] = detail
            state, text = "raised", f"{kind} {name}: {detail}"
            log.error("alarm.raised", kind=kind, name=name, detail=detail)
        notice = Notice(
            state=state,
            service=self._service,
            kind=kind,
            name=name,
            text=text,
            time=now().isoformat(timespec="seconds"),
        )
        task = asyncio.create_task(self._tell(notice))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Wait until everybody is told, or has had the time to be."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=SECONDS)

    async def _tell(self, notice: Notice) -> None:
        if self._settings.command:
            await self._insist("command", self._run, notice)
        if self._settings.webhook:
            await self._insist("webhook", self._post, notice)

    async def _insist(self, how: str, tell: Teller, notice: Notice) -> None:
        why = ""
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE * attempt)
            try:
                async with asyncio.timeout(SECONDS):
                    why = await tell(notice)
            except Exception as error:  # noqa: BLE001 - telling must never stop mail
                why = type(error).__name__
            if not why:
                return
        log.error("alarm.not_told", how=how, kind=notice.kind, name=notice.name, why=why)

    async def _run(self, notice: Notice) -> str:
        """Run the command; empty, or what went wrong."""
        process = await asyncio.create_subprocess_exec(
            *shlex.split(self._settings.command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await process.communicate(f"{notice.text}\n".encode())
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
