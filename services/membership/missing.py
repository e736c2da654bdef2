"""Who has a copy of a post, or one on its way: from its chunks, or its ledger. Pure.

Chunks for those who were missed are named `m<n>`; no other chunk begins so, and what is made of
them (`m0r1`) keeps it in front.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from schemas.road import ChunkQueued, WindowRecorded
from services.membership.restoring import Period

_OWN = re.compile(r"m(\d+)")
_FIRST = re.compile(r"\d+|x")  # chunks of the fan-out: of members, and of others (`also_to`)


class Had:
    """Everybody in the chunks of one post, whose fan-out had an audience of so many. `numbers` is
    the first number that no recipient has, `rounds` that of the next chunk."""

    def __init__(self, audience: int) -> None:
        self.people: set[str] = set()
        self.numbers = audience
        self.rounds = 0
        self._audience = audience
        self._seen: set[tuple[str, int]] = set()  # of the fan-out: chunk, index

    @property
    def whole(self) -> bool:
        """Whether everybody is known who was in the fan-out."""
        return len(self._seen) >= self._audience

    def queued(self, chunk: ChunkQueued) -> None:
        """Take in a chunk."""
        self._take(chunk.chunk, 0, chunk.people)
        if not chunk.numbers:
            self.numbers = max(self.numbers, chunk.first + len(chunk.people))

    def sent(self, entry: WindowRecorded) -> None:
        """Take in an entry of the ledger."""
        if entry.intent is not None:
            self._take(entry.chunk, entry.intent.start, entry.intent.people)
        if entry.people and entry.outcome is not None:
            self._take(entry.chunk, entry.outcome.start, entry.people)

    def _take(self, chunk: str, start: int, people: tuple[str, ...]) -> None:
        self.people.update(people)
        if own := _OWN.match(chunk):
            self.rounds = max(self.rounds, int(own[1]) + 1)
            # its numbers are behind those of the fan-out, whether or not its chunk is stored
            self.numbers = max(self.numbers, self._audience + len(self.people))
        if _FIRST.fullmatch(chunk):
            self._seen.update((chunk, start + index) for index in range(len(people)))


def stayed(periods: Sequence[Period], as_of: int) -> bool:
    """Whether somebody has received posts without a break since `as_of`: who left in between, or
    wanted no mail for a while, misses nothing that they were to have."""
    since = [(standing, end) for standing, end in periods if end is None or end > as_of]
    ends = [standing.from_seq for standing, _ in since[1:]]
    unbroken = [end for _, end in since] == [*ends, None]
    begun = bool(since) and since[0][0].from_seq <= as_of
    return begun and unbroken and all(standing.receives for standing, _ in since)
