"""A scripted SMTP server without I/O: obeys RFC 5321, but answers what the script says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from services.sender.protocol import Conversation
from services.sender.transaction import Result, Transaction

OK = ""  # what a well-meaning server answers
CUT = "cut"  # the connection ends instead of the answer
BEHIND = " and cut"  # it ends right behind the answer
SILENCE = "silence"  # no answer to this and all that follows


@dataclass
class ScriptedServer:
    """`script` has one entry for each command, the final dot being one: OK, a whole reply (LF
    parts its lines), octets as they are (ending in CRLF), CUT or SILENCE; then OK for ever.
    `forgets` are numbers of commands behind which the server drops what came in the same
    segment, as one does that lies about PIPELINING. With `each` it speaks LMTP: behind the dot
    there is an entry for each recipient.

    `took` is what it took responsibility for: sender, recipients, data.
    """

    script: Iterable[str] = ()
    forgets: frozenset[int] = frozenset()
    each: bool = False
    took: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)  # verbs
    closed: bool = False
    silent: bool = False

    def __post_init__(self) -> None:
        self._script = chain(self.script, repeat(OK))
        self._buffer = b""
        self._in_data = False
        self._sender: str | None = None
        self._recipients: list[str] = []

    def receive(self, segment: bytes) -> bytes:
        """What it answers to a segment."""
        self._buffer += segment
        answers = b""
        while not (self.closed or self.silent):
            end = b"\r\n.\r\n" if self._in_data else b"\r\n"
            line, found, rest = self._buffer.partition(end)
            if not found:
                break
            self._buffer = rest
            answers += self._data(line) if self._in_data else self._command(line)
            if len(self.heard) in self.forgets:
                self._buffer = b"\r\n" * self._in_data
        return answers

    def _command(self, line: bytes) -> bytes:
        verb, _, argument = line.decode().partition(" ")
        address = argument.partition("<")[2].partition(">")[0]
        match verb:
            case "MAIL" if self._sender is None:
                answer = self._answer(verb, "250 2.1.0 Ok")
                self._sender = address if answer.startswith(b"2") else None
            case "RCPT" if self._sender is not None:
                answer = self._answer(verb, "250 2.1.5 Ok")
                if answer.startswith(b"2"):
                    self._recipients.append(address)
            case "DATA":
                answer = self._answer(verb, "354 Go" if self._recipients else "554 5.5.1 Nobody")
                self._in_data = answer.startswith(b"354")
                self._buffer = b"\r\n" * self._in_data + self._buffer
            case "RSET":
                answer = self._answer(verb, "250 2.0.0 Ok")
                self._forget()
            case "EHLO" | "LHLO":
                wanted = "LHLO" if self.each else "EHLO"
                offer = "250 scripted\nPIPELINING\n8BITMIME"
                answer = self._answer(verb, offer if verb == wanted else "500 5.5.1 Which?")
            case "QUIT":
                answer = self._answer(verb, "221 2.0.0 Bye" + BEHIND)
            case _:
                answer = self._answer(verb, "503 5.5.1 Bad sequence")
        return answer

    def _data(self, stuffed: bytes) -> bytes:
        data = stuffed.replace(b"\r\n.", b"\r\n")[2:]
        self._in_data = False
        answers = b""
        for whose in [[r] for r in self._recipients] if self.each else [self._recipients]:
            if self.closed or self.silent:
                break
            answer = self._answer(".", "250 2.0.0 Ok: queued")
            answers += answer
            if answer.startswith(b"2") and whose:
                self.took.append((self._sender or "", tuple(whose), data + b"\r\n" * bool(data)))
        self._forget()
        return answers

    def _forget(self) -> None:
        self._sender = None
        self._recipients = []

    def _answer(self, verb: str, usual: str) -> bytes:
        self.heard.append(verb)
        words = next(self._script) or usual
        if words.endswith(CUT):
            self.closed = True
            words = words.removesuffix(CUT).removesuffix(BEHIND.removesuffix(CUT))
        if words == SILENCE:
            self.silent = True
            return b""
        if not words or words.endswith("\r\n"):
            return words.encode()
        code, lines = words[:3], words[4:].split("\n")
        return b"".join(
            f"{code}{'-' if more else ' '}{line}\r\n".encode()
            for more, line in zip(range(len(lines) - 1, -1, -1), lines, strict=True)
        )


def converse(conversation: Conversation, server: ScriptedServer, cuts: Sequence[int] = ()) -> None:
    """Let both talk until the window is over. `cuts` are lengths of the segments in which the
    answers come, used in turn; without, each comes whole. Silence is a timeout."""
    sizes = chain.from_iterable(repeat(cuts)) if cuts else repeat(1 << 30)
    while conversation.busy:
        if not conversation.speaks:
            conversation.stop("timeout")
            return
        body = b"".join(conversation.body or ())
        answers = server.receive(body + conversation.release())
        while answers and not conversation.fault:
            size = next(sizes)
            conversation.receive(answers[:size])
            answers = answers[size:]
        if server.closed:
            conversation.stop("the server hung up")


def window(
    conversation: Conversation,
    server: ScriptedServer,
    transactions: Sequence[Transaction],
    cuts: Sequence[int] = (),
) -> list[Result]:
    """Send a window to its end."""
    results = conversation.begin(transactions)
    converse(conversation, server, cuts)
    return results
