"""Clients come and go, and none holds up another."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

import structlog

from postroad.runtime.clock import now
from postroad.runtime.errors import SettingsError
from postroad.runtime.service import Context
from services.web.connection import Connection, Gone, Unheard
from services.web.decider import Request, Response

MOST = 200  # connections at once
AWHILE = 1.0  # seconds that a client may take to ask while others wait for its place
STOP_SECONDS = 5.0  # for what was asked when the service stops
TRY_SECONDS = 5.0  # until a port that could not be had is tried again
BACKLOG = 256

log = structlog.get_logger()


class Listener:
    """The socket of [web]. `respond` says what each request gets."""

    def __init__(self, context: Context, respond: Callable[[Request], Awaitable[Response]]) -> None:
        if context.config.web is None:
            raise SettingsError("there is no [web] in the settings; add the section, or stop this")
        self.context = context
        self.host, self.port = context.config.web.host, context.config.web.port
        self._respond = respond
        self._serving: dict[asyncio.Task[None], tuple[Connection, float]] = {}  # and since when

    async def run(self) -> None:
        """Listen until the service stops."""
        while not self.context.stopping.is_set():
            try:
                server = await asyncio.start_server(
                    self._accept, self.host, self.port, backlog=BACKLOG
                )
            except OSError as error:
                self._report(error)
                self.context.ready()  # it is at work as far as it can be: mail need not wait
                await self._rest(TRY_SECONDS)
                continue
            self._report()
            self.context.ready()
            await self.context.stopping.wait()
            server.close()
            heard = [task for task, (one, _) in self._serving.items() if one.heard]
            if heard:
                await asyncio.wait(heard, timeout=STOP_SECONDS)
            for task in [*self._serving]:
                task.cancel()

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.context.stopping.wait(), seconds)
        except TimeoutError:
            return

    # --- clients ------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Connection(reader, writer)
        if len(self._serving) >= MOST and not self._make_room():
            self.context.health.count("turned_away")
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
                self.context.health.count("shown_out")
                client.abort()
                task.cancel()
                return True
        return False

    async def _serve(self, client: Connection) -> None:
        try:
            try:
                response = await self._respond(await client.request())
            except Unheard as unheard:
                self.context.health.count("unheard")
                await client.refuse(unheard.status, now())
            else:
                self.context.health.count(f"status_{response.status}")
                await client.answer(response, now())
        except Gone:
            pass
        except Exception as error:  # noqa: BLE001  a client never stops the others
            self._bug(error)
            await client.refuse(500, now())
        finally:
            await client.close()

    def _bug(self, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]  # its text may hold a token
        log.error("web.bug", error=type(error).__name__, where=f"{where.filename}:{where.lineno}")

    # --- status -------------------------------------------------------------------------------

    def _report(self, error: OSError | None = None) -> None:
        where = f"{self.host}:{self.port}"
        detail = ""
        if error is not None:
            why = (error.strerror or type(error).__name__).lower()
            detail = f"cannot listen there: {why}; choose another port in [web], or free this one"
        self.context.health.report("web", where, ok=error is None, detail=detail)
