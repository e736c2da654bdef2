"""Questions to spamd: the real one, and ones that answer oddly or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.spamscore import Score
from postroad.runtime.errors import Busy
from postroad.runtime.health import Health
from postroad.runtime.settings import Spamd as Settings
from postroad.runtime.telemetry import Telemetry
from services.router.lookups import seats, spamd
from services.router.lookups.memory import Unanswered
from services.router.lookups.spamd import SpamFilter, parse
from tests.peers.spamd import GTUBE, Spamd

MAIL = b"From: ann@example.net\r\nSubject: Tea\r\n\r\nHow about tea?\r\n"
SPAM = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 5\r\nSpam: True ; 7.4 / 5.0\r\n\r\nPILLS"


def asking(port: int, **settings: str) -> tuple[SpamFilter, Health]:
    """A filter that asks at this port, and the health it reports to."""
    health = Health("router")
    told = Settings(port=port, **{"timeout": "5s", **settings})
    return SpamFilter(told, health, Telemetry("router")), health


async def check(spam: SpamFilter, data: bytes = MAIL) -> Score | None:
    """What it thinks of this mail."""

    async def read() -> bytes:
        return data

    return await spam.check(len(data), read)


def told(health: Health) -> list[bool]:
    """Whether it is well."""
    return [fact.ok for fact in health.answer().facts if fact.kind == "lookup"]


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[int]:
    """A server that says this to everybody, or nothing at all; its port."""
    ended = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await ended.wait()
        else:
            await reader.read()
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(converse, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        ended.set()


async def test_spamassassin_is_asked() -> None:
    """Spam has many points, tea has none, and what it found is told."""
    async with Spamd.start() as daemon:
        spam, health = asking(daemon.port)
        mails = (MAIL, MAIL + GTUBE.encode(), MAIL + b"cheap pills")
        found = await asyncio.gather(*(check(spam, each) for each in mails))
        assert found == [
            Score(False, 0.0),
            Score(True, 1000.0, ("GTUBE",)),
            Score(False, 3.0, ("CHEAP_PILLS",)),
        ]
        assert told(health) == [True]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SPAMD/1.1 76 Bad header line\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; x / 5\r\n\r\n",
        b"220 mail.example.org ESMTP\r\n",
        b"\x00" * 100_000,
        None,
    ],
)
async def test_what_is_no_answer_stops_no_mail(answer: bytes | None) -> None:
    """It is unanswered, in time, and the status says so."""
    async with answering(answer) as port:
        spam, health = asking(port, timeout="200ms")
        with pytest.raises(Unanswered):
            await check(spam)
        assert told(health) == [False]


async def test_one_slow_answer_lets_no_other_mail_pass() -> None:
    """Who makes it hang by one mail does not get past it with the next; where it answers nobody,
    nobody waits for it."""
    async with answering(None) as port:
        spam, _ = asking(port, timeout="100ms")
        loop = asyncio.get_running_loop()
        for _ in range(spamd.LATE):
            began = loop.time()
            with pytest.raises(Unanswered):
                await check(spam)
            assert loop.time() - began > 0.09
        began = loop.time()
        for _ in range(100):
            with pytest.raises(Unanswered):
                await check(spam)
        assert loop.time() - began < 0.09


async def test_nobody_listens() -> None:
    """As after a restart of the machine."""
    async with answering(b"") as port:
        pass
    spam, health = asking(port)
    with pytest.raises(Unanswered):
        await check(spam)
    assert told(health) == [False]


async def test_a_large_mail_is_not_shown() -> None:
    """Nor read: filters take minutes for it, and spam is small."""
    spam, _ = asking(1, max_size="20")
    assert await check(spam) is None


async def test_no_more_mails_wait_than_the_router_can_spare() -> None:
    """Others are given back for a moment."""
    async with answering(None) as port:
        spam, _ = asking(port, timeout="300ms")
        waiting = [asyncio.ensure_future(check(spam)) for _ in range(seats.MOST)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await check(spam)
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, Unanswered) for each in found)


def test_an_answer_is_read() -> None:
    """Verdict, points, and at most five names."""
    assert parse(SPAM) == Score(True, 7.4, ("PILLS",))
    assert parse(SPAM + b",A,B,C,D,E,F,<script>").tests == ("PILLS", "A", "B", "C", "D")


@given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda octets: SPAM[:40] + octets))
def test_any_answer_is_one_or_is_refused(octets: bytes) -> None:
    """Nothing else can come of it."""
    with suppress(ValueError):
        parse(octets)
