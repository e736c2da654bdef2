"""Chunks made of some of the people of a chunk, each under the number they had (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from schemas.road import ChunkQueued


def split(
    chunk: ChunkQueued, groups: Sequence[Sequence[int]], queued: datetime
) -> list[ChunkQueued]:
    """A chunk for each of these groups of indices: `<chunk>s0`, `<chunk>s1`, ...

    `queued` is when the chunk was queued, for the age of the first attempt.
    """
    return [
        _part(chunk, f"{chunk.chunk}s{number}", group, queued)
        for number, group in enumerate(groups)
    ]


def retry(chunk: ChunkQueued, deferred: Sequence[int], queued: datetime) -> ChunkQueued:
    """The chunk that tries these recipients, by index, again: `<chunk>r<attempt>`.

    `queued` is when this chunk was queued, for the age of the first attempt.
    """
    attempt = chunk.attempt + 1
    stem = re.sub(r"r[0-9]+\Z", "", chunk.chunk)
    part = _part(chunk, f"{stem}r{attempt}", deferred, queued)
    return msgspec.structs.replace(part, attempt=attempt)


def _part(chunk: ChunkQueued, name: str, indices: Sequence[int], queued: datetime) -> ChunkQueued:
    numbers = chunk.numbers or range(chunk.first, chunk.first + len(chunk.people))
    return msgspec.structs.replace(
        chunk,
        chunk=name,
        people=tuple(chunk.people[index] for index in indices),
        addresses=tuple(chunk.addresses[index] for index in indices),
        numbers=tuple(numbers[index] for index in indices),
        last=False,
        since=chunk.since or queued,
    )
