"""A broker that reads what is stored, and stores nothing: what is written stays in memory.

Questions about Message-IDs that are asked at once go out together: one at a time they would be
most of the work.
"""

# ruff: noqa: ARG002  a broker takes arguments that are of no use here
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from postroad.runtime.broker import Broker, Message
from postroad.runtime.errors import Conflict, Reject
from postroad.runtime.stored import Stored
from schemas import subjects

_OURS = 1 << 60  # sequences of what is only in memory
_READS = "STREAM.MSG.GET."
_TOGETHER = 400  # subjects in one question


class Reader(Broker):
    """Reads by `real`. Whatever could change something there raises Reject."""

    def __init__(self, real: Broker) -> None:
        self._real = real
        self._kept: dict[str, Stored] = {}
        self._wanted: dict[str, dict[str, asyncio.Future[Stored | None]]] = {}
        self._count = 0

    def forget(self, mail_id: str) -> None:
        """Drop the bodies that were made of a mail."""
        for name in [name for name in self._kept if name.startswith(f"raw.{mail_id}.")]:
            del self._kept[name]

    async def last(self, stream: str, subject: str) -> Stored | None:
        """The last message of a subject, be it in memory."""
        if subject in self._kept:
            return self._kept[subject]
        if stream in ("LISTS", "SEEN"):  # folded already; and begun anew
            return None
        if stream == "THREADS":
            return (await self.last_many(stream, [subject])).get(subject)
        return await self._real.last(stream, subject)

    async def last_many(self, stream: str, names: Iterable[str]) -> dict[str, Stored]:
        """The last message of each of these subjects."""
        names = list(names)
        found = {name: self._kept[name] for name in names if name in self._kept}
        asked = [self._question(stream, name) for name in names if name not in found]
        for stored in await asyncio.gather(*asked):
            if stored is not None:
                found[stored.subject] = stored
        return found

    async def get(self, stream: str, seq: int) -> Stored | None:
        """The message with this sequence."""
        return await self._real.get(stream, seq)

    async def next(self, stream: str, subject_filter: str, start_seq: int) -> Stored | None:
        """The first message of a filter from a sequence on."""
        return await self._real.next(stream, subject_filter, start_seq)

    async def scan(
        self, stream: str, subject_filter: str, start_seq: int = 1, *, start_time: str = ""
    ) -> AsyncIterator[Stored]:
        """Every message of a filter; of a body that was made, its chunks."""
        start = subject_filter.removesuffix("*")
        made = [each for name, each in self._kept.items() if name.startswith(start)]
        for each in made:
            yield each
        if not made:
            async for stored in self._real.scan(
                stream, subject_filter, start_seq, start_time=start_time
            ):
                yield stored

    async def publish(
        self,
        subject: str,
        data: bytes,
        *,
        expect: int | None = None,
        expect_filter: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 0.0,
    ) -> int:
        """Remember a message. Raises Conflict as the broker would."""
        stream = subjects.stream_of(subject)
        if stream not in ("RAW", "THREADS"):
            raise Reject(f"a rehearsal stores nothing in {stream}")
        if expect is not None and stream == "THREADS":
            stored = await self.last(stream, subject)
            there = self._kept.get(subject, stored)  # others claim while that is asked
            if (there.seq if there else 0) != expect:
                raise Conflict(subject)
        self._count += 1
        self._kept[subject] = Stored(subject, _OURS + self._count, data)
        return _OURS + self._count

    async def publish_batch(self, messages: Sequence[Message]) -> int:
        """Remember messages."""
        seqs = [await self.publish(each.subject, each.data) for each in messages]
        return seqs[-1]

    async def request(self, subject: str, data: bytes, timeout: float = 0.0) -> bytes:
        """Nobody is asked for anything."""
        raise Reject(f"a rehearsal asks nothing of {subject}")

    async def api(self, subject: str, body: object = None) -> Any:
        """A JetStream call that reads."""
        if not subject.startswith(_READS):
            raise Reject(f"a rehearsal does no {subject}")
        return await self._real.api(subject, body)

    async def erase(self, stream: str, seq: int) -> None:
        """Nothing is erased."""
        raise Reject(f"a rehearsal erases nothing in {stream}")

    async def purge(self, stream: str, subject_filter: str, upto: int) -> int:
        """Nothing is deleted."""
        raise Reject(f"a rehearsal deletes nothing in {stream}")

    async def tell(self, subject: str, data: bytes) -> None:
        """Nobody is told."""

    def _question(self, stream: str, name: str) -> asyncio.Future[Stored | None]:
        wanted = self._wanted.setdefault(stream, {})
        if not wanted:
            task = asyncio.get_running_loop().create_task(self._answer(stream))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        future = wanted.get(name)
        if future is None:
            future = wanted[name] = asyncio.get_running_loop().create_future()
        return future

    async def _answer(self, stream: str) -> None:
        """Ask for all that is wanted by now."""
        await asyncio.sleep(0)  # whoever is about to ask, too
        wanted, self._wanted[stream] = self._wanted[stream], {}
        names = list(wanted)
        try:
            for start in range(0, len(names), _TOGETHER):
                some = names[start : start + _TOGETHER]
                found = await self._real.last_many(stream, some)
                for name in some:
                    if not wanted[name].done():
                        wanted[name].set_result(found.get(name))
        except Exception as error:  # noqa: BLE001  whoever asked has it
            for future in wanted.values():
                if not future.done():
                    future.set_exception(error)
