"""One SMTP session after EHLO, without I/O: bytes in, commands and outcomes out.

A `Conversation` sends windows of transactions. Where the server offers PIPELINING (RFC 2920)
the end of one message, and MAIL, every RCPT and DATA of the next, leave in one write; a body
leaves only after its 354. Elsewhere the same commands leave one at a time. Answers come in the
order of the commands (RFC 5321 section 4.1.1), so a window is one generator that is handed one
answer for each command. An answer that cannot be one to its command means that we are out of
step with the server: then nothing more is believed or sent.

LMTP (RFC 2033) differs in one thing: behind the dot there is an answer for each recipient whom
the server took, in their order, so that a connection may end between two of them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from services.sender.answers import Answer, AnswerReader, OutOfStep, Reply, reply
from services.sender.transaction import Offers, Result, Transaction, commands, refuse

_DOT = b".\r\n"
_RSET = b"RSET\r\n"
_QUIT = b"QUIT\r\n"

Script = Generator[None, Answer, None]
"""Yields for the answer to each command, in order."""


class Conversation:
    """The client's side of a session.

    Whoever owns the connection writes what `release` gives as long as `speaks`, with the
    pieces of `body` in front; hands all it reads to `receive`; and calls `stop` when the
    connection ends. `fault` says why no more windows can be sent, "" while they can.
    """

    def __init__(self, offers: Offers) -> None:
        self.offers = offers
        self.body: Sequence[bytes] | None = None
        self.fault = ""
        self.out_of_step = False
        self._reader = AnswerReader()
        self._script: Script | None = None
        self._queue: list[tuple[bytes, int]] = []  # writes to come, and answers each gets
        self._owed = 0  # answers to what is written
        self._ending: Result | None = None  # whose message is under way
        self._taken: Sequence[int] = ()  # its recipients, by index
        self._offering: Result | None = None  # whose envelope is being answered
        self._known: list[Reply | None] = []  # its recipients' replies before that
        self._ended: tuple[Result, Sequence[int]] | None = None  # of whose answers one may be none
        self._reset = False  # the server may still hold a refused transaction
        self._told = False  # how the server accepts, in this window

    @property
    def busy(self) -> bool:
        """Whether a window is under way."""
        return self._script is not None

    @property
    def speaks(self) -> bool:
        """Whether there is something to write now."""
        return bool(self._queue) and not self._owed

    @property
    def in_doubt(self) -> bool:
        """Whether a message's final dot is written and unanswered."""
        return self._ending is not None and self.body is None

    @property
    def awaited(self) -> tuple[Result, int] | None:
        """Whose answer comes next: a transaction, and its recipient by index or, -1, all of
        it. None where it is about nobody: between windows, and before the answer to MAIL."""
        if self._ending is not None:
            return self._ending, -1
        offering = self._offering
        if offering is None or offering.asked is None:
            return None
        return offering, offering.asked

    def begin(self, transactions: Sequence[Transaction]) -> list[Result]:
        """Start a window. The results fill as answers come; they stand when not `busy`."""
        results = [Result.of(each) for each in transactions]
        self._run(self._window(transactions, results))
        return results

    def quit(self) -> None:
        """Start to take leave; done when not `busy`."""
        self._run(self._leave())

    def release(self) -> bytes:
        """The commands to write now, led by the final dot of `body` where there is one.

        Calling this says that they are being written: from here that message is in doubt
        until it is answered.
        """
        written, self._owed = self._queue.pop(0)
        if self.body is not None and self._ending is not None:
            self._ending.sending(self._taken)
        self.body = None
        return written

    def receive(self, data: bytes) -> bool:
        """Take bytes from the server. True where they completed an answer."""
        answered = False
        try:
            for answer in self._reader.feed(data):
                answered = True
                self._hear(answer)
                if self.fault and not self.in_doubt:
                    break
        except OutOfStep as error:
            self.out_of_step = True
            if self._ended is not None:  # an answer too few or too many: was this one its own?
                result, taken = self._ended
                result.settle(taken, None)
                result.data, result.lost = None, True
            self.stop(f"out of step with the server: {error}")
        if not self.busy:
            self._ended = None
        return answered

    def leave(self, fault: str) -> bool:
        """Send nothing more, and hear nothing but what answers a message whose dot is written.
        False where none is: then `stop`."""
        if self._ending is None or not self.in_doubt:
            return False
        self.fault = self.fault or fault
        self._queue.clear()
        self._ending.leave()
        return True

    def stop(self, fault: str) -> None:
        """Send nothing more: the connection is, or must now be, closed."""
        if self._ending is not None and self.in_doubt:
            self._ending.lost, self._ending.awaited = True, False
        if self._offering is not None:  # without its last answer, whose were the others?
            self._offering.recipients[:] = self._known
        self.fault = self.fault or fault
        self._script = self._ending = self._offering = self.body = None
        self._queue.clear()

    def _run(self, script: Script) -> None:
        if self.busy:
            raise RuntimeError("a connection sends one window at a time")
        if self.fault:
            return
        if next(script, script) is None:  # else nothing had to be asked
            self._script = script

    def _hear(self, answer: Answer) -> None:
        code, asked = answer[0], self._owed > 0
        if not asked and code != 421 and not (code >= 400 and self.body is not None):
            raise OutOfStep(f"a {code} that answers nothing")
        if asked:
            self._owed -= 1
        if self._script is not None and (asked or self.body is not None):
            try:
                self._script.send(answer)
            except StopIteration:
                self._script = None
        if code == 421 or not asked:  # unasked: it hangs up, or refuses a message half written
            self._offering = None
            self.stop(f"the server ended the session: {reply(answer, '')}")

    def _ask(self, lines: Sequence[bytes], before: bytes = b"", answers: int = 0) -> None:
        """Write these lines, behind what is owed so many answers."""
        answers = answers if before else 0
        if self.offers.pipelining:
            self._queue.append((b"".join((before, *lines)), answers + len(lines)))
        else:
            if before:
                self._queue.append((before, answers))
            self._queue.extend((line, 1) for line in lines)

    def _leave(self) -> Script:
        self._ask((_QUIT,))
        yield

    def _window(self, transactions: Sequence[Transaction], results: Sequence[Result]) -> Script:
        self._told = False
        before = _RSET if self._reset else b""  # what ends the transaction before
        taken: Sequence[int] = ()  # the recipients who get the message that a dot ends
        for transaction, result in zip(transactions, results, strict=True):
            wanted = refuse(transaction, result, self.offers)
            if not wanted:
                continue
            lines = commands(transaction, wanted, self.offers)
            yield from self._end(before, taken, lines)
            self._offering, self._known = result, result.recipients.copy()
            go = yield from _offered(result, wanted)
            self._offering = self._ended = None
            if self.offers.each and go is not None and not go:
                raise OutOfStep("DATA accepted without a recipient")  # RFC 2033 section 4.2
            before, taken = (_RSET, ()) if go is None else (_DOT, go)
            if taken:
                self._ending, self._taken, self.body = result, taken, transaction.data
        if before is _DOT:
            yield from self._end(_DOT, taken, ())
        self._reset = before is _RSET

    def _end(self, before: bytes, taken: Sequence[int], lines: Sequence[bytes]) -> Script:
        """Write what ends a transaction (RSET, a dot, or nothing where there was none) with the
        lines behind it; then its answers."""
        each = [(index,) for index in taken] if self.offers.each and taken else [taken]
        self._ask(lines, before, len(each))
        if not before:
            return
        result = self._ending
        if result is not None and (self.offers.pipelining or self.offers.each):
            self._ended = result, taken
        for whose in each:
            answer = yield
            refusal = _refusal(answer, ".")
            if result is not None:
                result.data = refusal or self._acceptance(answer)
                result.settle(whose, result.data)
            elif before is _RSET and refusal and refusal.code != 421:
                raise OutOfStep(f"a {refusal.code} that cannot answer RSET")
        self._ending = None

    def _acceptance(self, answer: Answer) -> Reply:
        """The reply to a message that was taken: whole for the first of a window, which is kept."""
        if self._told:
            return Reply(answer[0], command=".")
        self._told = True
        return reply(answer, ".")


def _offered(
    result: Result, wanted: Sequence[int]
) -> Generator[None, Answer, Sequence[int] | None]:
    """The answers to MAIL, each RCPT and DATA.

    Returns who is to get the message that must follow now, or None where none may. It must
    follow even where nobody is left to get it: then it is empty (RFC 2920 section 3.1).
    """
    no_sender = _refusal((yield), "MAIL")
    if no_sender:
        result.settle(wanted, no_sender)
    taken = []
    for index in wanted:
        result.asked = index
        refusal = _refusal((yield), "RCPT")
        if not refusal:
            taken.append(index)
        elif not no_sender:
            result.recipients[index] = refusal
    result.asked = -1
    answer = yield
    if answer[0] == 354:
        if taken and no_sender:
            raise OutOfStep("recipients and DATA accepted without a sender")
        return taken
    refusal = _refusal(answer, "DATA")
    if not refusal:
        raise OutOfStep(f"a {answer[0]} that cannot answer DATA")
    if taken and not no_sender:
        result.data = refusal
        result.settle(taken, refusal)
    return None


def _refusal(answer: Answer, command: str) -> Reply | None:
    """None where the command was accepted. Raises OutOfStep at what cannot answer it."""
    code = answer[0]
    if code < 300:
        return None
    if code < 400:
        raise OutOfStep(f"a {code} that cannot answer {command}")
    return reply(answer, command)
