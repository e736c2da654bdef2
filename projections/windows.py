"""The windows in which one person's copies of a post went, by its ledger. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from schemas.road import Failure, Outcome, WindowRecorded

_RETRY = re.compile(r"r\d+\Z")


class Window(msgspec.Struct, frozen=True, gc=False):
    """One window: recipients [`start`, `end`) of a chunk, and what the relay answered, to this
    person (`failure`, None where it took the copy) and in general. `span` is the window's own
    span, as `traceparent`; "" where it is not known."""

    list: str
    chunk: str
    start: int
    end: int
    relay: str
    outcome: Outcome
    failure: Failure | None
    span: str
    at: datetime | None = None

    @property
    def deferred(self) -> bool:
        """Whether it was not the last word."""
        return self.failure is not None and self.failure.kind == "deferred"


class Windows:
    """Those of one person, found entry by entry: of a chunk in the order of its ledger."""

    def __init__(self, person: str) -> None:
        self.person = person
        self.found: list[Window] = []
        self._intents: dict[str, tuple[int, Sequence[str]]] = {}  # of whom, by list and chunk

    def concerns(self, subject: str, data: bytes) -> bool:
        """Whether an entry may be about this person: quicker than reading it."""
        return self.person.encode() in data or subject in self._intents

    def take(self, subject: str, entry: WindowRecorded, span: str, at: datetime | None) -> None:
        """Take in one entry, stored under this subject with the `traceparent` of its window."""
        if (outcome := entry.outcome) is not None:
            begin, people = self._intents.pop(subject, (outcome.start, entry.people))
            for index in range(outcome.start, outcome.end):
                if 0 <= index - begin < len(people) and people[index - begin] == self.person:
                    failure = next((f for f in outcome.failures if f.index == index), None)
                    self.found.append(
                        Window(
                            *(entry.list, entry.chunk, outcome.start, outcome.end, entry.relay),
                            *(outcome, failure, span, at),
                        )
                    )
        if entry.intent is not None and self.person in entry.intent.people:
            self._intents[subject] = entry.intent.start, entry.intent.people


def next_try(chunk: str, attempt: int) -> str:
    """The chunk in which those whom a chunk deferred are tried for this time again."""
    return f"{_RETRY.sub('', chunk)}r{attempt}"
