"""A source that is read in sessions: it comes back after any failure, and says how it is."""

from __future__ import annotations

import asyncio
import contextlib
import random
import traceback
from collections.abc import Awaitable, Callable

import structlog

from postroad.runtime.clock import now
from postroad.runtime.config import Source
from postroad.runtime.errors import PostroadError, Retry, SettingsError
from postroad.runtime.oauth import TokenError, Tokens
from postroad.runtime.service import Context
from services.ingest.decider import pause
from services.ingest.publisher import Publisher
from services.ingest.trouble import MailboxError

ONCE_TRIES = 3  # sessions, with --once
CALM_SECONDS = 60.0  # a session of this length ends a row of failures
LOOK_SECONDS = 2.0  # between two looks for a new password or token, while a source waits

Session = Callable[[], Awaitable[None]]
Reader = Callable[["Sessions"], Session]

log = structlog.get_logger()


class Sessions:
    """One source over all its sessions (see `kinds.Feed`). `reader` makes the session: a
    coroutine that takes mail until told to stop (with `once`: until there is no more), and
    raises what ended it before.
    """

    def __init__(self, context: Context, source: Source, tokens: Tokens, reader: Reader) -> None:
        self.context = context
        self.source = source
        self.tokens = tokens
        self.tried = asyncio.Event()
        self.reading = False
        self._took = False
        self._session = reader(self)

    async def keep(self) -> None:
        """Take mail until stopping, beginning again after any failure."""
        stopping = self.context.stopping
        attempt = 0
        while not stopping.is_set():
            began = asyncio.get_running_loop().time()
            self._took = False
            try:
                await self._session()
            except Exception as error:  # noqa: BLE001  a source never stops the others
                calm = asyncio.get_running_loop().time() - began > CALM_SECONDS
                attempt = 1 if self._took or calm else attempt + 1
                self._report_failure(error)
                delay = pause(attempt, random.random(), lasting=_lasting(error))  # noqa: S311
                self.tried.set()
                await self._rest(delay)

    async def drain_once(self) -> str:
        """Take what there is; an empty string, or the line that says why it was not possible."""
        for attempt in range(1, ONCE_TRIES + 1):
            try:
                await self._session()
            except (PostroadError, Retry) as error:
                self._report_failure(error)
                if _lasting(error) or attempt == ONCE_TRIES:
                    return _line(self.source, error)
                await asyncio.sleep(pause(attempt, random.random()))  # noqa: S311
            else:
                return ""
        return ""

    async def _rest(self, seconds: float) -> None:
        """Wait before beginning again: not after somebody has mended the password or token."""
        loop = asyncio.get_running_loop()
        until, before = loop.time() + seconds, await self._secret()
        while (left := until - loop.time()) > 0 and not self.context.stopping.is_set():
            await self.sleep(min(left, LOOK_SECONDS))
            if await self._secret() not in ("", before):
                return

    async def sleep(self, seconds: float) -> None:
        """Until this time has passed, or until stopping."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.context.stopping.wait(), seconds)

    async def _secret(self) -> str:
        """What the source logs in with, or "" where there is nothing."""
        try:
            if self.source.oauth2 is not None:
                return await asyncio.wait_for(self.tokens.access(self.source), LOOK_SECONDS)
            return self.source.password()
        except (TokenError, SettingsError, TimeoutError):
            return ""

    def count(self, publisher: Publisher) -> None:
        """Add what was taken and refused to what status shows."""
        self._took = self._took or publisher.received > 0
        publisher.tell()

    def foreboding(self) -> TokenError | None:
        """What will keep us out once the token we have has died, unless a person does something."""
        trouble = self.tokens.trouble(self.source) if self.source.oauth2 is not None else None
        return trouble if trouble is not None and trouble.lasting else None

    def report(self, trouble: PostroadError | None) -> None:
        """The source was reached; `trouble` is what is wrong with it though mail goes on."""
        self.context.health.report(
            "source",
            self.source.name,
            ok=trouble is None,
            detail=_what(trouble) if trouble else "",
            alarm=_lasting(trouble),
            connected=True,
            polled=now().isoformat(timespec="seconds"),
        )

    def _report_failure(self, error: Exception) -> None:
        if not isinstance(error, PostroadError | Retry):
            where = traceback.extract_tb(error.__traceback__)[-1]  # its text may hold an address
            place = f"{where.filename}:{where.lineno}"
            log.error("source.bug", name=self.source.name, error=type(error).__name__, where=place)
        self.context.health.report(
            "source",
            self.source.name,
            ok=False,
            detail=_what(error),
            alarm=_lasting(error),
            connected=False,
            last_error=_what(error),
            last_error_at=now().isoformat(timespec="seconds"),
        )


def _lasting(error: Exception | None) -> bool:
    """Whether only a person can mend it."""
    if isinstance(error, MailboxError | TokenError):
        return error.lasting
    return isinstance(error, SettingsError)


def _what(error: Exception) -> str:
    match error:
        case TokenError():
            return error.reason
        case MailboxError():
            return error.what
        case PostroadError() | Retry():
            return str(error)
        case _:
            return f"a fault of Postroad: {type(error).__name__}; see the log"


def _line(source: Source, error: PostroadError | Retry) -> str:
    return (
        str(error) if isinstance(error, PostroadError) else f'[[source]] "{source.name}": {error}'
    )
