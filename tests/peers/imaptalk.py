"""One client of the scripted IMAP server: its commands, and what faults make of the answers."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from typing import TYPE_CHECKING

from tests.peers.imapfolder import Folder, Mail, fetched

if TYPE_CHECKING:
    from tests.peers.imapscript import Fault, ScriptedImap

TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|\0(\d+)\0|([^\s"]+)')
LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")
FREE = {"CAPABILITY", "ID", "NOOP", "STARTTLS", "LOGIN", "AUTHENTICATE", "LOGOUT"}  # of a login


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
            secret = name in {"LOGIN", "AUTHENTICATE"}
            self.imap.commands.append(" ".join([name] if secret else [name, *words]))
            uid = name == "UID"
            if uid:
                name, words = words[0].upper(), words[1:]
            fault = self.imap.fault(name)
            if fault is not None:
                self.begin(fault)
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
            if name == "STARTTLS" and status.startswith("OK"):
                await self.secure()

    async def act(self, name: str, words: list[str], uid: bool) -> str:
        """Do a command; its status."""
        do = getattr(self, f"do_{name.lower()}", None)
        if do is None:
            return "BAD unknown command"
        if not self.user and name not in FREE:
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

    def begin(self, fault: Fault) -> None:
        """What a fault does before the command is done."""
        if fault.act is not None:
            fault.act()
        for line in fault.first:
            self.say(line)

    async def secure(self) -> None:
        """TLS from here on."""
        assert self.imap.certificate is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.imap.certificate.cert, self.imap.certificate.key)
        await self.writer.start_tls(context)

    async def conclude(self, tag: str, status: str, fault: Fault | None) -> None:
        """Send the tagged status, or what the fault says instead."""
        if fault is not None:
            await asyncio.sleep(fault.delay)
            for line in fault.extra:
                self.say(line)
            status = fault.reply if fault.reply is not None else "" if fault.close else status
        lines = [f"{tag} {status}".strip()] if status else []
        lines += fault.then if fault is not None else ()
        if lines:
            self.say("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()
        if fault is not None and fault.close:
            raise _Broken

    def say(self, line: str | bytes) -> None:
        """Send a line; octets are sent as they are."""
        octets = line if isinstance(line, bytes) else line.encode() + b"\r\n"
        size = self.imap.split or len(octets)
        for start in range(0, len(octets), size):
            self.writer.write(octets[start : start + size])

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

    async def do_starttls(self, words: list[str], uid: bool) -> str:
        return "OK go ahead" if self.imap.certificate else "BAD unknown command"

    async def do_authenticate(self, words: list[str], uid: bool) -> str:
        answer = words[1] if len(words) > 1 else await self.challenge("")
        user, token = self.credentials(words[0].upper(), base64.b64decode(answer).decode())
        if token in self.imap.tokens or self.imap.users.get(user) == token:
            self.user = user
            return "OK welcome"
        if words[0].upper() == "XOAUTH2":
            why = base64.b64encode(b'{"status":"400","schemes":"Bearer","scope":"mail"}').decode()
            assert await self.challenge(why) == "", "a client says nothing more"
        return "NO [AUTHENTICATIONFAILED] no"

    async def challenge(self, text: str) -> str:
        """Ask the client to go on; what it says."""
        self.say(f"+ {text}")
        return (await self.reader.readuntil(b"\r\n")).decode().removesuffix("\r\n")

    def credentials(self, mechanism: str, text: str) -> tuple[str, str]:
        """User, and password or token. Raises ValueError for what is no such response."""
        if mechanism == "PLAIN":
            _, user, password = text.split("\0")
            return user, password
        user, auth, *empty = text.split("\x01")
        if mechanism != "XOAUTH2" or not auth.startswith("auth=Bearer ") or empty != ["", ""]:
            raise ValueError(mechanism)
        return user.removeprefix("user="), auth.removeprefix("auth=Bearer ")

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
        return f"OK [READ-{'ONLY' if self.folder.read_only else 'WRITE'}] selected"

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
            await self.pour(b"* %d FETCH (%s)\r\n" % (number, fetched(mail, items, self.imap.form)))
        return "OK done"

    async def pour(self, octets: bytes) -> None:
        """Send an answer as faults and `split` want it."""
        if self.cut is not None and (literal := re.search(rb"\{\d+\}\r\n", octets)):
            octets = octets[: literal.end() + self.cut]
        self.say(octets)
        await self.writer.drain()
        if self.cut is not None:
            self.writer.close()
            await self.writer.wait_closed()
            raise _Broken

    async def do_store(self, words: list[str], uid: bool) -> str:
        if self.selected.read_only:
            return "NO [NOPERM] read-only"
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
