"""What the server of one connection says: aioimaplib's protocol with a reader of our own.

aioimaplib reads by recursion, in time that grows with the square of an answer's lines; it takes
"{3}" at the end of any text for a literal and "* " for no part of a mail; and what goes wrong in
it while it reads is told to nobody. Here every response goes to the one command that waits, and
whatever the server does against the rules ends the connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import aioimaplib

from services.ingest.framing import Framer, Response

# its debug lines hold passwords and mail, its warnings whole protocol lines
logging.getLogger("aioimaplib").setLevel(logging.CRITICAL)

_TAGGED = re.compile(rb"([A-Za-z0-9]+) (OK|NO|BAD)\b *(.*)", re.IGNORECASE | re.DOTALL)
_NUMBERED = re.compile(rb"\d+ ([A-Z]+)", re.IGNORECASE)
_UIDVALIDITY = re.compile(rb"OK \[UIDVALIDITY (\d+)\]", re.IGNORECASE)


class Protocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]
    """One connection as the server sees it. One command at a time.

    `greeting` is its first line, `news` tells that new mail was announced, `lost` is done when
    it is over, `farewell` the BYE before that, and `uidvalidity` the last one heard.
    """

    transport: Any
    capabilities: set[str]

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(loop)
        self.greeting: asyncio.Future[bytes] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.news = asyncio.Event()
        self.farewell = b""
        self.uidvalidity = 0
        self.broken = False  # the server did what no server may
        self.injected = False  # something came in the clear after the answer to STARTTLS
        self._handing_over = False  # that answer came, and TLS has not begun
        self._framer = Framer()
        self._sasl: list[bytes] = []

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        super().connection_lost(exc)
        self._end()

    def data_received(self, data: bytes) -> None:
        """Hear every response that is complete now."""
        command = self._waiting()
        if command is not None:
            command._reset_timer()  # noqa: SLF001  of a FETCH: every piece gives it more time
        try:
            for response in self._framer.feed(data):
                if not self._handing_over:
                    self._hear(response)
                else:
                    self.injected = True
        except (ValueError, aioimaplib.AioImapException):
            self.broken = True
            self.transport.abort()
            self._end()
        self.injected = self.injected or (self._handing_over and self._framer.within)

    # --- STARTTLS and SASL --------------------------------------------------------------------

    async def starttls(self) -> Any:
        """Send STARTTLS (RFC 3501 section 6.2.1). After an OK the caller must see to TLS before
        anything else, and look at `injected`."""
        command = aioimaplib.Command("STARTTLS", self.new_tag())
        self.pending_sync_command = command
        self.send(str(command))
        await command.wait()
        return command.response

    def secured(self, transport: asyncio.BaseTransport) -> None:
        """TLS has begun: talk through `transport`, and believe nothing said before."""
        self.transport = transport
        self.capabilities = set()
        self._handing_over = False

    async def authenticate(self, mechanism: str, response: bytes) -> Any:
        """AUTHENTICATE with one response (base64), sent at once where the server has SASL-IR
        (RFC 4959). Any further challenge is answered by an empty line: XOAUTH2 tells so why it
        refuses, and says NO after that."""
        at_once = [response.decode()] if "SASL-IR" in self.capabilities else []
        self._sasl = [] if at_once else [response]
        command = aioimaplib.Command("AUTHENTICATE", self.new_tag(), mechanism, *at_once)
        answer = await self.execute(command)
        if answer.result == "OK":
            self.state = aioimaplib.aioimaplib.AUTH
        return answer

    # --- responses ----------------------------------------------------------------------------

    def _waiting(self) -> Any:
        """The command that waits for its answer, or None."""
        return self.pending_sync_command or next(iter(self.pending_async_commands.values()), None)

    def _hear(self, response: Response) -> None:
        line = bytes(response[0])
        if not self.greeting.done():
            self.greeting.set_result(line)
            if line.upper().startswith(b"* BYE"):
                self.farewell = line
        elif line.startswith(b"* "):
            self._untagged([line[2:], *response[1:]])
        elif line.startswith(b"+"):
            self._go_on()
        elif tagged := _TAGGED.fullmatch(line):
            self._conclude(*tagged.groups())

    def _untagged(self, response: Response) -> None:
        line = bytes(response[0])
        numbered = _NUMBERED.match(line)
        name, _, text = line.partition(b" ")
        if numbered:
            name, text = numbered[1], line
        command = self._waiting()
        match name.upper():
            case b"EXISTS":
                self.news.set()
            case b"BYE" if command is None or command.name != "LOGOUT":
                self.farewell = line
                self._end()
            case b"OK" if found := _UIDVALIDITY.match(line):
                self.uidvalidity = int(found[1])
        if command is None or command.name == "IDLE":
            return
        if command is self.pending_sync_command:
            text = line
        elif command.untagged_resp_name.encode() != name.upper():
            return  # news of something else, which may come at any time
        for part in (text, *response[1:]):
            command.append_to_resp(part)

    def _go_on(self) -> None:
        command = self.pending_sync_command
        if command is None:
            return
        if command.name == "IDLE":
            self._idle_event.set()
        elif command.name == "AUTHENTICATE":
            self.transport.write((self._sasl.pop(0) if self._sasl else b"") + b"\r\n")

    def _conclude(self, tag: bytes, status: bytes, text: bytes) -> None:
        command = self._waiting()
        if command is None or command.tag.encode() != tag:
            raise aioimaplib.Abort("an answer to no command")
        self.pending_sync_command = None
        self.pending_async_commands.clear()
        result = status.decode().upper()
        self._handing_over = command.name == "STARTTLS" and result == "OK"
        command.close(text, result=result)

    def _end(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
