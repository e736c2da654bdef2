"""Mail that comes by a socket gets a Received field (RFC 5321 section 4.4), so that loops end."""

from __future__ import annotations

import re
from pathlib import Path

from postroad.mail.arrived import arrived
from schemas.road import MailStopped
from services.router.rules.max_hops import LIMIT
from tests.e2e.ingesting import taken_as
from tests.e2e.sockets import Socket, listening, source
from tests.e2e.system import ROAD, mail, smtp_relay, until
from tests.peers.process import free_port
from tests.peers.sink import Record, Sink

TEXT = mail(1)


async def _stopped(socket: Socket) -> list[MailStopped]:
    return [
        event
        async for stored in socket.road.broker.scan("ROUTED", "mail.routed.>")
        for event in stored.envelope().events
        if isinstance(event, MailStopped)
    ]


async def test_it_says_who_brought_it_and_when(tmp_path: Path) -> None:
    """One field above all others: what the client called itself, its address where it is another
    server's, us, the protocol, the id of the mail, the time; and everything below is as it came.
    The spans of the mail begin with the client's DATA."""
    for kind, client in (("smtp", b"client.example ([127.0.0.1])"), ("lmtp", b"client.example")):
        home = tmp_path / kind
        home.mkdir()
        async with listening(home, kind) as socket, socket.client() as speaker:
            assert (await speaker.send(TEXT)).startswith("250 ")
            (event,) = await socket.received()
            line, below = await socket.trace(event)
            assert below == TEXT
            assert event.facts.received == 1  # ours is no server that it came through
            protocol = b"LMTP" if kind == "lmtp" else b"ESMTP"
            expected = rb"Received: from %b\r\n\tby example.org with %b id %b;\r\n\t.* \+0000\r\n"
            told = (re.escape(client), protocol, event.mail_id.encode())
            assert re.fullmatch(expected % told, line)
            assert event.origin.arrived is not None
            assert arrived(line) == event.origin.arrived.replace(microsecond=0)
            assert (await taken_as(socket.road, event.mail_id))["postroad.source_kind"] == kind


async def test_a_second_try_has_the_trace_of_the_first(tmp_path: Path) -> None:
    """Ingest dies between the bytes and the fact of the mail; the client, which now calls itself
    something else, brings it again: it is taken, and it is one mail."""
    async with listening(tmp_path) as socket:
        await socket.road.stop("ingest")
        await socket.road.run("ingest", crashpoint="ingest.after_raw:1")
        await socket.road.ready(("ingest",))
        for name, answer in (("first", ""), ("second", "250 2.0.0 taken")):
            async with socket.stranger() as client:
                await client.reply()
                await client.ask(f"LHLO {name}.example")
                assert await client.send(TEXT) == answer
            if not answer:
                await socket.road.died("ingest")
                await socket.road.run("ingest")
                await socket.road.ready(("ingest",))
        (event,) = await socket.received()
        line, _ = await socket.trace(event)
        assert line.startswith(b"Received: from first.example\r\n")


async def test_the_same_mail_by_two_doors_is_posted_once(tmp_path: Path) -> None:
    """A field of ours does not make another mail of it."""
    other = free_port()
    more = source("lmtp", other, verdict='"later"').replace('"door"', '"back"')
    async with (
        Sink.start() as sink,
        listening(tmp_path, more=more + smtp_relay(sink.port), services=ROAD, lists=()) as socket,
    ):
        await socket.road.make_list("team@example.org", ["bert@example.com"])
        for port in (socket.port, other):
            door = Socket(socket.road, port, socket.hello)
            async with door.client() as client:
                assert (await client.send(TEXT)).startswith("250 ")
        await socket.road.settled(2)
        (event,) = await _stopped(socket)
        assert (event.verdict, event.hits[0].rule) == ("discarded", "duplicate")
        assert len(await sink.wait_for(1)) == 1


async def test_a_loop_through_what_changes_everything_ends(tmp_path: Path) -> None:
    """A member's program sends each copy back to the list as a new mail with new words, and keeps
    nothing of it but Received: the hop beyond 30 is held."""
    async with (
        Sink.start(keep=True) as sink,
        listening(tmp_path, "smtp", more=smtp_relay(sink.port), services=ROAD, lists=()) as socket,
    ):
        await socket.road.make_list("team@example.org", ["bert@example.com"])
        async with socket.client() as client:
            data = b""
            for turn in range(LIMIT + 2):
                head = b"From: robot-%d@example.net\r\nMessage-ID: <%d@x>\r\n" % (turn, turn)
                head += b"To: team@example.org\r\nSubject: turn %d\r\n\r\nTurn %d.\r\n" % (
                    turn,
                    turn,
                )
                sender = f"robot-{turn}@example.net"
                reply = await client.send(data + head, sender=sender)
                assert reply.startswith("250 "), reply
                if turn <= LIMIT:
                    data = _traces((await sink.wait_for(turn + 1))[turn])
        await until(lambda: _is_held(socket), "the mail is held")
        (event,) = await _stopped(socket)
        assert (event.verdict, event.hits[0].rule) == ("held", "max-hops")
        received = await socket.received()
        assert max(each.facts.received for each in received) == LIMIT + 1


def _traces(record: Record) -> bytes:
    """The Received fields of a copy."""
    copy = Path(record.file).read_bytes()
    return b"".join(re.findall(rb"(?im)^received:.*\r\n(?:[ \t].*\r\n)*", copy))


async def _is_held(socket: Socket) -> bool:
    return bool(await _stopped(socket))
