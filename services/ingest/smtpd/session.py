"""One session of a client, from our greeting to the end: SMTP (RFC 5321) or LMTP (RFC 2033).

It reads and writes by a `Channel` and has recipients, mail and logins judged by a `Desk`; it does
no I/O of its own and knows no clock. Replies to pipelined commands leave together (RFC 2920).
What a client may do before it must have waited for an answer, and did, is an attack or a
fault: the session ends there, so that nothing of a mail is ever read as a command.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable
from functools import partial

from services.ingest.smtpd.content import Content
from services.ingest.smtpd.paths import Path, read_path, recipient, sender
from services.ingest.smtpd.roles import Channel, Desk, Envelope, Gone, Letter, Terms
from services.ingest.trace import Hop

RECIPIENTS = 100  # of one mail; RFC 5321 section 4.5.3.1.8 asks for as many
ERRORS = 20  # after which we hang up
CHATTER = 100  # commands that bring no mail, between two mails
LOGINS = 3  # tries
OVER = 2  # times the largest mail: what a client may send of one that is too large

_FOREIGN = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:")  # a browser was sent here


class Session:
    """One session. `run` ends when it is over."""

    def __init__(self, channel: Channel, desk: Desk, terms: Terms) -> None:
        self._channel = channel
        self._desk = desk
        self._terms = terms
        self._hello = ""
        self._name = ""  # what the client calls itself
        self._user = False  # whether it is logged in
        self._envelope: Envelope | None = None
        self._refused = False  # a recipient of this mail
        self._errors = self._chatter = self._logins = 0
        self._commands: dict[str, Callable[[str], Awaitable[None] | None]] = {
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": lambda _: self._idle("250 2.0.0 nothing done"),
            "VRFY": lambda _: self._idle("252 2.0.0 send mail to find out"),
            "HELP": lambda _: self._idle("214 2.0.0 RFC 5321 and RFC 2033 tell it all"),
            "QUIT": self._quit,
        }
        names = ("LHLO",) if terms.lmtp else ("EHLO", "HELO")
        for name in names:
            self._commands[name] = partial(self._greeted, name)
        if terms.tls:
            self._commands["STARTTLS"] = self._starttls
        if terms.login:
            self._commands["AUTH"] = self._auth

    async def run(self) -> None:
        """Speak until somebody ends it. Raises nothing but what the desk or channel raise by
        mistake."""
        protocol = "LMTP" if self._terms.lmtp else "ESMTP"
        self._channel.say(f"220 {self._terms.host} {protocol} Postroad")
        try:
            while True:
                await self._command(await self._channel.line())
        except Gone as gone:
            if gone.farewell:
                self._channel.say(gone.farewell)

    async def _command(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            return self._error("500 5.5.2 lines end in CR and LF")
        try:
            text = line[:-2].decode()
        except UnicodeDecodeError:
            return self._error("500 5.5.2 a command is ASCII or UTF-8")
        word, _, rest = text.partition(" ")
        name = word.upper()
        if any(letter < " " or letter == "\x7f" for letter in text):
            return self._error("500 5.5.2 there is a control character in the command")
        if name in _FOREIGN:
            raise Gone("554 5.5.0 this is a mail server")
        command = self._commands.get(name)
        if command is None:
            known = name in ("EHLO", "HELO", "LHLO", "EXPN", "STARTTLS", "AUTH")
            code = "502 5.5.1" if known else "500 5.5.1"
            return self._error(f"{code} there is no such command here")
        result = command(rest.strip(" "))
        if result is not None:
            await result
        return None

    # --- before mail --------------------------------------------------------------------------

    def _greeted(self, name: str, rest: str) -> None:
        if not rest:
            return self._error(f"501 5.5.4 {name} wants a name")
        self._alone()
        self._forget()
        self._hello, self._name = name, rest
        if name == "HELO":
            return self._idle(f"250 {self._terms.host}")
        offers = ["PIPELINING", f"SIZE {self._terms.size}", "8BITMIME", "SMTPUTF8"]
        offers.append("ENHANCEDSTATUSCODES")
        if self._terms.tls and not self._channel.secure:
            offers.append("STARTTLS")
        if self._terms.login and self._private and not self._user:
            offers.append("AUTH PLAIN LOGIN")
        lines = [self._terms.host, *offers]
        for line in lines[:-1]:
            self._channel.say(f"250-{line}")
        return self._idle(f"250 {lines[-1]}")

    async def _starttls(self, rest: str) -> None:
        if rest:
            return self._error("501 5.5.4 STARTTLS takes nothing")
        if self._channel.secure:
            return self._error("503 5.5.1 there is TLS already")
        self._alone()  # what a stranger put behind the command must never be read as the client's
        self._channel.say("220 2.0.0 go ahead")
        await self._channel.start_tls()
        self._hello = ""  # RFC 3207 section 4.2: all that was said is forgotten
        self._user = False
        self._forget()
        return None

    async def _auth(self, rest: str) -> None:
        if not self._hello or self._user or self._envelope is not None:
            return self._error("503 5.5.1 not now")
        if not self._private:
            return self._error("538 5.7.11 only by TLS")
        self._alone()
        mechanism, _, first = rest.partition(" ")
        try:
            match mechanism.upper():
                case "PLAIN":
                    asked = _plain(first or await self._challenge(""))
                case "LOGIN":
                    user = _decoded(first or await self._challenge("VXNlcm5hbWU6"))
                    asked = user, _decoded(await self._challenge("UGFzc3dvcmQ6"))
                case _:
                    return self._error("504 5.5.4 PLAIN and LOGIN are known")
        except ValueError:
            return self._error("501 5.5.2 that is no answer to AUTH")
        if await self._desk.log_in(*asked):
            self._user = True
            return self._channel.say("235 2.7.0 welcome")
        self._logins += 1
        if self._logins >= LOGINS:
            raise Gone("421 4.7.0 too many logins failed")
        return self._error("535 5.7.8 user or password is wrong")

    async def _challenge(self, text: str) -> str:
        self._channel.say(f"334 {text}")
        line = await self._channel.line()
        return line.rstrip(b"\r\n").decode("ascii")

    @property
    def _private(self) -> bool:
        """Whether nobody but this machine could read a password."""
        return self._channel.secure or self._channel.local

    # --- a mail -------------------------------------------------------------------------------

    def _mail(self, rest: str) -> None:
        if not self._hello:
            return self._error("503 5.5.1 say hello first")
        if self._terms.login and not self._user:
            return self._error("530 5.7.0 log in first")
        if self._envelope is not None:
            return self._error("503 5.5.1 one mail at a time")
        path = read_path(rest, "FROM:")
        if path is None:
            return self._error("501 5.5.4 that is not MAIL FROM:<address>")
        address = sender(path)
        if address is None:
            return self._error("501 5.1.7 the sender is no address")
        utf8 = "SMTPUTF8" in path.parameters
        if not (utf8 or address.isascii()):
            return self._error("553 5.6.7 an address outside ASCII needs SMTPUTF8")
        if reply := _wrong(path, self._hello, self._terms.size):
            return self._error(reply)
        size = int(path.parameters.get("SIZE", "0"))
        self._envelope = Envelope(sender=address, hop=self._hop(utf8=utf8), utf8=utf8, size=size)
        self._refused = False
        return self._idle("250 2.1.0 go on")

    def _hop(self, *, utf8: bool) -> Hop:
        """How the mail comes that this is the sender of (RFC 3848, RFC 6531 section 4.3)."""
        lmtp = self._terms.lmtp
        protocol = "LMTP" if lmtp else "SMTP"
        if self._hello != "HELO":
            extended = "UTF8" if utf8 else "" if lmtp else "E"
            protocol = extended + protocol + "S" * self._channel.secure + "A" * self._user
        address = "" if lmtp else self._channel.address
        return Hop(self._name, address, self._user, protocol)

    async def _rcpt(self, rest: str) -> None:
        envelope = self._envelope
        if envelope is None:
            return self._error("503 5.5.1 MAIL comes first")
        if len(envelope.recipients) >= RECIPIENTS:
            self._chatter += 1
            return self._channel.say("452 4.5.3 too many recipients; send it again for the rest")
        path = read_path(rest, "TO:")
        self._refused = True  # until it is taken
        if path is None:
            return self._error("501 5.5.4 that is not RCPT TO:<address>")
        if path.parameters:
            return self._error("555 5.5.4 no parameter of RCPT is known")
        address = recipient(path, self._terms.domain or self._terms.host)
        if address is None:
            return self._error("501 5.1.3 the recipient is no address")
        if not (envelope.utf8 or address.isascii()):
            return self._error("553 5.6.7 an address outside ASCII needs SMTPUTF8")
        if reply := await self._desk.judge(address):
            return self._error(reply)
        envelope.recipients.append(address)
        return self._channel.say("250 2.1.5 go on")

    async def _data(self, rest: str) -> None:
        envelope = self._envelope
        if rest:
            return self._error("501 5.5.4 DATA takes nothing")
        if envelope is None or not envelope.recipients:
            self._alone()  # what follows may be a mail, and must not be obeyed
            # RFC 2033 section 4.2 wants 503 of LMTP
            none_left = envelope is not None and self._refused and not self._terms.lmtp
            code = "554 5.5.1" if none_left else "503 5.5.1"
            return self._error(f"{code} there is no valid recipient")
        self._alone()
        letter = self._desk.letter()
        try:
            self._channel.say("354 end it with CRLF.CRLF")
            reply = await self._read(letter) or await self._desk.deliver(envelope, letter)
        finally:
            letter.close()
        if reply[0] == "2":
            self._chatter = self._errors = 0
        else:
            self._desk.refused(reply[:3])
        for _ in envelope.recipients if self._terms.lmtp else [None]:
            self._channel.say(reply)
        self._forget()
        return None

    async def _read(self, letter: Letter) -> str:
        """Read a mail to its end; the reply where it cannot be taken, else ""."""
        content, reply = Content(), ""
        while not content.ended:
            piece = content.take(await self._channel.some())
            if content.size > self._terms.size:
                reply = "552 5.3.4 the mail is too large"
            if content.size > OVER * self._terms.size + 1_000_000:
                self._desk.refused("552")
                raise Gone(reply)
            if not (reply or content.fault):
                try:
                    letter.write(piece)
                except OSError:
                    reply = "452 4.3.1 there is no room for it now; send it again"
        self._channel.unread(content.rest)
        return reply or (f"554 5.6.0 {content.fault}" if content.fault else "")

    # --- the rest -----------------------------------------------------------------------------

    def _rset(self, rest: str) -> None:
        if rest:
            return self._error("501 5.5.4 RSET takes nothing")
        self._forget()
        return self._idle("250 2.0.0 forgotten")

    def _quit(self, _: str) -> None:
        raise Gone("221 2.0.0 goodbye")

    def _forget(self) -> None:
        self._envelope = None

    def _alone(self) -> None:
        """A command that a client must wait for the answer to (RFC 2920 section 3.1)."""
        if self._channel.pending:
            raise Gone("554 5.5.0 you did not wait for the answer")

    def _idle(self, reply: str) -> None:
        self._channel.say(reply)
        self._chatter += 1
        if self._chatter > CHATTER:
            raise Gone("421 4.7.0 so much talk, and no mail")

    def _error(self, reply: str) -> None:
        self._channel.say(reply)
        self._desk.refused(reply[:3])
        self._errors += 1
        if self._errors >= ERRORS:
            raise Gone("421 4.7.0 too many errors")


def _wrong(path: Path, hello: str, largest: int) -> str:
    """The reply to parameters of MAIL that we do not know or cannot meet, else ""."""
    given = dict(path.parameters)
    if given and hello == "HELO":
        return "501 5.5.4 parameters want EHLO"
    size = given.pop("SIZE", "0")
    if not (size.isascii() and size.isdecimal() and len(size) <= 20):
        return "501 5.5.4 SIZE is a number"
    if given.pop("SMTPUTF8", "") or given.pop("BODY", "7BIT").upper() not in ("7BIT", "8BITMIME"):
        return "501 5.5.4 BODY is 7BIT or 8BITMIME, SMTPUTF8 has no value"
    given.pop("AUTH", "")  # RFC 4954 section 5: who sent it elsewhere; nothing rests on it
    if given:
        return "555 5.5.4 a parameter of MAIL is not known"
    return "552 5.3.4 the mail is too large" if int(size) > largest else ""


def _plain(response: str) -> tuple[str, str]:
    """User and password (RFC 4616). Raises ValueError."""
    _, user, password = _decoded(response).split("\0")
    return user, password


def _decoded(response: str) -> str:
    """What stands in Base64. Raises ValueError, also for `*`, which takes AUTH back."""
    try:
        return b64decode(response, validate=True).decode()
    except binascii.Error as error:
        raise ValueError("no Base64") from error
