"""The sink's process: an SMTP server that writes down what it accepts, and errs on command.

    python -m tests.peers.sinkserver --port N --records FILE --script FILE
        [--keep DIRECTORY] [--certificate FILE --key FILE [--implicit]]

Independent of the product and of every mail library: the standard library only. A transaction
is appended to FILE (see tests.peers.records) after the final dot and before the 250, so the
record survives whatever happens to the client. Only CRLF "." CRLF ends the data. The script (see
tests.peers.sinkscript) is read again, and its counters start anew, when the file has changed; that
is looked at when a client connects and at every MAIL.

Broken rules that are written down: a bare CR or LF in a command or in the data (RFC 5321 2.3.8),
commands sent ahead where PIPELINING was not offered or behind one that must be the last of its
group (RFC 2920 3.1), 8-bit data not declared by BODY=8BITMIME where that was offered (RFC 6152).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import contextlib
import re
import ssl
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tests.peers.sinkbook import Book, facts, text_of
from tests.peers.sinkscript import Rule

HOST = "127.0.0.1"
LONGEST_COMMAND = 8192
LAST_OF_GROUP = {"EHLO", "HELO", "DATA", "QUIT", "NOOP", "STARTTLS", "AUTH"}
PATH = re.compile(r"(?:from|to):\s*<([^>]*)>\s*(.*)", re.IGNORECASE)
DECLARED_SIZE = re.compile(r"\bSIZE=(\d+)", re.IGNORECASE)


class Conversation(asyncio.Protocol):
    """One client. Records are written first, then the replies of a group leave together.
    `tls` is offered as STARTTLS until it is in use."""

    transport: asyncio.Transport

    def __init__(self, book: Book, tls: ssl.SSLContext | None) -> None:
        self.book = book
        self.tls = tls
        self.number = next(book.connections)
        self.buffer = bytearray()
        self.scanned = 0  # octets of the buffer known not to hold the final dot
        self.in_data = False
        self.body_begun = False
        self.closing = False
        self.user = ""
        self.helo = ""
        self.sender: str | None = None
        self.parameters = ""
        self.recipients: list[str] = []
        self.answer: Callable[[bytes], None] | None = None  # who takes the next line of AUTH
        self.lines: list[dict[str, object]] = []
        self.replies: deque[tuple[float, bytes]] = deque()
        self.speaker: asyncio.Task[None] | None = None
        self.upgrading: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.book.refresh()
        self.judge("connect", "", "220 sink.localhost ESMTP")
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take what came; during the TLS handshake it waits for the new transport."""
        self.buffer += data
        if self.upgrading is None:
            self.proceed()

    def proceed(self) -> None:
        """Take every whole command and mail in the buffer, then answer them together."""
        while not self.closing and (self.take_data() if self.in_data else self.take_line()):
            pass
        self.flush()

    def take_line(self) -> bool:
        """Handle one command; False when there is none."""
        end = self.buffer.find(b"\n") + 1
        if not end:
            if len(self.buffer) > LONGEST_COMMAND:
                self.reply("500 5.5.6 Line too long", Rule(at="", close=True))
            return False
        line = bytes(self.buffer[:end])
        del self.buffer[:end]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            self.violation("bare CR or LF in a command")
            self.reply("500 5.5.2 Bare CR or LF")
            return True
        if self.answer is not None:
            answer, self.answer = self.answer, None
            answer(line[:-2])
            return True
        verb, _, argument = text_of(line[:-2]).partition(" ")
        verb = verb.upper()
        if self.buffer:
            if "PIPELINING" not in self.book.script.extensions:
                self.violation(f"sent ahead behind {verb} without an offer of PIPELINING")
            elif verb in LAST_OF_GROUP:
                self.violation(f"sent ahead behind {verb}")
            if self.book.script.discards:
                self.buffer.clear()
        command = getattr(self, f"smtp_{verb.lower()}", None)
        if command is None:
            self.reply("502 5.5.1 Not implemented")
        else:
            command(argument.strip())
        return True

    def take_data(self) -> bool:
        """Handle one mail; False while its end has not come. The buffer begins with the CRLF of
        the DATA command, so that an end or a dot in the first line looks like any other."""
        everyone = " ".join(self.recipients)
        if not self.body_begun and len(self.buffer) > 2:
            self.body_begun = True
            self.judge("body", everyone, "")
            if self.closing:
                return False
        end = self.buffer.find(b"\r\n.\r\n", max(0, self.scanned - 4))
        if end < 0:
            self.scanned = len(self.buffer)
            return False
        data = bytes(self.buffer[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]
        del self.buffer[: end + 5]
        self.in_data = False
        rule = self.rule("dot", everyone)
        reply = rule.answer(self.verdict(data))
        if reply.startswith("2") if rule.record is None else rule.record:
            self.record(data)
        self.forget()
        self.reply(reply, rule)
        return True

    def verdict(self, data: bytes) -> str:
        """What is replied to a mail where no rule says otherwise."""
        return "250 2.0.0 Ok" if len(data) <= self.book.size else "552 5.3.4 Too big"

    def record(self, data: bytes) -> None:
        """Write the transaction down, and the rules it broke."""
        breaks = data.count(b"\r\n")
        if data.count(b"\n") != breaks or data.count(b"\r") != breaks:
            self.violation("bare CR or LF in the data")
        offered = "8BITMIME" in self.book.script.extensions
        if offered and "BODY=8BITMIME" not in self.parameters.upper() and not data.isascii():
            self.violation("8-bit data without BODY=8BITMIME")
        self.lines.append(
            {
                "time": time.time(),
                "connection": self.number,
                "helo": self.helo,
                "sender": self.sender,
                "parameters": self.parameters,
                "recipients": self.recipients,
                **facts(data),
                "file": self.book.store(data),
            }
        )

    def violation(self, what: str) -> None:
        """Write a broken rule down."""
        self.lines.append({"time": time.time(), "connection": self.number, "violation": what})

    def forget(self) -> None:
        """Forget the transaction."""
        self.sender, self.parameters, self.recipients = None, "", []

    # What each command does.

    def smtp_ehlo(self, name: str) -> None:
        words = ["sink.localhost", *self.book.script.extensions]
        if self.tls:
            words.append("STARTTLS")
        if self.book.script.users:
            words.append("AUTH PLAIN LOGIN")
        if self.judge("ehlo", name, "250 " + "\n".join(words)):
            self.helo = name
            self.forget()

    def smtp_helo(self, name: str) -> None:
        if self.judge("ehlo", name, "250 sink.localhost"):
            self.helo = name
            self.forget()

    def smtp_starttls(self, _: str) -> None:
        if self.tls is None:
            self.reply("502 5.5.1 Not offered")
        elif self.judge("starttls", "", "220 2.0.0 Go ahead"):
            self.buffer.clear()  # nothing said in the clear counts afterwards
            self.transport.pause_reading()
            self.upgrading = asyncio.create_task(self.upgrade(self.tls))

    async def upgrade(self, tls: ssl.SSLContext) -> None:
        """Begin TLS; the client starts over with EHLO."""
        loop = asyncio.get_running_loop()
        if self.speaker is not None:
            await self.speaker
        with contextlib.suppress(OSError):  # a client that does not like our certificate
            transport = await loop.start_tls(self.transport, self, tls, server_side=True)
            assert transport is not None
            self.transport = transport
            self.tls = None
            self.helo = ""
            self.upgrading = None
            self.proceed()

    def smtp_auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        match mechanism.upper(), initial:
            case "PLAIN", "":
                self.ask("", self.auth_plain)
            case "PLAIN", _:
                self.auth_plain(initial.encode())
            case "LOGIN", "":
                self.ask("Username:", self.auth_login)
            case "LOGIN", _:
                self.auth_login(initial.encode())
            case _:
                self.reply("504 5.5.4 No such mechanism")

    def ask(self, question: str, answer: Callable[[bytes], None]) -> None:
        """Ask for a line of AUTH."""
        self.answer = answer
        self.reply("334 " + base64.b64encode(question.encode()).decode())

    def auth_plain(self, line: bytes) -> None:
        _, name, password = [*decoded(line).split("\0"), "", "", ""][:3]
        self.authenticate(name, password)

    def auth_login(self, line: bytes) -> None:
        name = decoded(line)
        self.ask("Password:", lambda password: self.authenticate(name, decoded(password)))

    def authenticate(self, name: str, password: str) -> None:
        known = self.book.script.users.get(name) == password
        if self.judge("auth", name, "235 2.7.0 Welcome" if known else "535 5.7.8 Not you"):
            self.user = name

    def smtp_mail(self, argument: str) -> None:
        self.book.refresh()
        path = PATH.fullmatch(argument)
        if path is None:
            self.reply("501 5.5.4 MAIL FROM:<address>")
        elif self.book.script.users and not self.user:
            self.reply("530 5.7.0 Authentication required")
        elif self.sender is not None:
            self.reply("503 5.5.1 Nested MAIL")
        else:
            declared = DECLARED_SIZE.search(path[2])
            big = declared is not None and int(declared[1]) > self.book.size
            if self.judge("mail", path[1], "552 5.3.4 Too big" if big else "250 2.1.0 Ok"):
                self.sender, self.parameters = path[1], path[2]

    def smtp_rcpt(self, argument: str) -> None:
        path = PATH.fullmatch(argument)
        if path is None:
            self.reply("501 5.5.4 RCPT TO:<address>")
        elif self.sender is None:
            self.reply("503 5.5.1 MAIL first")
        elif self.judge("rcpt", path[1], "250 2.1.5 Ok"):
            self.recipients.append(path[1])

    def smtp_data(self, _: str) -> None:
        if not self.recipients:
            self.reply("554 5.5.1 No valid recipients" if self.sender else "503 5.5.1 MAIL first")
        elif self.judge("data", " ".join(self.recipients), "354 End with a dot"):
            self.buffer[:0] = b"\r\n"
            self.in_data, self.body_begun, self.scanned = True, False, 0

    def smtp_rset(self, _: str) -> None:
        if self.judge("rset", "", "250 2.0.0 Ok"):
            self.forget()

    def smtp_noop(self, _: str) -> None:
        self.judge("noop", "", "250 2.0.0 Ok")

    def smtp_quit(self, _: str) -> None:
        self.judge("quit", "", "221 2.0.0 Bye")
        self.closing = True

    # What is said, and how.

    def rule(self, at: str, subject: str) -> Rule:
        """The script's rule for this, or one that changes nothing."""
        return self.book.hits.rule(at, subject, self.number) or Rule(at=at)

    def judge(self, at: str, subject: str, usual: str) -> bool:
        """Reply as the script tells, else `usual`; True when the reply is positive."""
        rule = self.rule(at, subject)
        reply = rule.answer(usual)
        self.reply(reply, rule)
        return reply.startswith(("2", "3"))

    def reply(self, text: str, rule: Rule | None = None) -> None:
        """Queue a reply; line feeds in `text` make it one of several lines."""
        rule = rule or Rule(at="")
        script = self.book.script
        if text:
            code, words = text[:3], text[4:].split("\n")
            if len(words) == 1:
                words *= script.lines
            lines = [f"{code}-{word}\r\n" for word in words[:-1]] + [f"{code} {words[-1]}\r\n"]
            self.replies.append((rule.delay or script.delay, "".join(lines).encode()))
        self.closing = self.closing or rule.close

    def flush(self) -> None:
        """Write the records, then send the replies."""
        if self.lines:
            self.book.append(self.lines)
            self.lines = []
        if self.speaker is not None:
            return
        if self.book.script.split or any(delay for delay, _ in self.replies):
            self.speaker = asyncio.create_task(self.speak())
            return
        if self.replies:
            self.transport.write(b"".join(text for _, text in self.replies))
            self.replies.clear()
        if self.closing:
            self.transport.close()

    async def speak(self) -> None:
        """Send the replies slowly or in pieces."""
        while self.replies:
            delay, text = self.replies.popleft()
            await asyncio.sleep(delay)
            size = 1 if self.book.script.split else len(text)
            for start in range(0, len(text), size):
                self.transport.write(text[start : start + size])
                await asyncio.sleep(0)
        self.speaker = None
        if self.closing:
            self.transport.close()


def decoded(line: bytes) -> str:
    """A line of AUTH; "" when it is not base64."""
    try:
        return text_of(base64.b64decode(line, validate=True))
    except binascii.Error:
        return ""


async def main(options: argparse.Namespace) -> None:
    """Serve for ever."""
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate, options.key)
    book = Book(options.records, options.script, options.keep)
    server = await asyncio.get_running_loop().create_server(
        lambda: Conversation(book, None if options.implicit else tls),
        HOST,
        options.port,
        ssl=tls if options.implicit else None,
        backlog=1024,
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--implicit", action="store_true")
    asyncio.run(main(parser.parse_args()))
