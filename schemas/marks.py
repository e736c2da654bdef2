"""How old something is, by time that the janitor has itself lived through. Pure.

A clock of the machine may be set, forwards or back; what is counted here is only the time that a
janitor ran, by a clock that nobody sets. Now and then it marks how far each stream had come. What
lies before a mark is at least as old as the mark. Time in which nothing ran does not count, so an
outage lengthens what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

STREAMS = ("RAW", "RECEIVED", "ROUTED", "SEND", "DELIVERY", "DEADLETTER")
MOST_TICK = 3_600.0  # seconds between two marks, at most
LEAST_TICK = 0.2
TICKS = 24  # in the shortest age
FINE = 16  # two marks lie apart by this part of their age at most

Ends = Mapping[str, int]  # by stream: its last sequence
_EPSILON = 1e-6  # seconds


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far each stream had come when so many seconds were lived through."""

    at: float
    ends: dict[str, int]


class Diary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored of it: the seconds `lived`, the marks, the oldest first, and when each stream
    was created, to tell one that was made anew."""

    lived: float = 0.0
    marks: tuple[Mark, ...] = ()
    born: dict[str, str] = {}


def tick(ages: Sequence[float]) -> float:
    """Seconds between two marks, for these ages in seconds."""
    return max(LEAST_TICK, min(MOST_TICK, min(ages) / TICKS))


def older(diary: Diary, passed: float, tick: float) -> Diary:
    """Once so many seconds have passed since it was read or written. A clock that leaps is
    believed for two ticks, and none runs backwards."""
    return msgspec.structs.replace(diary, lived=diary.lived + max(0.0, min(passed, 2 * tick)))


def marked(diary: Diary, ends: Ends, born: Mapping[str, str], *, longest: float) -> Diary:
    """With a mark at these ends, which were read no later than `lived` says. Streams that were made
    anew begin a new diary. Marks that no age up to `longest` seconds needs are left out."""
    if diary.marks and (diary.born != born or _fell(diary.marks[-1].ends, ends)):
        diary = Diary()
    marks = (*diary.marks, Mark(at=diary.lived, ends=dict(ends)))
    return Diary(lived=diary.lived, marks=_thinned(marks, diary.lived, longest), born=dict(born))


def horizon(diary: Diary, age: float) -> Ends | None:
    """Up to where everything has this age in seconds; None where nothing is known to."""
    for mark in reversed(diary.marks):
        if diary.lived - mark.at >= age:
            return mark.ends
    return None


def before(ends: Ends | None, seqs: Mapping[str, int]) -> bool:
    """Whether all of these sequences, by stream, lie within such a horizon."""
    return ends is not None and all(seq <= ends.get(name, 0) for name, seq in seqs.items())


def _fell(last: Ends, ends: Ends) -> bool:
    return any(ends.get(name, 0) < seq for name, seq in last.items())


def _thinned(marks: Sequence[Mark], lived: float, longest: float) -> tuple[Mark, ...]:
    """The first and last, and between them one wherever the next would be too far: so whatever age
    is asked for, the mark that is found is older by a sixteenth, or by two ticks, at most."""
    past = [place for place, mark in enumerate(marks) if lived - mark.at >= longest]
    kept = list(marks[past[-1] :] if past else marks)
    place = 1
    while place < len(kept) - 1:
        gap = kept[place + 1].at - kept[place - 1].at
        if gap <= (lived - kept[place + 1].at) / FINE + _EPSILON:
            del kept[place]
        else:
            place += 1
    return tuple(kept)
