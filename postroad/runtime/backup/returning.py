"""One stream from pieces back into a broker, with its sequences and times, and the proof of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from nats.errors import Error as NatsError

from postroad.runtime.backup import order
from postroad.runtime.backup.framing import closing, frames, opening
from postroad.runtime.backup.reading import read
from postroad.runtime.backup.records import MODULUS, Record, digest, encoded
from postroad.runtime.backup.segments import unpacked
from postroad.runtime.errors import PostroadError

if TYPE_CHECKING:
    from postroad.runtime.backup.framing import Reader
    from postroad.runtime.backup.manifest import StreamCopy
    from postroad.runtime.backup.vault import Vault
    from postroad.runtime.broker import Broker

CHUNK = 256 << 10  # octets of one message to the broker, below its max_payload
AHEAD = 8  # chunks that are not acknowledged yet
SECONDS = 60.0  # for one of them
FINISH_SECONDS = 600.0  # for the broker to have all on disk
Tell = Callable[[int], None]


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as it is now. `left_out` counts marks of work that is done anew."""

    name: str
    messages: int
    last: int
    sum: str
    left_out: int = 0


class _Sent:
    """What was sent of a stream, counted as it goes by."""

    def __init__(self, vault: Vault, copy: StreamCopy, marks: int, tell: Tell) -> None:
        self.vault = vault
        self.copy = copy
        self.marks = marks
        self.tell = tell
        self.sum = self.count = self.left_out = 0
        # the broker would give the sequences of what was deleted at the end to new messages
        self.gap = copy.first <= copy.last != (copy.pieces[-1].last if copy.pieces else 0)

    def octets(self, readers: Collection[Reader]) -> Iterator[bytes]:
        copy = self.copy
        yield opening(max(copy.first, 1), copy.last, copy.octets, copy.messages, readers)
        for piece in copy.pieces:
            kept = []
            found = 0
            for record, entry in unpacked(self.vault, piece):
                one = digest(entry)
                found += one
                if self._mark(record.subject, record.seq):
                    self.left_out += 1
                    continue
                kept.append(entry)
                self.sum += one
            if f"{found % MODULUS:064x}" != piece.sum:
                raise PostroadError(f"piece {piece.name} has another sum than was recorded")
            self.count += len(kept)
            yield b"".join(kept)
            self.tell(piece.count)
        if self.gap:
            subject = copy.config["subjects"][0].replace(">", "restored").encode()
            yield encoded(Record(subject, copy.last, 1, b"", b""))
        yield closing()

    def _mark(self, subject: bytes, seq: int) -> bool:
        return (
            self.copy.name == order.MARKED
            and seq > self.marks
            and subject.startswith(order.DONE.encode())
        )


async def bring_back(
    broker: Broker,
    vault: Vault,
    copy: StreamCopy,
    *,
    marks: int,
    replicas: int,
    tell: Tell,
) -> Returned:
    """Store a stream anew. Its age is set behind the proof, for the broker would drop at once what
    has grown too old. Raises PostroadError where what the broker has then is not what was sent."""
    config = {**copy.config, "num_replicas": replicas, "max_age": 0}
    if replicas > 1:
        config.pop("persist_mode", None)
    readers = [msgspec.structs.replace(each, config=_reader(each.config)) for each in copy.readers]
    sent = _Sent(vault, copy, marks, tell)
    ask = {"config": config, "state": {"first_seq": copy.first, "last_seq": copy.last}}
    answer = await broker.api(f"STREAM.RESTORE.{copy.name}", ask)
    await _stream(broker, copy.name, answer["deliver_subject"], sent.octets(readers))
    if sent.gap:
        await broker.erase(copy.name, copy.last)
    found = await summed(broker, copy.name, copy.last)
    if found != (sent.count, sent.sum % MODULUS):
        raise PostroadError(
            f"stream {copy.name} is not what was stored: {found[0]:,} messages of {sent.count:,}"
        )
    if copy.config.get("max_age"):
        await broker.api(
            f"STREAM.UPDATE.{copy.name}", {**config, "max_age": copy.config["max_age"]}
        )
    return Returned(
        name=copy.name,
        messages=sent.count,
        last=copy.last,
        sum=f"{found[1]:064x}",
        left_out=sent.left_out,
    )


async def summed(
    broker: Broker, stream: str, last: int, tell: Tell | None = None
) -> tuple[int, int]:
    """How many messages a stream has up to `last`, and their sum. Raises BrokerUnavailable."""
    count = total = 0
    async for page in read(broker, stream, 1, last):
        count += len(page)
        total += sum(digest(encoded(record)) for record in page)
        if tell is not None:
            tell(len(page))
    return count, total % MODULUS


def _reader(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "num_replicas"}


async def _stream(broker: Broker, name: str, subject: str, octets: Iterator[bytes]) -> None:
    """Send the frames, some ahead of their acknowledgements."""
    waiting: deque[asyncio.Task[bytes]] = deque()
    try:
        async for chunk in _chunks(frames(octets)):
            if len(waiting) == AHEAD:
                _refused(name, await waiting.popleft())
            waiting.append(asyncio.create_task(_ask(broker, subject, chunk, SECONDS)))
            await asyncio.sleep(0)
        while waiting:
            _refused(name, await waiting.popleft())
        _refused(name, await _ask(broker, subject, b"", FINISH_SECONDS))
    except (NatsError, OSError, TimeoutError) as error:
        raise PostroadError(
            f"stream {name} could not be restored: the broker does not answer"
        ) from error
    finally:
        for task in waiting:
            task.cancel()


async def _chunks(framed: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same octets, as a message takes them."""
    while True:
        piece = await asyncio.to_thread(next, framed, None)
        if piece is None:
            return
        for start in range(0, len(piece), CHUNK):
            yield piece[start : start + CHUNK]


async def _ask(broker: Broker, subject: str, chunk: bytes, seconds: float) -> bytes:
    return (await broker.inbox.ask(subject, chunk, None, seconds)).data


def _refused(name: str, answer: bytes) -> None:
    error = msgspec.json.decode(answer).get("error") if answer else None
    if error:
        raise PostroadError(
            f"stream {name} could not be restored: {error.get('description', error)}"
        )
