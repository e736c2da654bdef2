"""A source that listens: sessions come and go, and none holds up another."""

from __future__ import annotations

import asyncio
import random
import traceback

import structlog

from postroad.runtime.config import Source
from postroad.runtime.errors import PostroadError, Retry, SettingsError
from postroad.runtime.oauth import Tokens
from postroad.runtime.secretfile import private_directory
from postroad.runtime.servertls import server_context
from postroad.runtime.service import Context
from projections.listfeed import ListFeed
from services.ingest.decider import pause
from services.ingest.smtpd.channel import Channel
from services.ingest.smtpd.desk import Desk
from services.ingest.smtpd.roles import Terms
from services.ingest.smtpd.session import Session

CROWDED = 0.75  # of all connections: from then on nobody may sit idle
IDLE_SECONDS = 15.0  # that a client may wait to say something where there is a crowd
REPORT_SECONDS = 1.0
STOP_SECONDS = 20.0  # for mail in hand, when the service stops

log = structlog.get_logger()


class Listener:
    """One source of the kinds `lmtp` and `smtp` (see `kinds.Feed`)."""

    def __init__(self, context: Context, source: Source, _: Tokens) -> None:
        self.context = context
        self.source = source
        self.lists = ListFeed(context.broker)
        self.desk = Desk(context, source, self.lists)
        self.tried = asyncio.Event()
        self.reading = False
        self._terms = Terms(
            host=context.config.site.domain,
            domain=source.domain,
            lmtp=source.kind == "lmtp",
            size=source.max_bytes,
            tls=source.tls == "starttls",
            login=bool(source.user),
        )
        self._sessions: dict[Channel, asyncio.Task[None]] = {}

    async def drain_once(self) -> str:
        """A socket has no mail that waits."""
        return (
            f'[[source]] "{self.source.name}": {self.source.kind} waits for clients, so there is '
            "nothing to drain; run it without --once"
        )

    async def keep(self) -> None:
        """Listen until the service stops."""
        attempt = 0
        while not self.context.stopping.is_set():
            following = asyncio.create_task(self.lists.follow())
            try:
                await self._listen(following)
            except Exception as error:  # noqa: BLE001  a source never stops the others
                attempt += 1
                if not isinstance(error, OSError | PostroadError | Retry):
                    self._bug(error)
                self._report(error)
                self.tried.set()
                await self._rest(pause(attempt, random.random()))  # noqa: S311
            finally:
                following.cancel()

    async def _listen(self, following: asyncio.Task[None]) -> None:
        """Until the service stops. Raises what ends it before, or `following`, without which we
        would know lists no more."""
        private_directory(self.context.config.site.state_dir)
        await self.lists.catch_up()
        context = server_context(self.source)
        implicit = context if self.source.tls == "implicit" else None
        server = await asyncio.get_running_loop().create_server(
            lambda: Channel(self._begin, context),
            self.source.host,
            self.source.port,
            ssl=implicit,
            backlog=256,
        )
        self.reading = True
        try:
            while not self.context.stopping.is_set():
                self._report()
                self.tried.set()
                await self._rest(REPORT_SECONDS)
                if following.done():
                    following.result()
            server.close()
            for channel in self._sessions:
                channel.leave("421 4.3.2 the service stops")
            if self._sessions:
                await asyncio.wait(self._sessions.values(), timeout=STOP_SECONDS)
        finally:
            server.close()
            for task in self._sessions.values():
                task.cancel()
            self._report()
            self.reading = False

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.context.stopping.wait(), seconds)
        except TimeoutError:
            return

    # --- sessions -----------------------------------------------------------------------------

    def _begin(self, channel: Channel) -> None:
        if channel in self._sessions:  # TLS came between
            return
        many = len(self._sessions)
        if many >= self.source.connections * CROWDED:
            self._make_room()
        full = many >= self.source.connections
        speak = self._turn_away if full else self._speak
        self._sessions[channel] = asyncio.create_task(speak(channel))

    def _make_room(self) -> None:
        """Whoever sits idle is asked to leave."""
        time = asyncio.get_running_loop().time()
        for channel in self._sessions:
            if channel.waiting_since is not None and time - channel.waiting_since > IDLE_SECONDS:
                channel.leave("421 4.4.2 others wait")

    async def _turn_away(self, channel: Channel) -> None:
        self.desk.refused("421")
        channel.say("421 4.3.2 too many connections; come later")
        await self._close(channel)

    async def _speak(self, channel: Channel) -> None:
        try:
            await Session(channel, self.desk, self._terms).run()
        except Exception as error:  # noqa: BLE001  a session never stops the others
            self._bug(error)
            channel.say("421 4.3.0 something is wrong here; send it again")
        finally:
            await self._close(channel)

    def _bug(self, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]  # its text may hold an address
        place = f"{where.filename}:{where.lineno}"
        log.error("source.bug", name=self.source.name, error=type(error).__name__, where=place)

    async def _close(self, channel: Channel) -> None:
        try:
            await channel.close()
        finally:
            self._sessions.pop(channel, None)

    # --- status -------------------------------------------------------------------------------

    def _report(self, error: Exception | None = None) -> None:
        desk = self.desk
        desk.publisher.tell()
        self.context.health.report(
            "source",
            self.source.name,
            ok=error is None,
            detail=self._what(error) if error else "",
            alarm=isinstance(error, SettingsError),
            connected=error is None,
            sessions=len(self._sessions),
            received=desk.received,
            refusals=dict(desk.refusals),
        )

    def _what(self, error: Exception) -> str:
        if isinstance(error, OSError):
            why = (error.strerror or type(error).__name__).lower()
            where = f"{self.source.host}:{self.source.port}"
            return f"it cannot listen at {where}: {why}; choose another port, or free this one"
        if isinstance(error, PostroadError | Retry):
            return str(error)
        return f"a fault of Postroad: {type(error).__name__}; see the log"
