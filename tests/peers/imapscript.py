r"""A small IMAP server that misbehaves on command; it runs in the test's own event loop.

    async with ScriptedImap.start({"lists@example.org": "secret"}, [message]) as imap:
        imap.faults.append(Fault(at="FETCH", cut=100, times=2))
        ...  # imap.port
        uid = imap.deliver(message)

It knows what a mail reader needs: CAPABILITY, ID, STARTTLS, LOGIN, AUTHENTICATE, SELECT, EXAMINE,
STATUS, LIST, CREATE, NOOP, CHECK, IDLE, SEARCH, FETCH, STORE, COPY, MOVE, EXPUNGE (and their UID
forms), CLOSE, LOGOUT, literals, and a push to every idle client at `deliver`. All accounts see the
same folders. Everything may be changed while it runs: `capabilities`, `tokens` that XOAUTH2 takes,
`split` (octets in a segment), `form` of the bodies, `faults`, a folder's mails, flags, UIDVALIDITY
(`imap.inbox.uidvalidity += 1`) and `read_only`. `commands` lists what clients sent, without tags
and arguments of LOGIN and AUTHENTICATE.

A fault acts on the hits of one place: a command's name (also in its UID form), "greeting", "DONE"
(the end of IDLE) or "push". It passes over `after` hits and acts on the next `times` of them
(None: on all).

    reply    the tagged status, such as "NO [AUTHENTICATIONFAILED] no" or "BAD what?", instead of
             doing the command; "" for none, so that the client waits; at "greeting" all of it
    cut      at FETCH: the connection breaks after so many octets of the first literal
    extra    untagged lines sent before the reply, such as "* 1 EXPUNGE" or "* BYE shutting down"
    first    the same, sent before the command is done
    then     lines sent after the reply, in the same segment
    act      something to do to the folders meanwhile, called before the command is done
    close    the connection breaks after the reply; without `reply` before it
    delay    seconds before the reply

So Fault(at="LOGIN", reply="NO [AUTHENTICATIONFAILED] no") refuses every login, and a client goes
unheard in IDLE with Fault(at="push") and Fault(at="DONE", reply="").
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from tests.peers.certificate import Certificate
from tests.peers.imapfolder import Folder, Form
from tests.peers.imaptalk import Conversation

CAPABILITIES = ("IMAP4rev1", "IDLE", "UIDPLUS", "MOVE", "LITERAL+", "ID")


@dataclass(kw_only=True)
class Fault:
    """One thing to do wrong; the fields are those of the module's manual."""

    at: str
    reply: str | None = None
    cut: int | None = None
    extra: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    act: Callable[[], object] | None = None
    close: bool = False
    delay: float = 0.0
    after: int = 0
    times: int | None = None
    hits: int = field(default=0, init=False)

    def hit(self) -> bool:
        """Count a hit; whether the fault acts on it."""
        self.hits += 1
        turn = self.hits - self.after
        return turn > 0 and (self.times is None or turn <= self.times)


class ScriptedImap:
    """A running server; the fields are those of the module's manual."""

    def __init__(self, users: Mapping[str, str], messages: Iterable[bytes]) -> None:
        self.users = dict(users)
        self.port = 0
        self.capabilities = list(CAPABILITIES)
        self.tokens: set[str] = set()
        self.certificate: Certificate | None = None  # for STARTTLS
        self.split = 0  # octets in each segment of an answer; 0: as it comes
        self.form = Form()
        self.faults: list[Fault] = []
        self.commands: list[str] = []
        self.folders = {"INBOX": Folder()}
        self.idle: dict[int, Conversation] = {}
        for message in messages:
            self.inbox.add(message)

    @property
    def inbox(self) -> Folder:
        """The folder INBOX."""
        return self.folders["INBOX"]

    @classmethod
    @asynccontextmanager
    async def start(
        cls, users: Mapping[str, str], messages: Iterable[bytes] = ()
    ) -> AsyncIterator[ScriptedImap]:
        """Serve `users` (login name to password) until the context ends."""
        imap = cls(users, messages)
        tasks: set[asyncio.Task[None]] = set()
        numbers = count(1)

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task: asyncio.Task[None] | None = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            conversation = Conversation(imap, next(numbers), reader, writer)
            try:
                await conversation.run()
            except (ConnectionError, EOFError, asyncio.CancelledError):
                pass
            finally:
                tasks.discard(task)
                imap.idle.pop(conversation.number, None)
                writer.close()

        server = await asyncio.start_server(converse, "127.0.0.1", 0, limit=1 << 20)
        imap.port = server.sockets[0].getsockname()[1]
        try:
            yield imap
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def deliver(
        self, message: bytes, flags: Iterable[str] = (), date: datetime | None = None
    ) -> int:
        """Put a mail into INBOX and push EXISTS to the clients that idle there; its UID."""
        uid = self.inbox.add(message, flags, date)
        for conversation in list(self.idle.values()):
            if conversation.folder is self.inbox and self.fault("push") is None:
                conversation.announce()
        return uid

    def disconnect(self) -> None:
        """Break the connection of every client that idles."""
        for conversation in list(self.idle.values()):
            conversation.writer.transport.abort()

    def fault(self, at: str) -> Fault | None:
        """The first fault that acts on this hit."""
        acting = [fault for fault in self.faults if fault.at == at and fault.hit()]
        return acting[0] if acting else None
