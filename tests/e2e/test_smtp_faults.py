"""A relay that misbehaves: what we say of each recipient is what the relay's book says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from postroad.runtime.config import Relay
from services.sender.smtp import DEFAULT, Connection, Timeouts, connect
from services.sender.transaction import Result, Transaction
from tests.peers.sink import Rule, Script, Sink
from tests.peers.smtpsink import SmtpSink

BODY = b"Subject: x\r\n\r\n" + b"..dots\r\n" * 20
PIPELINING = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")
IN_TURN = ("8BITMIME",)
COMMANDS = ("mail", "rcpt", "data", "body", "dot")


def mails(count: int, start: int = 0) -> list[Transaction]:
    """So many one-recipient transactions."""
    return [
        Transaction(f"s{n}@lists.example", [f"r{n}@example.org"], (b"X-N: %d\r\n" % n, BODY))
        for n in range(start, start + count)
    ]


@contextlib.asynccontextmanager
async def connected(port: int, timeouts: Timeouts = DEFAULT) -> AsyncIterator[Connection]:
    """A connection to this port for the length of the block."""
    connection = await connect(Relay(host="127.0.0.1", port=port, tls="none"), timeouts)
    try:
        yield connection
    finally:
        await connection.close()


def told(results: Sequence[Result]) -> list[str]:
    """Each one-recipient result in a word: its code, `doubt` or `untried`."""
    return [
        str(result.recipients[0].code)
        if result.recipients[0]
        else "doubt"
        if result.lost
        else "untried"
        for result in results
    ]


def assert_agreed(
    sink: Sink, transactions: Sequence[Transaction], results: Sequence[Result]
) -> None:
    """Accepted is in the book once, refused and untried are not, doubt may be."""
    book = [recipient for record in sink.records() for recipient in record.recipients]
    assert len(book) == len(set(book))
    for transaction, word in zip(transactions, told(results), strict=True):
        if word != "doubt":
            assert (transaction.recipients[0] in book) == (word == "250")
    assert not sink.violations()


@pytest.mark.parametrize("extensions", [PIPELINING, IN_TURN], ids=["pipelining", "in turn"])
@pytest.mark.parametrize("at", COMMANDS)
async def test_the_connection_is_cut(extensions: tuple[str, ...], at: str) -> None:
    """Cut at any command of the third message: those before are delivered, those behind untried,
    and only behind the dot is the third in doubt."""
    script = Script(extensions=extensions, rules=(Rule(at=at, match="[sr]2@", close=True),))
    async with Sink.start(script) as sink, connected(sink.port) as connection:
        results = await connection.send(mails(5))
        in_doubt = at in ("body", "dot")  # a small body leaves in one write with its dot
        third = "doubt" if in_doubt else "untried"
        assert told(results) == ["250", "250", third, "untried", "untried"]
        assert_agreed(sink, mails(5), results)
        assert connection.fault


async def test_the_reply_to_a_message_is_lost() -> None:
    """The server took it and its answer never came: in doubt is the truth."""
    script = Script(rules=(Rule(at="dot", match="r1@", close=True, record=True),))
    async with Sink.start(script) as sink, connected(sink.port) as connection:
        assert told(await connection.send(mails(3))) == ["250", "doubt", "untried"]
        assert [record.recipients for record in sink.records()] == [
            ("r0@example.org",),
            ("r1@example.org",),
        ]


@pytest.mark.parametrize("extensions", [PIPELINING, IN_TURN], ids=["pipelining", "in turn"])
@pytest.mark.parametrize("reply", ["450 4.2.0 Later", "550 5.1.1 Never"])
@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
async def test_a_refusal_stays_with_its_message(
    extensions: tuple[str, ...], reply: str, at: str
) -> None:
    """4xx or 5xx at any command concerns that message alone; the connection goes on, in this
    window and the next."""
    script = Script(extensions=extensions, rules=(Rule(at=at, match="[sr][13]@", reply=reply),))
    async with Sink.start(script) as sink, connected(sink.port) as connection:
        code = reply[:3]
        results = await connection.send(mails(4))
        assert told(results) == ["250", code, "250", code]
        more = await connection.send(mails(2, start=4))
        assert told(more) == ["250", "250"]
        assert_agreed(sink, mails(6), [*results, *more])


@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
async def test_421_in_mid_window(at: str) -> None:
    """421 is the answer to its command; everything behind is untried."""
    rule = Rule(at=at, match="[sr]2@", reply="421 4.3.2 Going down", close=True)
    async with Sink.start(Script(rules=(rule,))) as sink, connected(sink.port) as connection:
        results = await connection.send(mails(4))
        assert told(results) == ["250", "250", "421", "untried"]
        assert "421 4.3.2 Going down" in connection.fault
        assert_agreed(sink, mails(4), results)


@pytest.mark.parametrize(
    "script",
    [Script(split=True), Script(lines=5), Script(split=True, lines=3, extensions=IN_TURN)],
    ids=["an octet at a time", "five lines each", "both, in turn"],
)
async def test_replies_in_every_shape(script: Script) -> None:
    """Replies of many lines, or in segments of one octet, are the same replies."""
    async with Sink.start(script) as sink, connected(sink.port) as connection:
        results = await connection.send(mails(8))
        assert told(results) == ["250"] * 8
        assert_agreed(sink, mails(8), results)


async def test_a_lie_about_pipelining_is_survived() -> None:
    """A server that drops what is sent ahead answers with silence: nothing is lost, nothing
    doubled, and in turn it takes everything."""
    relay_offers = Script(discards=True)
    async with Sink.start(relay_offers) as sink:
        relay = Relay(host="127.0.0.1", port=sink.port, tls="none")
        liar = await connect(relay, Timeouts(command=1, final=1))
        results = await liar.send(mails(3))
        assert told(results) == ["untried"] * 3
        await liar.close()
        honest = await connect(relay, pipelining=False)
        assert told(await honest.send(mails(3))) == ["250"] * 3
        await honest.close()
        assert len(sink.records()) == 3


async def test_silence_behind_the_dot() -> None:
    """A server that never answers a message leaves it in doubt, whatever it says then."""
    script = Script(rules=(Rule(at="dot", match="r1@", reply=""),))
    limits = Timeouts(command=5, final=1)
    async with Sink.start(script) as sink, connected(sink.port, limits) as connection:
        results = await connection.send(mails(3))
        assert told(results) == ["250", "doubt", "untried"]
        assert connection.out_of_step  # what is sent ahead gets its answers, a place too early


async def test_a_large_message() -> None:
    """20 MB arrive as they are, pipelined with small ones before and behind."""
    large = (b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 1_200_000,)
    big = Transaction("s@lists.example", ["big@example.org"], large)
    async with Sink.start() as sink, connected(sink.port) as connection:
        results = await connection.send([*mails(1), big, *mails(1, start=1)])
        assert told(results) == ["250"] * 3
        assert [record.size for record in sink.records()][1] == len(large[0])


async def test_a_server_that_stops_reading() -> None:
    """A body that is not taken any more ends the connection in time, and its dot never left."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        for answer in (b"250 PIPELINING\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(b"250-x\r\n" + answer if b"PIPE" in answer else answer)
        await never.wait()
        writer.close()

    never = asyncio.Event()
    server = await asyncio.start_server(stall, "127.0.0.1", 0, limit=1000)
    port = server.sockets[0].getsockname()[1]
    large = Transaction("s@x", ["r@x"], (b"x" * 50_000_000 + b"\r\n",))
    async with connected(port, Timeouts(command=5, block=0.2, final=5)) as connection:
        assert told(await connection.send([large])) == ["untried"]
        assert "0.2 s" in connection.fault
    never.set()
    server.close()


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ((), ["250"] * 3),
        (("-p",), ["250"] * 3),
        (("-e",), ["250"] * 3),
        (("-r", "RCPT"), ["450"] * 3),
        (("-f", "MAIL"), ["500"] * 3),
        (("-f", "DATA"), ["500"] * 3),
        (("-r", "."), ["450"] * 3),
        (("-r", "MAIL"), ["450"] * 3),
        (("-r", "DATA"), ["450"] * 3),
        (("-r", "RCPT", "-p"), ["450"] * 3),
        (("-f", "RCPT"), ["500"] * 3),
        (("-f", "."), ["500"] * 3),
        (("-r", "QUIT"), ["250"] * 3),
        (("-q", "QUIT"), ["250"] * 3),
        (("-Q", "QUIT"), ["250"] * 3),
        (("-8", "-E"), ["250"] * 3),
        (("-p", "-q", "."), ["doubt", "untried", "untried"]),
        (("-p", "-Q", "RCPT"), ["421", "untried", "untried"]),
        (("-Q", "MAIL"), ["421", "untried", "untried"]),
        (("-Q", "RCPT"), ["421", "untried", "untried"]),
        (("-Q", "DATA"), ["421", "untried", "untried"]),
        (("-Q", "."), ["421", "untried", "untried"]),
        (("-q", "MAIL"), ["untried"] * 3),
        (("-q", "RCPT"), ["untried"] * 3),
        (("-q", "DATA"), ["untried"] * 3),
        (("-q", "."), ["doubt", "untried", "untried"]),
        (("-A", "0"), ["550", "untried", "untried"]),
        (("-H", "1"), ["250"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_each_fault_of_smtp_sink(switches: tuple[str, ...], words: list[str]) -> None:
    """Postfix's smtp-sink, told to refuse, hang up or disconnect at each command."""
    async with SmtpSink.start(switches) as sink, connected(sink.port) as connection:
        assert told(await connection.send(mails(len(words)))) == words


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ((), ["250", "250"]),
        (("-p",), ["250", "250"]),
        (("-r", "RCPT"), ["450", "450"]),
        (("-f", "DATA"), ["500", "500"]),
        (("-r", "."), ["450", "450"]),
        (("-Q", "."), ["421", "untried"]),
        (("-q", "."), ["doubt", "untried"]),
        (("-q", "DATA"), ["untried", "untried"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_each_fault_of_smtp_sink_by_lmtp(switches: tuple[str, ...], words: list[str]) -> None:
    """The same by LMTP, where a message to three recipients has three answers."""
    three = [f"r{n}@example.org" for n in range(3)]
    async with SmtpSink.start(("-L", *switches)) as sink:
        relay = Relay(kind="lmtp", host="127.0.0.1", port=sink.port, tls="none")
        connection = await connect(relay)
        results = await connection.send([Transaction("s@x", three, (BODY,)) for _ in words])
        await connection.close()
    assert told(results) == words
    for word, result in zip(words, results, strict=True):
        codes = [str(reply.code) if reply else "" for reply in result.recipients]
        behind = {"421": "", "doubt": "", "untried": ""}.get(word, word)  # of those after the first
        assert codes[1:] == [behind] * 2
