"""What the name of a chunk tells of whom it holds. Pure.

`0`, `1`, ... are the chunks of a fan-out, `x` that of `also_to`, `m<n>` those of people whom a
replay found to be without a copy. `r<n>` behind a name tries for the n-th time whom it deferred;
`s<n>` is a part of it, of all its people or of those it deferred for their domain. `f<round>-<n>`
tries once more who had finally failed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

Before = Literal["", "deferred", "failed"]
_PART = re.compile(r"s\d+\Z")
_RETRY = re.compile(r"r(\d+)\Z")
_ROUND = re.compile(r"f(\d+)-\d+\Z")
_ROUND_OF = re.compile(r"f(\d+)-")
_ATTEMPT = re.compile(r".*r(\d+)")


class Name(msgspec.Struct, frozen=True, gc=False):
    """A chunk by its name. `attempt` counts tries from 0, `round` how often failed copies were
    queued once more. `before` is the outcome that everybody in it had when it was queued, "" for
    none; where it is a part, only if all of `parents` were split unsent: else it is "deferred".
    """

    attempt: int
    round: int
    before: Before
    parents: tuple[str, ...]  # the nearest first


@lru_cache(maxsize=4096)
def name(chunk: str) -> Name:
    """Read a name."""
    parents = []
    stem = chunk
    while (part := _PART.search(stem)) is not None:
        stem = stem[: part.start()]
        parents.append(stem)
    before: Before = ""
    if _RETRY.search(stem):
        before = "deferred"
    elif _ROUND.match(stem):
        before = "failed"
    attempt = _ATTEMPT.match(chunk)
    round_ = _ROUND_OF.match(chunk)
    return Name(
        int(attempt[1]) if attempt else 0, int(round_[1]) if round_ else 0, before, tuple(parents)
    )
