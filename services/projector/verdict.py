"""What is told of two files of the same tables, and of the streams they are made of (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from schemas.subjects import STREAMS

Place = tuple[str, str]  # a list ("" where a table has none) and a day
Sum = tuple[int, int]  # rows, and the sum of their digests
KEPT = {"ROUTED", "DELIVERY", "MEMBERSHIP", "LISTS"}  # streams that lose nothing but by age
HOUR_NS = 3600 * 10**9
FAR = 1000  # messages behind: fewer come at any time
_AGELESS = {each.name for each in STREAMS if not each.max_age}
_MODULUS = 2**64
Word = Literal["same", "different", "not compared"]


class Difference(msgspec.Struct, kw_only=True):
    """Where two files are not the same: rows that the one in use lacks (`missing`), has and should
    not (`extra`), or has otherwise (`changed`); with some of their messages, by sequence."""

    table: str
    list: str
    day: str
    missing: int = 0
    extra: int = 0
    changed: int = 0
    messages: int = 0
    some: Sequence[tuple[int, str]] = ()


class Compared(msgspec.Struct, kw_only=True):
    """A table: its rows folded anew and in the file in use, of messages that the stream has; their
    sums in hexadecimal. `alone` are rows that only the file in use can have, between the others."""

    table: str
    projection: str
    stream: str
    verdict: Word
    rows: int = 0
    sum: str = ""
    live_rows: int = 0
    live_sum: str = ""
    alone: int = 0


class Seen(msgspec.Struct, kw_only=True):
    """A stream: what it says of itself, and what of it was compared. `cut` messages rest on some
    that it has no more, so that their rows are not compared; `unknown` are of a newer release,
    `garbage` of none; `behind` are not folded yet."""

    stream: str
    first: int
    last: int
    messages: int
    deleted: int
    checkpoint: int
    ages: bool = False  # messages go when they have their age
    folded: int = 0
    cut: int = 0
    unknown: int = 0
    garbage: int = 0
    behind: int = 0

    @property
    def begins(self) -> bool:
        """Whether the file in use holds nothing of it yet, or but the beginning. Of spans there are
        always new ones, those of whoever asks as well."""
        if self.stream == "SPANS":
            return False
        much = self.behind >= FAR and self.behind > self.folded
        return much or (self.behind > 0 and self.checkpoint == 0)


class Hole(msgspec.Struct, kw_only=True):
    """Sequences that a stream has lost, though nothing deletes there; `rows` of them are in the
    file in use."""

    stream: str
    first: int
    last: int
    rows: int = 0


class Regression(msgspec.Struct, kw_only=True):
    """What a stream or the ledger says that cannot be, or should not: at a sequence."""

    stream: str
    seq: int
    kind: Literal["sequence", "time", "window", "count"]
    detail: str


class Verdict(msgspec.Struct, kw_only=True):
    """All of it. `failed` events could not be folded anew, which is a fault of ours."""

    verdict: Word = "same"
    events: int = 0
    seconds: float = 0.0
    failed: int = 0
    tables: list[Compared] = []
    differences: list[Difference] = []
    streams: list[Seen] = []
    holes: list[Hole] = []
    regressions: list[Regression] = []

    def settle(self) -> None:
        """Say what comes of it. A clock that was set back is told, and changes nothing."""
        begun = {each.stream for each in self.streams if each.begins}
        for table in self.tables:
            if table.stream in begun and table.verdict == "same":
                table.verdict = "not compared"
        wrong = [each for each in self.regressions if each.kind != "time"]
        if self.differences or self.holes or wrong:
            self.verdict = "different"
        elif any(each.verdict == "not compared" for each in self.tables):
            self.verdict = "not compared"


def added(sums: Iterable[Sum]) -> Sum:
    """The sum of sums."""
    rows = total = 0
    for each, digest in sums:
        rows, total = rows + each, (total + digest) % _MODULUS
    return rows, total


def told(sum_: Sum) -> str:
    """The sum of digests as people compare it."""
    return f"{sum_[1]:016x}"


def apart(anew: Mapping[Place, Sum], live: Mapping[Place, Sum]) -> list[Place]:
    """Where two files differ, in order."""
    return sorted(
        place for place in anew.keys() | live.keys() if anew.get(place) != live.get(place)
    )


def count(
    found: Difference, anew: Mapping[int, Counter[str]], live: Mapping[int, Counter[str]]
) -> None:
    """Count rows that differ, by their digests: of each message by sequence."""
    for seq in sorted(anew.keys() | live.keys()):
        lacks = (anew.get(seq, Counter()) - live.get(seq, Counter())).total()
        has = (live.get(seq, Counter()) - anew.get(seq, Counter())).total()
        changed = min(lacks, has)
        found.changed += changed
        found.missing += lacks - changed
        found.extra += has - changed
        what = (("changed", changed), ("missing", lacks > has), ("extra", has > lacks))
        found.some = [*found.some, *((seq, word) for word, there in what if there)]


def holes(seen: Seen, kept: Sequence[tuple[int, int]], upto: int) -> list[Hole]:
    """What a stream lacks up to a sequence, of which nothing was deleted but by age; `kept` are the
    ranges that it has."""
    if seen.stream not in KEPT:
        return []
    at = 1 if seen.stream in _AGELESS and not seen.ages else max(1, seen.first)
    found = []
    for first, last in kept:
        if first > at and at <= upto:
            found.append(Hole(stream=seen.stream, first=at, last=min(first - 1, upto)))
        at = last + 1
    if at <= upto:
        found.append(Hole(stream=seen.stream, first=at, last=upto))
    return found
