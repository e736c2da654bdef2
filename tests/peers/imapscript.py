r"""A small IMAP server that misbehaves on command; it runs in the test's own event loop.

    async with ScriptedImap.start({"lists@example.org": "secret"}, [message]) as imap:
        imap.faults.append(Fault(at="FETCH", cut=100, times=2))
        ...  # imap.port
        uid = imap.deliver(message)

It knows what a mail reader needs: CAPABILITY, ID, LOGIN, SELECT, EXAMINE, STATUS, LIST, CREATE,
NOOP, CHECK, IDLE, SEARCH, FETCH, STORE, COPY, MOVE, EXPUNGE (and their UID forms), CLOSE, LOGOUT,
literals, and a push to every idle client at `deliver`. All accounts see the same folders.
Everything may be changed while it runs: `capabilities`, `split`, `faults`, a folder's mails,
flags and UIDVALIDITY (`imap.inbox.uidvalidity += 1`). `commands` lists what clients sent, without
tags and arguments of LOGIN.

A fault acts on the hits of one place: a command's name (also in its UID form), "greeting", "DONE"
(the end of IDLE) or "push". It passes over `after` hits and acts on the next `times` of them
(None: on all).

    reply    the tagged status, such as "NO [AUTHENTICATIONFAILED] no" or "BAD what?", instead of
             doing the command; "" for none, so that the client waits; at "greeting" all of it
    cut      at FETCH: the connection breaks after so many octets of the first literal
    extra    untagged lines sent before the reply, such as "* 1 EXPUNGE" or "* BYE shutting down"
    close    the connection breaks after the reply; without `reply` before it
    delay    seconds before the reply

So Fault(at="LOGIN", reply="NO [AUTHENTICATIONFAILED] no") refuses every login, and a client goes
unheard in IDLE with Fault(at="push") and Fault(at="DONE", reply="").
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from tests.peers.imapfolder import Folder, Mail, fetched

TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|\0(\d+)\0|([^\s"]+)')
LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")
CAPABILITIES = ("IMAP4rev1", "IDLE", "UIDPLUS", "MOVE", "LITERAL+", "ID")


@dataclass(kw_only=True)
class Fault:
    """One thing to do wrong; the fields are those of the module's manual."""

    at: str
    reply: str | None = None
    cut: int | None = None
    extra: tuple[str, ...] = ()
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
        self.split = 0  # octets in each segment of a FETCH answer; 0: as it comes
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


class _Broken(ConnectionError):
    """A fault broke the connection."""


class Conversation:
    """One client."""

    def __init__(
        self,
        imap: ScriptedImap,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.imap = imap
        self.number = number
        self.reader = reader
        self.writer = writer
        self.folder: Folder | None = None
        self.told = 0  # the last EXISTS
        self.user = ""
        self.cut: int | None = None

    async def run(self) -> None:
        """Greet, then take commands until LOGOUT."""
        greeting = f"* OK [CAPABILITY {' '.join(self.imap.capabilities)}] ready"
        await self.conclude("", greeting, self.imap.fault("greeting"))
        while True:
            tag, name, words = await self.command()
            self.imap.commands.append(" ".join([name] if name == "LOGIN" else [name, *words]))
            uid = name == "UID"
            if uid:
                name, words = words[0].upper(), words[1:]
            fault = self.imap.fault(name)
            status = ""
            if fault is None or (fault.reply is None and not fault.close):
                self.cut = fault.cut if fault else None
                status = await self.act(name, words, uid)
            if name == "IDLE" and status:
                fault = self.imap.fault("DONE")
            if fault is None or fault.reply is None:
                self.announce()
            await self.conclude(tag, status, fault)
            if name == "LOGOUT":
                return

    async def act(self, name: str, words: list[str], uid: bool) -> str:
        """Do a command; its status."""
        do = getattr(self, f"do_{name.lower()}", None)
        if do is None:
            return "BAD unknown command"
        if not self.user and name not in {"CAPABILITY", "ID", "NOOP", "LOGIN", "LOGOUT"}:
            return "BAD log in first"
        try:
            status: str = await do(words, uid)
        except (KeyError, IndexError, ValueError) as error:
            return f"BAD not understood: {error!r}"
        return status

    def announce(self) -> None:
        """Say EXISTS when there is more than the client was told of."""
        if self.folder is not None and len(self.folder.mails) != self.told:
            self.told = len(self.folder.mails)
            self.say(f"* {self.told} EXISTS")

    async def conclude(self, tag: str, status: str, fault: Fault | None) -> None:
        """Send the tagged status, or what the fault says instead."""
        if fault is not None:
            await asyncio.sleep(fault.delay)
            for line in fault.extra:
                self.say(line)
            status = fault.reply if fault.reply is not None else "" if fault.close else status
        if status:
            self.say(f"{tag} {status}".strip())
        await self.writer.drain()
        if fault is not None and fault.close:
            raise _Broken

    def say(self, line: str | bytes) -> None:
        """Send a line; octets are sent as they are."""
        octets = line if isinstance(line, bytes) else line.encode() + b"\r\n"
        self.writer.write(octets)

    async def command(self) -> tuple[str, str, list[str]]:
        """Read a command with its literals: tag, name in capitals, words."""
        line, literals = await self.reader.readuntil(b"\r\n"), list[bytes]()
        while literal := LITERAL.search(line):
            if not literal[2]:
                self.say("+ go on")
            literals.append(await self.reader.readexactly(int(literal[1])))
            line = line[: literal.start()] + b"\0%d\0" % (len(literals) - 1)
            line += await self.reader.readuntil(b"\r\n")
        words = [
            (
                literals[int(number)] if number else atom or re.sub(rb"\\(.)", rb"\1", quoted)
            ).decode()
            for quoted, number, atom in TOKEN.findall(line)
        ]
        return words[0], words[1].upper(), words[2:]

    # Commands: each takes its words and whether it came in its UID form, and says its status.

    async def do_capability(self, words: list[str], uid: bool) -> str:
        self.say(f"* CAPABILITY {' '.join(self.imap.capabilities)}")
        return "OK done"

    async def do_id(self, words: list[str], uid: bool) -> str:
        self.say('* ID ("name" "imapscript")')
        return "OK done"

    async def do_login(self, words: list[str], uid: bool) -> str:
        if self.imap.users.get(words[0]) != words[1]:
            return "NO [AUTHENTICATIONFAILED] wrong name or password"
        self.user = words[0]
        return f"OK [CAPABILITY {' '.join(self.imap.capabilities)}] welcome"

    async def do_logout(self, words: list[str], uid: bool) -> str:
        self.say("* BYE")
        return "OK done"

    async def do_select(self, words: list[str], uid: bool) -> str:
        self.folder = self.imap.folders.get(words[0])
        if self.folder is None:
            return "NO [NONEXISTENT] no such folder"
        self.say(r"* FLAGS (\Seen \Deleted \Flagged \Answered \Draft)")
        self.told = len(self.folder.mails)
        self.say(f"* {self.told} EXISTS")
        self.say("* 0 RECENT")
        self.say(f"* OK [UIDVALIDITY {self.folder.uidvalidity}] valid")
        self.say(f"* OK [UIDNEXT {self.folder.uidnext}] next")
        return "OK [READ-WRITE] selected"

    do_examine = do_select

    async def do_status(self, words: list[str], uid: bool) -> str:
        folder = self.imap.folders.get(words[0])
        if folder is None:
            return "NO [NONEXISTENT] no such folder"
        facts = (
            f"MESSAGES {len(folder.mails)} UIDNEXT {folder.uidnext} "
            f"UIDVALIDITY {folder.uidvalidity}"
        )
        self.say(f'* STATUS "{words[0]}" ({facts})')
        return "OK done"

    async def do_list(self, words: list[str], uid: bool) -> str:
        for name in self.imap.folders:
            self.say(f'* LIST () "/" "{name}"')
        return "OK done"

    async def do_create(self, words: list[str], uid: bool) -> str:
        if words[0] in self.imap.folders:
            return "NO [ALREADYEXISTS] it exists"
        self.imap.folders[words[0]] = Folder()
        return "OK done"

    async def do_noop(self, words: list[str], uid: bool) -> str:
        return "OK done"

    do_check = do_noop

    async def do_close(self, words: list[str], uid: bool) -> str:
        self.folder = None
        return "OK done"

    async def do_idle(self, words: list[str], uid: bool) -> str:
        self.say("+ idling")
        self.announce()
        self.imap.idle[self.number] = self
        await self.reader.readuntil(b"\r\n")
        del self.imap.idle[self.number]
        self.imap.commands.append("DONE")
        return "OK done"

    async def do_search(self, words: list[str], uid: bool) -> str:
        found = self.selected.search(words)
        self.say(" ".join(["* SEARCH", *(str(mail.uid if uid else n) for n, mail in found)]))
        return "OK done"

    async def do_fetch(self, words: list[str], uid: bool) -> str:
        items = " ".join(words[1:])
        if uid and not re.search(r"\bUID\b", items, re.IGNORECASE):
            items = f"UID {items}"
        for number, mail in self.selected.chosen(words[0], uid):
            await self.pour(b"* %d FETCH (%s)\r\n" % (number, fetched(mail, items)))
        return "OK done"

    async def pour(self, octets: bytes) -> None:
        """Send an answer as faults and `split` want it."""
        if self.cut is not None and (literal := re.search(rb"\{\d+\}\r\n", octets)):
            octets = octets[: literal.end() + self.cut]
        size = self.imap.split or len(octets)
        for start in range(0, len(octets), size):
            self.say(octets[start : start + size])
            await self.writer.drain()
            await asyncio.sleep(0)
        if self.cut is not None:
            self.writer.close()
            await self.writer.wait_closed()
            raise _Broken

    async def do_store(self, words: list[str], uid: bool) -> str:
        flags = set(re.findall(r"[\\$\w]+", " ".join(words[2:])))
        for number, mail in self.selected.chosen(words[0], uid):
            match words[1][0]:
                case "+":
                    mail.flags |= flags
                case "-":
                    mail.flags -= flags
                case _:
                    mail.flags = set(flags)
            if "SILENT" not in words[1].upper():
                self.say(
                    f"* {number} FETCH (UID {mail.uid} FLAGS ({' '.join(sorted(mail.flags))}))"
                )
        return "OK done"

    async def do_copy(self, words: list[str], uid: bool) -> str:
        target = self.imap.folders.get(words[1])
        if target is None:
            return "NO [TRYCREATE] no such folder"
        for _, mail in self.selected.chosen(words[0], uid):
            target.add(mail.data, mail.flags, mail.date)
        return "OK done"

    async def do_move(self, words: list[str], uid: bool) -> str:
        status = await self.do_copy(words, uid)
        if status.startswith("OK"):
            self.remove([mail for _, mail in self.selected.chosen(words[0], uid)])
        return status

    async def do_expunge(self, words: list[str], uid: bool) -> str:
        chosen = self.selected.chosen(words[0] if uid else "1:*", uid)
        self.remove([mail for _, mail in chosen if r"\Deleted" in mail.flags])
        return "OK done"

    @property
    def selected(self) -> Folder:
        """The selected folder. Raises ValueError without one."""
        if self.folder is None:
            raise ValueError("no folder is selected")
        return self.folder

    def remove(self, mails: list[Mail]) -> None:
        """Take mails out of the folder, saying EXPUNGE for each."""
        folder = self.selected
        for mail in mails:
            self.say(f"* {folder.mails.index(mail) + 1} EXPUNGE")
            folder.mails.remove(mail)
        self.told -= len(mails)
