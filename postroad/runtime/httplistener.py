"""Clients come and go, and none holds up another."""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from postroad.httpmessage import Request, Response
from postroad.runtime import instruments
from postroad.runtime.clock import now
from postroad.runtime.health import Health
from postroad.runtime.httpconnection import Connection, Gone, Unheard

MOST = 200  # connections at once
AWHILE = 1.0  # seconds that a client may take to ask while others wait for its place
STOP_SECONDS = 5.0  # for what was asked when the service stops
TRY_SECONDS = 5.0  # until a port that could not be had is tried again
BACKLOG = 256

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Door:
    """A socket: under which `kind` of fact it is reported, where it listens, the `section` of the
    settings that says so, the header fields of each response, and what is answered to what is no
    request."""

    kind: str
    host: str
    port: int
    section: str
    fields: Sequence[tuple[str, str]]
    unheard: Callable[[int], Response]


class Listener:
    """Who listens at a door. `respond` says what each request gets; `ready` is called once, when
    the socket is there, or cannot be had for now: mail need not wait for it."""

    def __init__(
        self,
        door: Door,
        health: Health,
        respond: Callable[[Request], Awaitable[Response]],
        ready: Callable[[], None],
    ) -> None:
        self.door = door
        self.health = health
        self._respond = respond
        self._ready = ready
        self._serving: dict[asyncio.Task[None], tuple[Connection, float]] = {}  # and since when

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until the service stops."""
        tried = False
        while not stopping.is_set():
            try:
                server = await asyncio.start_server(
                    self._accept, self.door.host, self.door.port, backlog=BACKLOG
                )
            except OSError as error:
                self._report(error)
                if not tried:
                    self._ready()
                tried = True
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), TRY_SECONDS)
                continue
            self._report()
            if not tried:
                self._ready()
            await stopping.wait()
            server.close()
            heard = [task for task, (one, _) in self._serving.items() if one.heard]
            if heard:
                await asyncio.wait(heard, timeout=STOP_SECONDS)
            for task in [*self._serving]:
                task.cancel()

    # --- clients ------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Connection(reader, writer, self.door.fields)
        if len(self._serving) >= MOST and not self._make_room():
            self.health.count("turned_away")
            client.abort()
            return
        task = asyncio.create_task(self._serve(client))
        self._serving[task] = client, asyncio.get_running_loop().time()
        task.add_done_callback(self._serving.pop)

    def _make_room(self) -> bool:
        """Show out whoever has taken a place longest without asking anything."""
        late = asyncio.get_running_loop().time() - AWHILE
        for task, (client, since) in self._serving.items():  # the oldest first
            if not client.heard and since < late:
                self.health.count("shown_out")
                client.abort()
                task.cancel()
                return True
        return False

    async def _serve(self, client: Connection) -> None:
        began, status = time.perf_counter(), 0
        try:
            response = await self._response(client)
            status = response.status
            await client.answer(response, now())
        except Gone:
            pass
        finally:
            if status:
                took = time.perf_counter() - began
                self.health.metrics.record(
                    instruments.HTTP_SERVED, self.health.service, str(status), value=took
                )
            await client.close()

    async def _response(self, client: Connection) -> Response:
        """What a client is answered, whatever it says. Raises Gone."""
        try:
            response = await self._respond(await client.request())
        except Gone:
            raise
        except Unheard as unheard:
            self.health.count("unheard")
            return self.door.unheard(unheard.status)
        except Exception as error:  # noqa: BLE001  a client never stops the others
            where = traceback.extract_tb(error.__traceback__)[-1]  # its text may hold a token
            place = f"{where.filename}:{where.lineno}"
            log.error("web.bug", error=type(error).__name__, where=place)  # noqa: TRY400
            return self.door.unheard(500)
        self.health.count(f"status_{response.status}")
        return response

    # --- status -------------------------------------------------------------------------------

    def _report(self, error: OSError | None = None) -> None:
        where = f"{self.door.host}:{self.door.port}"
        detail = ""
        if error is not None:
            why = (error.strerror or type(error).__name__).lower()
            section = self.door.section
            detail = (
                f"cannot listen there: {why}; choose another port in {section}, or free this one"
            )
        self.health.report(self.door.kind, where, ok=error is None, detail=detail)
