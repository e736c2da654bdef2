"""Group commit: what many tasks store in one stream at once goes in one atomic batch, synced once.

Stored alone, a message costs a sync and 150 us of the broker's CPU; in a batch of 50 it costs 50,
but a batch takes some milliseconds whatever its size. So few messages go alone and at once, and
many go together: nobody waits but for those in front. Each is answered as if it had gone alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from postroad.runtime.apierror import Ack, decode_ack
from postroad.runtime.clock import new_id

if TYPE_CHECKING:
    from postroad.runtime.inbox import Inbox

EXPECT = "Nats-Expected-Last-Subject-Sequence"
EXPECT_FILTER = "Nats-Expected-Last-Subject-Sequence-Subject"
REPLY_SECONDS = 5.0  # for one answer; then ask again with the same id
ALONE = 4  # messages of a stream under way alone; the next wait
TOGETHER = 16  # waiting messages from which a batch pays
MOST = 250  # messages in one such batch


class Sealed(NamedTuple):
    """A message ready to be sent."""

    subject: str
    data: bytes
    head: dict[str, str]

    @staticmethod
    def headers(
        trace: Mapping[str, str], own: Mapping[str, str], expect: int | None, expect_filter: str
    ) -> dict[str, str]:
        """Those of a message, with what it expects of its subject, or of another filter."""
        head = {**trace, **own}
        if expect is not None:
            head[EXPECT] = str(expect)
            if expect_filter:
                head[EXPECT_FILTER] = expect_filter
        return head


async def store(inbox: Inbox, message: Sealed) -> Ack:
    """Store one message. Raises what `Inbox.ask` raises."""
    return decode_ack((await inbox.ask(*message, REPLY_SECONDS)).data)


async def store_all(inbox: Inbox, messages: Sequence[Sealed]) -> Ack:
    """Store messages of one stream, all or none. Raises what `Inbox.ask` raises."""
    batch = new_id()
    for number, (subject, data, head) in enumerate(messages[:-1], 1):
        marks = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
        await inbox.tell(subject, data, head | marks)
    marks = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(messages))}
    subject, data, head = messages[-1]
    # a batch of which a message was lost on the way is refused whole here (10176)
    return await store(inbox, Sealed(subject, data, head | marks | {"Nats-Batch-Commit": "1"}))


class GroupCommit:
    """The way of one connection's messages into one stream."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._waiting: deque[tuple[Sealed, asyncio.Future[Ack]]] = deque()
        self._alone = 0  # messages under way alone
        self._together = False  # whether a batch is
        self._tasks: set[asyncio.Task[None]] = set()

    async def store(self, message: Sealed) -> Ack:
        """Store one message, alone or with others. Raises what `Inbox.ask` raises: then, as ever,
        it may be stored or not."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Ack] = loop.create_future()
        self._waiting.append((message, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._go)  # behind whoever else is about to store something
        return await answer

    def _go(self) -> None:
        """Send all who wait where they are many, else one by one, as far as that may be now."""
        if len(self._waiting) >= TOGETHER and not self._together:
            count = min(len(self._waiting), MOST)
            self._together = True
            self._start(self._send_group([self._waiting.popleft() for _ in range(count)]))
        while self._waiting and self._alone < ALONE and not self._together:
            self._alone += 1
            self._start(self._send(*self._waiting.popleft()))

    def _start(self, sending: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(sending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, message: Sealed, answer: asyncio.Future[Ack]) -> None:
        try:
            ack = await store(self._inbox, message)
        except Exception as error:  # noqa: BLE001  it is told to whoever waits
            _tell(answer, error)
        else:
            _tell(answer, ack)
        finally:
            self._alone -= 1
            self._go()

    async def _send_group(self, group: Sequence[tuple[Sealed, asyncio.Future[Ack]]]) -> None:
        try:
            last = await store_all(self._inbox, [message for message, _ in group])
        except Exception as error:  # noqa: BLE001  it is told to whoever waits
            for _, answer in group:
                _tell(answer, error)
        else:
            if last.error is None:  # a batch lies in one piece
                for seq, (_, answer) in enumerate(group, last.seq + 1 - len(group)):
                    _tell(answer, Ack(seq=seq))
            else:  # for one of them, perhaps; none is stored: each learns its own answer
                self._alone += len(group)
                for message, answer in group:
                    self._start(self._send(message, answer))
        finally:
            self._together = False
            self._go()


def _tell(answer: asyncio.Future[Ack], what: Ack | Exception) -> None:
    if answer.done():  # whoever asked was cancelled
        return
    if isinstance(what, Exception):
        answer.set_exception(what)
    else:
        answer.set_result(what)
