"""One connection to an IMAP server: TCP, TLS, greeting, and commands that always end.

aioimaplib never fails a command whose connection is gone and sets few of them a deadline. Here
every call ends, in an answer or in a MailboxError.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aioimaplib

from postroad.runtime.config import Source
from services.ingest.opening import reach
from services.ingest.protocol import Protocol
from services.ingest.trouble import MailboxError, closed, refused, unreachable

T = TypeVar("T")


class Connection:
    """A connection to the server of a source. One command at a time.

    Every method raises MailboxError where the server refuses, is silent for ANSWER_SECONDS or
    hangs up; the connection is of no use afterwards, but for a Refused.
    """

    CONNECT_SECONDS = 15.0
    ANSWER_SECONDS = 30.0  # for an answer; of a FETCH, for its next piece

    def __init__(self, source: Source) -> None:
        self.source = source
        self._imap = Protocol()
        self._lost = self._imap.lost

    # --- opening and closing ------------------------------------------------------------------

    async def connect(self) -> None:
        """Up to where a login may be sent: connected, greeted, behind TLS if the source says so."""
        await reach(self.source, lambda: self._imap, self.CONNECT_SECONDS)
        await self._greeted()
        if self.source.tls == "starttls":
            await self._starttls()
        await self.ask_capabilities()

    async def _greeted(self) -> None:
        try:
            greeting = await self._within(self.CONNECT_SECONDS, self._imap.greeting)
        except MailboxError as error:
            raise self._no_greeting(f" ({error.what})") from error
        match greeting.upper().split()[:2]:
            case [b"*", b"OK"]:
                self._imap.state = aioimaplib.aioimaplib.NONAUTH
            case [b"*", b"PREAUTH"]:
                self._imap.state = aioimaplib.aioimaplib.AUTH
            case [b"*", b"BYE"]:
                raise closed(self.source, self._imap.farewell)
            case _:
                raise self._no_greeting()

    def _no_greeting(self, why: str = "") -> MailboxError:
        where = f"{self.source.host}:{self.source.port}"
        return self._error(f"{where} does not greet as an IMAP server{why}", "check port and tls")

    async def _starttls(self) -> None:
        # whoever sits on the wire can greet with PREAUTH, or add answers of his own before TLS
        # begins; a login that follows would be his (NO STARTTLS, Poddebniak et al. 2021)
        if self._imap.state == aioimaplib.aioimaplib.AUTH:
            raise self._error("the server skips TLS by PREAUTH", _TLS, lasting=True)
        answer = await self._run(self._imap.starttls())
        if answer.result != "OK":
            raise self._error("the server does not offer STARTTLS", _TLS, lasting=True)
        if self._imap.injected:
            raise self._error("somebody put words before the TLS handshake", _TLS, lasting=True)
        if self._lost.done() or self._imap.transport.is_closing():
            raise closed(self.source, self._imap.farewell)
        try:
            async with asyncio.timeout(self.CONNECT_SECONDS):
                transport = await asyncio.get_running_loop().start_tls(
                    self._imap.transport,
                    self._imap,
                    ssl.create_default_context(),
                    server_hostname=self.source.host,
                )
        except (OSError, TimeoutError) as error:
            raise unreachable(self.source, error) from error
        if transport is None:  # it was closed during the handshake
            raise closed(self.source, b"")
        self._imap.secured(transport)

    async def ask_capabilities(self) -> None:
        """Ask what the server can do; before, after TLS and after the login it may differ."""
        command = aioimaplib.Command("CAPABILITY", self._imap.new_tag())
        answer = await self._do("CAPABILITY", self._imap.execute(command))
        told = b" ".join(answer.lines[:-1]).decode("ascii", "replace")
        self._imap.capabilities = set(told.upper().split())

    async def close(self, *, politely: bool) -> None:
        """Log out where that is still possible, and hang up."""
        with contextlib.suppress(MailboxError):
            if politely and not self._lost.done():
                await self._within(2.0, self._imap.logout())
        if self._imap.transport is not None:
            self._imap.transport.abort()

    # --- commands -----------------------------------------------------------------------------

    async def _do(self, name: str, command: Awaitable[Any]) -> Any:
        answer = await self._run(command)
        self._check(answer, name)
        return answer

    async def _run(self, command: Awaitable[T]) -> T:
        return await self._within(self.ANSWER_SECONDS, command)

    async def _within(self, seconds: float | None, command: Awaitable[T]) -> T:
        task = asyncio.ensure_future(command)
        try:
            await self._first(seconds, task)
            return task.result()
        except aioimaplib.CommandTimeout:
            raise self._error("the server does not answer") from None
        except RuntimeError as error:  # uvloop: the transport was closed meanwhile
            raise closed(self.source, self._imap.farewell) from error
        except (aioimaplib.AioImapException, UnicodeError) as error:
            raise self._error(f"the server broke the protocol ({type(error).__name__})") from error
        finally:
            task.cancel()

    async def _first(self, seconds: float | None, *tasks: asyncio.Future[Any]) -> None:
        """Until one of `tasks` is done."""
        await asyncio.wait(
            [*tasks, self._lost], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if any(task.done() for task in tasks):
            return
        if self._imap.broken:
            raise self._error("the server broke the protocol")
        if self._lost.done():
            raise closed(self.source, self._imap.farewell)
        raise self._error("the server does not answer")

    def _check(self, answer: Any, name: str) -> None:
        if answer.result != "OK":
            raise refused(self.source, name, answer.lines[-1])

    def _argument(self, setting: str, text: str, encode: Callable[[str], str]) -> str:
        try:
            return encode(text)
        except ValueError as error:
            raise self._error(f"{setting} {error}", f"check {setting}", lasting=True) from None

    def _error(self, what: str, remedy: str = "", *, lasting: bool = False) -> MailboxError:
        return MailboxError(self.source, what, remedy, lasting=lasting)


_TLS = 'set tls = "implicit"'
