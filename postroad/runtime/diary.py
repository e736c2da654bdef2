"""Where the janitor keeps what it knows of time: one key, which one janitor at a time may write."""

from __future__ import annotations

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.errors import Conflict
from schemas import subjects
from schemas.marks import Diary

STREAM = "KV_CHECKPOINTS"


class Kept:
    """The diary as stored."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._seq = 0
        self.diary = Diary()

    async def load(self) -> Diary:
        """Read it; a new one where there is none, or none that this release reads."""
        stored = await self._broker.last(STREAM, subjects.janitor_marks())
        self._seq = stored.seq if stored else 0
        self.diary = Diary()
        if stored:
            try:
                self.diary = msgspec.json.decode(stored.data, type=Diary)
            except msgspec.MsgspecError:  # nothing is old, then: the safe side
                self.diary = Diary()
        return self.diary

    async def store(self, diary: Diary) -> bool:
        """Write it, unless another janitor wrote since: then time was theirs, and theirs is read
        instead. Whether it was written."""
        data = msgspec.json.encode(diary)
        try:
            self._seq = await self._broker.publish(subjects.janitor_marks(), data, expect=self._seq)
        except Conflict:
            await self.load()
            return False
        self.diary = diary
        return True
