"""One connection to a POP3 server: TLS, greeting, login, and commands that always end.

Every method raises MailboxError where the server refuses, is silent for ANSWER_SECONDS or hangs
up; the connection is of no use afterwards, but for a Refused.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Awaitable, Sequence
from typing import Self, TypeVar

from postroad.runtime.config import Source
from postroad.runtime.oauth import Tokens
from services.ingest.opening import reach, token
from services.ingest.pop3 import syntax
from services.ingest.pop3.stream import Broken, Lost, Stream
from services.ingest.pop3.syntax import Listed, Status
from services.ingest.pop3.trouble import closed, login_refused, refused
from services.ingest.trouble import MailboxError, unreachable

T = TypeVar("T")

LISTING = 32 << 20  # octets of an answer to LIST or UIDL: 300,000 mails
SLOWEST = 10_000  # octets a second of a mail, at least
_TLS = 'set tls = "implicit"'


class TooLarge(Exception):
    """The mail has more octets than it may, whatever LIST said; the connection is of no use."""


class Account:
    """A connection that logs in as its source says; `tokens` where that is by token."""

    CONNECT_SECONDS = 15.0
    ANSWER_SECONDS = 30.0  # for an answer; of a mail, for its next piece

    def __init__(self, source: Source, tokens: Tokens | None = None) -> None:
        self.source = source
        self.tokens = tokens
        self._stream = Stream()
        self.capabilities: dict[str, Sequence[str]] = {}

    async def __aenter__(self) -> Self:
        try:
            await token(self.source, self.tokens)  # without one the server need not be troubled
            await self.connect()
            await self.log_in()
        except BaseException:
            self.abort()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()

    # --- opening and closing ------------------------------------------------------------------

    async def connect(self) -> None:
        """Up to where a login may be sent: connected, greeted, behind TLS if the source says so."""
        await reach(self.source, lambda: self._stream, self.CONNECT_SECONDS)
        try:
            greeting = await self._status()
        except MailboxError as error:
            raise self._no_greeting(f" ({error.what})") from error
        if not greeting.ok:
            raise closed(self.source, greeting)
        if self.source.tls == "starttls":
            await self._stls()
        await self.ask_capabilities()

    def _no_greeting(self, why: str) -> MailboxError:
        where = f"{self.source.host}:{self.source.port}"
        return self._error(f"{where} does not greet as a POP3 server{why}", "check port and tls")

    async def _stls(self) -> None:
        """Begin TLS (RFC 2595 section 4), and believe nothing that was said before."""
        if not (await self._ask(b"STLS")).ok:
            raise self._error("the server does not offer STLS", _TLS, lasting=True)
        if self._stream.unread:
            raise self._error("somebody put words before the TLS handshake", _TLS, lasting=True)
        try:
            async with asyncio.timeout(self.CONNECT_SECONDS):
                transport = await asyncio.get_running_loop().start_tls(
                    self._stream.transport,
                    self._stream,
                    ssl.create_default_context(),
                    server_hostname=self.source.host,
                )
        except (OSError, TimeoutError) as error:
            raise unreachable(self.source, error) from error
        if transport is None:  # it was closed during the handshake
            raise self._error("the server closed the connection")
        self._stream.secured(transport)

    async def ask_capabilities(self) -> None:
        """Ask what the server can do (RFC 2449); many do not say."""
        self.capabilities = {}
        if (await self._ask(b"CAPA")).ok:
            self.capabilities = dict(syntax.capabilities(await self._block(LISTING)))

    async def quit(self) -> None:
        """End the session, which is when the server deletes."""
        self._check(await self._ask(b"QUIT"), "QUIT")

    def abort(self) -> None:
        """Hang up: nothing is deleted."""
        if self._stream.transport is not None:
            self._stream.transport.abort()

    # --- logging in ---------------------------------------------------------------------------

    async def log_in(self) -> None:
        """Log in by token or password."""
        if shown := await token(self.source, self.tokens):
            await self._by_token(shown)
        else:
            await self._by_password()

    async def _by_password(self) -> None:
        user, password = self.source.user, self.source.password()
        if "USER" not in self.capabilities and "PLAIN" in self.capabilities.get("SASL", ()):
            answer = await self._sasl(b"PLAIN", f"\0{user}\0{password}")  # RFC 4616
        else:
            answer = await self._ask(b"USER " + self._argument("user", user))
            if answer.ok:
                answer = await self._ask(b"PASS " + self._argument("password_file", password))
        if not answer.ok:
            raise login_refused(self.source, answer)

    async def _by_token(self, shown: str) -> None:
        answer = await self._xoauth2(shown)
        if answer.ok:
            return
        error = login_refused(self.source, answer, token=True)
        if not error.lasting:
            raise error
        # it may have been revoked before its time: ask for another, once
        other = await token(self.source, self.tokens, refused=shown)
        if other == shown or not (answer := await self._xoauth2(other)).ok:
            raise login_refused(self.source, answer, token=True)

    async def _xoauth2(self, shown: str) -> Status:
        """XOAUTH2, as Google and Microsoft describe it. Google shows the token on the line of AUTH,
        Microsoft takes it only on the next; that is also what RFC 5034 section 4 wants of
        anything longer than 255 octets, so everybody else is given it so."""
        assert self.source.oauth2 is not None
        response = f"user={self.source.user}\x01auth=Bearer {shown}\x01\x01"
        at_once = self.source.oauth2.provider == "google"
        return await self._sasl(b"XOAUTH2", response, at_once=at_once)

    async def _sasl(self, mechanism: bytes, response: str, *, at_once: bool = False) -> Status:
        """AUTH with one response (RFC 5034). Any further challenge is answered by an empty line:
        XOAUTH2 tells so why it refuses, and says -ERR after that."""
        secret = base64.b64encode(response.encode())
        line = await self._say(b"AUTH " + mechanism + (b" " + secret if at_once else b""))
        if _is_challenge(line) and not at_once:
            line = await self._say(secret)
        if _is_challenge(line):
            line = await self._say(b"")
        return self._read(line)

    # --- mail ---------------------------------------------------------------------------------

    async def mails(self) -> list[Listed]:
        """What is there, by number."""
        answer = await self._ask(b"LIST")
        self._check(answer, "LIST")
        sizes = syntax.sizes(await self._block(LISTING))
        uidls = syntax.uidls(await self._block(LISTING)) if (await self._ask(b"UIDL")).ok else {}
        return syntax.listed(sizes, uidls)

    async def retrieve(self, number: int, largest: int) -> bytes:
        """The bytes of a mail. Raises Refused where the server does not hand it out, TooLarge."""
        self._check(await self._ask(b"RETR %d" % number), "RETR")
        try:
            return await self._block(largest)
        except ValueError:
            raise TooLarge from None

    async def delete(self, number: int) -> None:
        """Mark a mail, to be deleted at QUIT. Raises Refused."""
        self._check(await self._ask(b"DELE %d" % number), "DELE")

    # --- commands -----------------------------------------------------------------------------

    async def _ask(self, command: bytes) -> Status:
        return self._read(await self._say(command))

    async def _say(self, command: bytes) -> bytes:
        with contextlib.suppress(RuntimeError):  # uvloop: the transport was closed meanwhile
            self._stream.transport.write(command + b"\r\n")
        return await self._line()

    async def _status(self) -> Status:
        return self._read(await self._line())

    def _read(self, line: bytes) -> Status:
        answer = syntax.status(line)
        if answer is None:
            raise self._error("the server broke the protocol")
        return answer

    async def _line(self) -> bytes:
        return await self._within(self.ANSWER_SECONDS, self._stream.line())

    async def _block(self, largest: int) -> bytes:
        seconds = self.ANSWER_SECONDS + largest / SLOWEST
        return await self._within(seconds, self._stream.block(largest, self.ANSWER_SECONDS))

    async def _within(self, seconds: float, reading: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await reading
        except TimeoutError:
            raise self._error("the server does not answer") from None
        except Lost:
            raise self._error("the server closed the connection") from None
        except Broken:
            raise self._error("the server broke the protocol") from None

    def _check(self, answer: Status, command: str) -> None:
        if not answer.ok:
            raise refused(self.source, command, answer)

    def _argument(self, setting: str, text: str) -> bytes:
        try:
            return syntax.argument(text)
        except ValueError as error:
            raise self._error(f"{setting} {error}", f"check {setting}", lasting=True) from None

    def _error(self, what: str, remedy: str = "", *, lasting: bool = False) -> MailboxError:
        return MailboxError(self.source, what, remedy, lasting=lasting)


def _is_challenge(line: bytes) -> bool:
    return line.startswith(b"+") and not line.upper().startswith(b"+OK")
