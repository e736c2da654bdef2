"""Mails shown to SpamAssassin's spamd (SPAMC/1.5): one connection a mail, a few at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from postroad.mail.spamscore import Score, bounded
from postroad.runtime.health import Health
from postroad.runtime.settings import Spamd
from postroad.runtime.telemetry import Telemetry
from services.router.lookups.memory import Unanswered
from services.router.lookups.seats import Seats

AT_ONCE = 5  # mails; as many as spamd has processes, unless told otherwise
LATE = AT_ONCE  # answers in a row that do not come in time until it counts as away
REST = 30.0  # seconds without a question while it is away
ANSWER = 65_536  # octets of an answer that are read
TESTS = 5  # names of what it found

_SPAM = re.compile(rb"\r\nspam:\s*(true|yes|false|no)\s*;\s*([-+]?[\d.]{1,12})\s*/", re.IGNORECASE)
_TEST = re.compile(r"[A-Z0-9_]{1,60}")


class SpamFilter:
    """The spamd that the settings name."""

    def __init__(self, settings: Spamd, health: Health, telemetry: Telemetry) -> None:
        self._settings = settings
        self._health = health
        self._telemetry = telemetry
        self._free = asyncio.Semaphore(AT_ONCE)
        self._seats = Seats()
        self._late = 0  # answers in a row that did not come in time
        self._again = 0.0  # when it may be asked again, after it did not answer

    async def check(self, size: int, read: Callable[[], Awaitable[bytes]]) -> Score | None:
        """What it thinks of a mail of this size, whose octets `read` gives; None of one that it is
        not shown, because it is too large. Raises Unanswered, Busy where too many wait, and what
        `read` raises."""
        if size > self._settings.max_bytes:
            return None
        if asyncio.get_running_loop().time() < self._again:
            raise Unanswered
        try:
            with self._seats:
                score = await self._checked(await read())
        except (TimeoutError, OSError, ValueError) as error:
            # One mail may take it too long; that must not be a way past it for those behind.
            self._late = self._late + 1 if isinstance(error, TimeoutError) else LATE
            if self._late >= LATE:
                self._again = asyncio.get_running_loop().time() + REST
            detail = "(spamd) does not answer: mail is not checked for spam"
            self._health.report("lookup", "spam filter", ok=False, detail=detail)
            raise Unanswered from None
        self._late = 0
        self._health.report("lookup", "spam filter", ok=True)
        return score

    async def _checked(self, data: bytes) -> Score:
        async with asyncio.timeout(self._settings.seconds), self._free:
            with self._telemetry.span("router.spamd"):
                return parse(await self._ask(data))

    async def _ask(self, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._settings.host, self._settings.port)
        try:
            writer.write(b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(data))
            writer.write(data)
            writer.write_eof()
            await writer.drain()
            answer = bytearray()
            while len(answer) < ANSWER and (more := await reader.read(ANSWER)):
                answer += more
            return bytes(answer)
        finally:
            writer.close()


def parse(answer: bytes) -> Score:
    """The score in an answer. Raises ValueError for one that is none, or that tells of an error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0].split()
    found = _SPAM.search(head + b"\r\n")
    if len(status) < 2 or not status[0].startswith(b"SPAMD/") or status[1] != b"0" or not found:
        raise ValueError("no answer of spamd")
    tests = _TEST.findall(body[:ANSWER].decode("ascii", "replace"))[:TESTS]
    spam = found[1].lower() in (b"true", b"yes")
    return Score(spam, bounded(float(found[2])), tuple(tests))
