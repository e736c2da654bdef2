r"""A POP3 server that does what a test says: honest, but for its faults.

async with ScriptedPop3.start([mail]) as server:
    server.faults.append(Fault(at="RETR", reply=b"-ERR [SYS/TEMP] later\r\n"))
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from postroad.mail.wire import dot_stuff


@dataclass
class Fault:
    """At a command (`RETR`, `RETR 2`, or `GREETING`) the server says `reply` instead of what it
    should; with `cut` it hangs up then, and with neither it is silent. For `times` times, after
    `skip` that went well."""

    at: str
    reply: bytes = b""
    cut: bool = False
    times: int = 1
    skip: int = 0


@dataclass
class ScriptedPop3:
    """A running server. `mails` are the bytes by unique id, in order; `heard` all commands."""

    mails: dict[str, bytes]
    port: int = 0
    takes: Callable[[str], bool] = lambda _token: False  # whether a token is good
    without: tuple[str, ...] = ()  # commands it does not know
    line_end: bytes = b"\r\n"
    faults: list[Fault] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, mails: Iterable[bytes] = ()) -> AsyncIterator[ScriptedPop3]:
        """Serve until the context ends. The ids are `id0`, `id1`, ..."""
        server = cls({f"id{number}": data for number, data in enumerate(mails)})
        async with await asyncio.start_server(server._serve, "127.0.0.1", 0) as listening:
            server.port = listening.sockets[0].getsockname()[1]
            yield server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, _Over):
            await _Conversation(self, reader, writer).run()
        writer.close()


class _Over(Exception):
    """The conversation is over."""


class _Conversation:
    def __init__(
        self, server: ScriptedPop3, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.there = list(server.mails.items())
        self.deleted: set[int] = set()

    async def run(self) -> None:
        await self._answer("GREETING", self._ok("ready"))
        while line := await self.reader.readline():
            words = line.decode("latin-1").split()
            verb = words[0].upper() if words else ""
            self.server.heard.append(line.decode("latin-1").rstrip("\r\n"))
            if verb in self.server.without:
                await self._answer(verb, b"-ERR unknown command" + self.server.line_end)
                continue
            await self._answer(verb, await self._reply(verb, words[1:]), " ".join(words))
            if verb == "QUIT":
                for number in self.deleted:
                    self.server.mails.pop(self.there[number - 1][0], None)
                return

    async def _reply(self, verb: str, words: list[str]) -> bytes:
        match verb:
            case "CAPA":
                return self._block(["USER", "UIDL", "SASL XOAUTH2 PLAIN"])
            case "AUTH":
                return await self._auth(words)
            case "LIST":
                return self._block([f"{n} {len(data)}" for n, (_, data) in self._numbered()])
            case "UIDL":
                return self._block([f"{n} {uidl}" for n, (uidl, _) in self._numbered()])
            case "RETR":
                data = self.there[int(words[0]) - 1][1]
                return self._ok("there") + dot_stuff(data) + b"." + self.server.line_end
            case "DELE":
                self.deleted.add(int(words[0]))
        return self._ok("done")

    async def _auth(self, words: list[str]) -> bytes:
        if len(words) < 2:
            self.writer.write(b"+ \r\n")
            words.append((await self.reader.readline()).decode().strip())
        said = base64.b64decode(words[1]).decode()
        if self.server.takes(said.partition("auth=Bearer ")[2].rstrip("\x01")):
            return self._ok("welcome")
        self.writer.write(b"+ " + base64.b64encode(b'{"status":"400"}') + b"\r\n")
        assert await self.reader.readline() == b"\r\n"
        return b"-ERR [AUTH] no\r\n"

    def _numbered(self) -> Iterable[tuple[int, tuple[str, bytes]]]:
        return enumerate(self.there, 1)

    def _ok(self, text: str) -> bytes:
        return f"+OK {text}".encode() + self.server.line_end

    def _block(self, lines: list[str]) -> bytes:
        end = self.server.line_end
        return self._ok("") + b"".join(line.encode() + end for line in lines) + b"." + end

    async def _answer(self, verb: str, reply: bytes, command: str = "") -> None:
        at = (verb, command)
        fault = next((each for each in self.server.faults if each.at in at), None)
        if fault is not None and fault.skip:
            fault.skip -= 1
            fault = None
        if fault is not None:
            fault.times -= 1
            if not fault.times:
                self.server.faults.remove(fault)
            reply = fault.reply
        self.writer.write(reply)
        await self.writer.drain()
        if fault is not None and fault.cut:
            raise _Over
