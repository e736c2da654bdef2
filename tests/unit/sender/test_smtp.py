"""A connection moves bytes: when it writes, how it waits, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.sender import smtp
from services.sender.smtp import Connection, Timeouts
from services.sender.transaction import Offers, Transaction
from tests.unit.sender.scripted import CUT, OK, SILENCE, ScriptedServer

OFFERS = Offers(pipelining=True)
BODY = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n"
LARGE = b"x" * 999_998 + b"\r\n"


class MemoryTransport(asyncio.Transport):
    """The wire to a scripted server. `full` says after which writes the server is slow: the
    connection is told to pause, until the test resumes it."""

    def __init__(self, server: ScriptedServer, full: Callable[[int], bool] = lambda _: False):
        super().__init__()
        self.server = server
        self.full = full
        self.writes: list[bytes] = []
        self.aborted = False
        self.protocol: asyncio.Protocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """The connection takes over."""
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """To the server, whose answer comes in a later turn of the loop."""
        assert self.protocol is not None
        loop = asyncio.get_running_loop()
        self.writes.append(bytes(data))
        if answers := self.server.receive(bytes(data)):
            loop.call_soon(self._deliver, answers)
        if self.server.closed:
            loop.call_soon(self.abort)
        if self.full(len(self.writes)):
            self.protocol.pause_writing()

    def _deliver(self, answers: bytes) -> None:
        if not self.aborted and self.protocol is not None:
            self.protocol.data_received(answers)

    def abort(self) -> None:
        """Gone at once."""
        if not self.aborted and self.protocol is not None:
            self.aborted = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


def mails(count: int, body: bytes = BODY) -> list[Transaction]:
    """So many one-recipient transactions."""
    return [Transaction("s@lists.example", [f"r{n}@example.org"], (body,)) for n in range(count)]


async def turns(count: int) -> None:
    """Let the loop turn so often: the wire is memory, so that is all it takes."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_window_of_small_mails_costs_a_write_each() -> None:
    """Body, dot and the next envelope leave in one write; the first envelope adds one."""
    wire = MemoryTransport(ScriptedServer())
    connection = Connection(wire, OFFERS)
    results = await connection.send(mails(16))
    assert all(result.data and result.data.code == 250 for result in results)
    assert len(wire.writes) == 17
    assert [len(took[2]) for took in wire.server.took] == [len(BODY)] * 16
    await connection.close()
    assert wire.server.heard[-1] == "QUIT"
    assert wire.aborted


@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
async def test_crash_points_stand_around_the_dot(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`before_dot` passes before any final dot is written, `after_dot` right behind it; a lone
    dot that ends no message has none."""
    wire = MemoryTransport(ScriptedServer([OK, "550 5.1.1 no", "354 go", "554 nobody"]))
    passed: list[tuple[str, int]] = []
    monkeypatch.setattr(
        smtp, "crashpoint", lambda name: passed.append((name, wire.server.heard.count(".")))
    )
    connection = Connection(wire, OFFERS)
    await connection.send(mails(3, body))
    await connection.close()
    assert passed == [
        ("sender.before_dot", 1),
        ("sender.after_dot", 2),
        ("sender.before_dot", 2),
        ("sender.after_dot", 3),
    ]


async def test_a_large_body_leaves_as_fast_as_it_is_taken() -> None:
    """A large body is written in slices and waits while the server is slow, so that memory
    holds one slice and not one body for each lane."""
    wire = MemoryTransport(ScriptedServer(), full=lambda writes: writes % 3 == 0)
    connection = Connection(wire, OFFERS)
    sending = asyncio.create_task(connection.send(mails(2, LARGE)))
    while not sending.done():
        before = len(wire.writes)
        await turns(5)
        assert len(wire.writes) - before <= 4
        connection.resume_writing()
    assert [result.data and result.data.code for result in await sending] == [250, 250]
    assert max(map(len, wire.writes)) <= 65_536
    assert [took[2] for took in wire.server.took] == [LARGE, LARGE]
    await connection.close()


@pytest.mark.parametrize(("at", "limit"), [(0, 0.03), (1, 0.03), (2, 0.03), (3, 0.05)])
async def test_silence_ends_the_connection(at: int, limit: float) -> None:
    """No answer within the time for a command, or for a message, ends the connection; only
    behind a dot is a message in doubt."""
    wire = MemoryTransport(ScriptedServer([*[OK] * at, SILENCE]))
    connection = Connection(wire, OFFERS, Timeouts(command=0.03, block=0.04, final=0.05))
    first, second = await connection.send(mails(2))
    assert first.lost is (at == 3)
    assert first.untried is (at < 3)
    assert second.untried
    assert connection.fault == f"the server did not answer within {limit:g} s"
    assert wire.aborted
    await connection.close()


@pytest.mark.parametrize(("at", "whom"), [(1, (0, 0)), (3, (0, -1)), (5, (1, 0)), (7, (1, -1))])
async def test_whom_the_server_keeps_us_waiting_for(at: int, whom: tuple[int, int]) -> None:
    """A window under way tells which recipient, or message, has no answer yet; abandoned, it
    leaves only a message behind its dot in doubt, and says how long each answer took."""
    wire = MemoryTransport(ScriptedServer([*[OK] * at, SILENCE]))
    connection = Connection(wire, OFFERS)
    assert connection.waiting() is None
    sending = asyncio.create_task(connection.send(mails(2)))
    await turns(30)
    waiting = connection.waiting()
    assert waiting is not None
    assert waiting[:2] == whom
    connection.abandon("enough")
    results = await sending
    assert [result.lost for result in results] == [whom == (0, -1), whom == (1, -1)]
    assert results[0].waits
    assert connection.waiting() is None
    assert connection.fault == "enough"
    await connection.close()


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (b"250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n", True),
        (b"452 Full\r\n", False),
        (b"421 Bye\r\n", False),
        (b"", None),
    ],
)
async def test_what_is_abandoned_behind_its_dot(answer: bytes, accepted: bool | None) -> None:
    """The window ends at once and its answer is heard all the same, or that there is none; nothing
    is written any more, and the connection ends then."""
    wire = MemoryTransport(ScriptedServer([OK, OK, OK, SILENCE]))
    connection = Connection(wire, OFFERS)
    sending = asyncio.create_task(connection.send(mails(2)))
    await turns(30)
    written = len(wire.writes)
    connection.abandon("enough")
    first, second = await sending
    over = connection.lingering
    assert over is not None
    assert (first.lost, first.awaited, first.recipients) == (True, True, [None])
    assert second.untried
    if answer:
        connection.data_received(answer)
    else:
        wire.abort()
    await over
    assert accepted is (first.recipients[0] and first.recipients[0].accepted)
    assert first.awaited is bool(answer)
    assert connection.lingering is None
    assert len(wire.writes) == written


async def test_what_is_never_answered_has_an_end() -> None:
    """Who waits for an answer to an abandoned message waits no longer than for any other."""
    wire = MemoryTransport(ScriptedServer([OK, OK, OK, SILENCE]))
    connection = Connection(wire, OFFERS, Timeouts(final=0.05))
    sending = asyncio.create_task(connection.send(mails(1)))
    await turns(30)
    connection.abandon("enough")
    (result,) = await sending
    assert connection.lingering is not None
    await connection.lingering
    assert (result.lost, result.recipients) == (True, [None])


@pytest.mark.parametrize(("at", "whom"), [(3, (0, -1)), (5, (1, 0))])
async def test_nobody_is_slow_for_the_size_of_a_mail(at: int, whom: tuple[int, int]) -> None:
    """A large mail's time on its way is not held against whom it is for, a second for each MB;
    what the server takes to answer the next command counts at once."""
    wire = MemoryTransport(ScriptedServer([*[OK] * at, SILENCE]))
    connection = Connection(wire, OFFERS)
    sending = asyncio.create_task(connection.send(mails(2, LARGE)))
    while len(wire.server.heard) <= at:
        await turns(1)
    loop = asyncio.get_running_loop()
    since = loop.time()
    while loop.time() < since + 0.01:
        await turns(1)
    waiting = connection.waiting()
    assert waiting is not None
    assert waiting[:2] == whom
    assert (waiting[2] > 0.0) is (at == 5)
    connection.abandon("enough")
    await sending
    await connection.close()


async def test_a_server_that_takes_no_more_of_a_body() -> None:
    """A body that does not move ends the connection, and is not in doubt: its dot never left."""
    wire = MemoryTransport(ScriptedServer(), full=lambda writes: writes == 5)
    connection = Connection(wire, OFFERS, Timeouts(command=5, block=0.03, final=5))
    (result,) = await connection.send(mails(1, LARGE))
    assert result.untried
    assert "0.03 s" in connection.fault
    await connection.close()


async def test_nothing_leaves_behind_a_fault() -> None:
    """When a server refuses a message in the middle, the rest of it is not written, although the
    server would take it for commands."""
    wire = MemoryTransport(ScriptedServer(), full=lambda writes: writes == 5)
    connection = Connection(wire, OFFERS)
    sending = asyncio.create_task(connection.send(mails(2, LARGE)))
    await turns(20)
    assert len(wire.writes) == 5
    connection.data_received(b"552 5.3.4 Enough\r\n")
    connection.resume_writing()
    first, second = await sending
    assert [reply and reply.code for reply in first.recipients] == [552]
    assert second.untried
    assert len(wire.writes) == 5
    await connection.close()


async def test_cancelling_a_window_closes_the_connection() -> None:
    """Whoever gives up on a window leaves no half of it behind for the next."""
    wire = MemoryTransport(ScriptedServer([OK, OK, OK, SILENCE]))
    connection = Connection(wire, OFFERS)
    sending = asyncio.create_task(connection.send(mails(1)))
    await turns(20)
    assert wire.server.heard[-1] == "."
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert wire.aborted
    assert (await connection.send(mails(1)))[0].untried
    await connection.close()


async def test_closing_in_mid_window() -> None:
    """Closing ends a window where it stands: what had its dot is in doubt, the rest untried; and
    a server that does not answer QUIT is not waited for."""
    wire = MemoryTransport(ScriptedServer([OK, OK, OK, SILENCE]))
    connection = Connection(wire, OFFERS)
    sending = asyncio.create_task(connection.send(mails(2)))
    await turns(20)
    assert wire.server.heard[-1] == "."
    await connection.close()
    first, second = await sending
    assert first.lost
    assert second.untried
    assert "QUIT" not in wire.server.heard

    quiet = Connection(MemoryTransport(ScriptedServer([SILENCE])), OFFERS, Timeouts(quit=0.01))
    await quiet.close()
    await quiet.close()


async def test_a_window_is_one_at_a_time() -> None:
    """Two windows at once on one connection are a mistake of the caller."""
    connection = Connection(MemoryTransport(ScriptedServer([SILENCE])), OFFERS)
    sending = asyncio.create_task(connection.send(mails(1)))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one window at a time"):
        await connection.send(mails(1))
    await connection.close()
    assert (await sending)[0].untried


async def test_a_connection_that_ended_says_why() -> None:
    """`fault` holds the reason in words, for logs and status."""
    wire = MemoryTransport(ScriptedServer([CUT]))
    connection = Connection(wire, OFFERS)
    (result,) = await connection.send(mails(1))
    assert result.untried
    assert connection.fault == "the server hung up"
    await connection.close()
