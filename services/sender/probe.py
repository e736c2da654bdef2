"""Asking a relay what it takes without sending anything, for `postroad doctor`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from postroad.runtime.config import Relay
from postroad.runtime.oauth import Tokens
from services.sender.redact import redact
from services.sender.relay import own_name, reach
from services.sender.transaction import Offers

TEXT = 120  # characters of a reply


@dataclass(frozen=True)
class Tried:
    """What the relay offers, and its reply (code, text) to MAIL FROM of each sender. A sender
    that it did not answer about is missing. `hello` is its first line in answer to EHLO, `own` our
    address of the connection, "" without one."""

    offers: Offers
    answers: Mapping[str, tuple[int, str]]
    hello: str = ""
    own: str = ""


async def ask(relay: Relay, senders: Sequence[str], timeout: float, tokens: Tokens) -> Tried:
    """Connect, log in, and give MAIL FROM and RSET for each sender; there is no recipient, so
    nothing can be sent. `timeout` in seconds for each step. Raises RelayError, SettingsError."""
    transport, offers = await reach(relay, timeout, tokens)
    conversation = _Conversation(transport)
    answers: dict[str, tuple[int, str]] = {}
    sockname, hello = transport.get_extra_info("sockname"), ""
    own = str(sockname[0]) if isinstance(sockname, tuple) else ""
    try:
        with contextlib.suppress(TimeoutError, EOFError):
            async with asyncio.timeout(timeout):  # once more: a second EHLO only resets
                word = "LHLO" if offers.each else "EHLO"
                hello = (await conversation.ask(f"{word} {own_name(sockname)}"))[1]
            for sender in senders:
                async with asyncio.timeout(timeout):
                    answers[sender] = await conversation.ask(f"MAIL FROM:<{sender}>")
                    await conversation.ask("RSET")
            async with asyncio.timeout(timeout):
                await conversation.ask("QUIT")
    finally:
        transport.abort()
    return Tried(offers, answers, hello, own)


class _Conversation(asyncio.Protocol):
    """One command, one reply."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._reader = asyncio.StreamReader()
        transport.set_protocol(self)

    async def ask(self, command: str) -> tuple[int, str]:
        """Code and text of the reply. Raises EOFError where the server hangs up."""
        self._transport.write(f"{command}\r\n".encode())
        texts = []
        while True:
            line = (await self._reader.readline()).decode("utf-8", "replace").rstrip()
            if not line[:3].isdecimal():
                raise EOFError
            texts.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), redact(" ".join(texts))[:TEXT]

    def data_received(self, data: bytes) -> None:
        """The server said something."""
        self._reader.feed_data(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        """It hung up."""
        self._reader.feed_eof()
