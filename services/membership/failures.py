"""Who finally got no copy of a post: from its ledger, and into chunks again. Pure.

A person's last outcome counts. Chunks that try the failed once more are named `f<round>-<n>`, a
round for each time that somebody asked for it: no other chunk begins so, and the chunks made of
them (`f1-0r1`) keep it in front. Who stands in a later round than the one that failed is waiting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count

import msgspec

from postroad.mail.refusals import why
from schemas.road import ChunkQueued, Copy, Failure, WindowRecorded
from services.membership.fanout import chunk_size

_ROUND = re.compile(r"f(\d+)-")


class Failed(msgspec.Struct, frozen=True, gc=False):
    """One person's final failure: in which chunk, and the sequence of the entry that says so."""

    person: str
    chunk: str
    seq: int
    failure: Failure

    @property
    def why(self) -> str:
        """In plain words."""
        told = why(self.failure.code, self.failure.enhanced)
        return f"given up after many tries: {told}" if 400 <= self.failure.code < 500 else told


class Ledger:
    """The ledger of one post on one list, folded to who has finally failed, by person."""

    def __init__(self) -> None:
        self.failed: dict[str, Failed] = {}
        self._intents: dict[str, tuple[int, Sequence[str]]] = {}

    def take(self, seq: int, entry: WindowRecorded) -> None:
        """Take in one entry, in order. Persons are named in the intent of their window, or with
        its outcome; a notice has none."""
        if entry.outcome is not None:
            start = entry.outcome.start
            begin, people = self._intents.pop(entry.chunk, (start, entry.people))
            failures = {failure.index: failure for failure in entry.outcome.failures}
            done = people[start - begin : entry.outcome.end - begin]
            for index, person in enumerate(done, start):
                failure = failures.get(index)
                if failure is not None and failure.kind == "failed" and person:
                    self.failed[person] = Failed(person, entry.chunk, seq, failure)
                else:
                    self.failed.pop(person, None)
        if entry.intent is not None:
            self._intents[entry.chunk] = entry.intent.start, entry.intent.people


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where somebody stands in the chunks of a post: latest round, address, number, and how their
    copy looks (whom `also_to` names share one, whatever the members have)."""

    round: int
    person: str
    address: str
    number: int
    copy: Copy

    @property
    def domain(self) -> str:
        """The domain of the address, lower case."""
        return self.address.rpartition("@")[2].lower()


class Again:
    """The failed of one post, looked for in all its chunks: who can be tried again, and how."""

    def __init__(self, failed: Mapping[str, Failed]) -> None:
        self._failed = failed
        self._places: dict[str, Place] = {}
        self._round = 0

    def take(self, chunk: ChunkQueued) -> None:
        """Take in one chunk."""
        round_ = round_of(chunk.chunk)
        self._round = max(self._round, round_)
        for index, person in enumerate(chunk.people):
            if person not in self._failed:
                continue
            before = self._places.get(person)
            if before is None or before.round < round_:
                number = chunk.numbers[index] if chunk.numbers else chunk.first + index
                self._places[person] = Place(
                    round_, person, chunk.addresses[index], number, chunk.copy
                )

    def waiting(self) -> set[str]:
        """Who is being tried again already."""
        return {
            person
            for person, place in self._places.items()
            if place.round > round_of(self._failed[person].chunk)
        }

    def places(self, domain: str = "") -> list[Place]:
        """Who could be tried again, at this domain (empty: at any), in order of domain."""
        waiting = self.waiting()
        found = (p for p in self._places.values() if p.person not in waiting)
        chosen = (p for p in found if not domain or p.domain == domain.lower())
        return sorted(chosen, key=lambda place: (place.domain, place.person))

    def domains(self) -> tuple[tuple[str, int], ...]:
        """The domains of all who failed, and how many; the most first."""
        found = Counter(place.domain for place in self._places.values())
        return tuple(sorted(found.items(), key=lambda each: (-each[1], each[0])))

    def chunks(self, mail_id: str, places: Sequence[Place]) -> Iterator[ChunkQueued]:
        """The chunks of the next round, of these people."""
        alike: dict[bool, list[Place]] = {}
        for place in places:
            alike.setdefault(place.copy.personal, []).append(place)
        number = count()
        for group in alike.values():
            copy = group[0].copy
            size = chunk_size(copy)
            for start in range(0, len(group), size):
                part = group[start : start + size]
                yield ChunkQueued(
                    mail_id=mail_id,
                    list=copy.list,
                    chunk=f"f{self._round + 1}-{next(number)}",
                    people=tuple(place.person for place in part),
                    addresses=tuple(place.address for place in part),
                    numbers=tuple(place.number for place in part),
                    copy=copy,
                )


def round_of(chunk: str) -> int:
    """How often the failed had been tried again when this chunk was made."""
    found = _ROUND.match(chunk)
    return int(found[1]) if found else 0


def reasons(failed: Iterable[Failed], people: Collection[str]) -> tuple[tuple[str, int], ...]:
    """Why these people failed, and how many for each reason; the commonest first."""
    return tuple(Counter(each.why for each in failed if each.person in people).most_common())
