"""The wire: whatever way frames are cut in pieces, each arrives once, whole, and in order."""

from __future__ import annotations

import asyncio
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from postroad.runtime.following import _Follower
from postroad.runtime.stored import Stored
from postroad.runtime.wire import Wire, fields


class Client:
    """What nats-py's parser calls."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    async def _process_msg(self, sid: int, *said: bytes) -> None:
        self.heard.append((sid, *said))

    async def _process_ping(self) -> None:
        self.heard.append(("ping",))

    async def _process_pong(self) -> None:
        self.heard.append(("pong",))


def frame(sid: int, reply: bytes, head: bytes, data: bytes) -> bytes:
    """A message as a server sends it."""
    where = b" ".join(filter(None, (b"membership.a.b", str(sid).encode(), reply)))
    if head:
        return b"HMSG %s %d %d\r\n%s\r\n" % (where, len(head), len(head) + len(data), head + data)
    return b"MSG %s %d\r\n%s\r\n" % (where, len(data), data)


messages = st.tuples(
    st.sampled_from([1, 2]),
    st.sampled_from([b"", b"$JS.ACK.x"]),
    st.sampled_from([b"", b"NATS/1.0\r\nA: b\r\n\r\n"]),
    st.binary(max_size=40) | st.just(b"MSG a 1 3\r\nabc\r\n"),
)
frames = st.lists(messages | st.sampled_from([b"PING\r\n", b"PONG\r\n"]), max_size=12)


stored = st.builds(
    lambda sid, consumer, head, data, seq: frame(
        sid, b"$JS.ACK.MEMBERSHIP.%s.1.%d.1.17.5" % (consumer, seq), head, data
    ),
    st.just(1),
    st.sampled_from([b"mine", b"another"]),
    st.sampled_from([b"", b"NATS/1.0\r\nA: b\r\n\r\n"]),
    st.binary(max_size=40),
    st.integers(1, 10**9),
)
others = st.sampled_from(
    [b"PING\r\n", frame(2, b"", b"", b"x"), frame(1, b"", b"NATS/1.0 100 Idle\r\n\r\n", b"")]
)


@given(said=frames, cuts=st.lists(st.integers(1, 30), max_size=200))
def test_every_message_arrives_whole_and_in_order(said: list[Any], cuts: list[int]) -> None:
    """Those of a tapped subscription at the tap, all others and what else a server says at
    nats-py's parser, together in the order they were sent."""
    client = Client()
    wire = Wire(client)  # type: ignore[arg-type]
    wire.taps[b"1"] = lambda subject, reply, head, data: client.heard.append(
        (1, subject, reply, data, head or None)
    )
    sent = b"".join(one if isinstance(one, bytes) else frame(*one) for one in said)

    async def receive() -> None:
        at = 0
        for size in [*cuts, len(sent)]:
            await wire.parse(sent[at : at + size])
            at += size

    asyncio.run(receive())
    assert client.heard == [
        (one.strip().decode().lower(),)
        if isinstance(one, bytes)
        else (one[0], b"membership.a.b", one[1], one[3], one[2] or None)
        for one in said
    ]


@given(said=st.lists(stored | others, max_size=12), cuts=st.lists(st.integers(1, 300), max_size=20))
def test_a_follower_takes_many_as_it_takes_one(said: list[bytes], cuts: list[int]) -> None:
    """Messages of its consumer that lie there together become what each becomes by itself, whatever
    else a server says between them."""

    def heard(pieces: list[bytes], *, many: bool) -> list[Stored]:
        follower = _Follower(None, "MEMBERSHIP", "mine", limit=100)  # type: ignore[arg-type]
        follower.own, follower._sid = b"mine", b"1"
        wire = Wire(Client())  # type: ignore[arg-type]
        wire.taps[b"1"] = follower._take
        if many:
            wire.runs[b"1"] = follower._take_run

        async def receive() -> None:
            for piece in pieces:
                await wire.parse(piece)

        asyncio.run(receive())
        return follower.queued()

    sent = b"".join(said)
    ends = [0, *accumulate(cuts), len(sent)]
    alone = heard(said, many=False)
    assert heard([sent[at:end] for at, end in pairwise(ends)], many=True) == alone
    assert len(alone) == sum(b".mine." in one for one in said)


def test_a_new_connection_begins_anew() -> None:
    """What an old connection left unfinished is no part of what the next one says."""
    client = Client()
    wire = Wire(client)  # type: ignore[arg-type]
    asyncio.run(wire.parse(frame(2, b"", b"", b"lost")[:-4]))
    wire.reset()
    asyncio.run(wire.parse(frame(2, b"", b"", b"heard")))
    assert [one[3] for one in client.heard] == [b"heard"]


def test_what_has_no_size_is_no_frame() -> None:
    """A server that speaks otherwise is hung up on, as nats-py does."""
    with pytest.raises(ProtocolError):
        asyncio.run(Wire(Client()).parse(b"MSG a 1 b\r\nabc\r\n"))  # type: ignore[arg-type]


def test_headers_and_what_a_server_says_of_a_request() -> None:
    """Fields are read by name, and the status where there is one."""
    assert fields(b"") == fields(b"NATS/1.0\r\n\r\n") == {}
    assert fields(b"NATS/1.0\r\nA: b:c\r\nD:\xff\r\n\r\n") == {"A": "b:c", "D": "\ufffd"}
    assert fields(b"NATS/1.0 503\r\n\r\n") == {"Status": "503"}
    head = b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 7\r\n\r\n"
    assert fields(head) == {"Status": "408", "Nats-Pending-Messages": "7"}


def test_a_tap_that_fails_costs_its_message_alone() -> None:
    """The next message of the connection is heard."""
    client = Client()
    wire = Wire(client)  # type: ignore[arg-type]
    wire.taps[b"1"] = lambda *said: client.heard.remove(said)
    asyncio.run(wire.parse(frame(1, b"", b"", b"bad") + frame(2, b"", b"", b"good")))
    assert [one[3] for one in client.heard] == [b"good"]
