"""What messages become: the folds of all projections of a stream, over one reading of it (pure).

What is decoded, is decoded once for all projections that share a `decode`. A message that this
release does not know is counted and passed over; so is one that a fold fails on, which is a bug of
that fold: the others go on, and the rest of its messages is folded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from projections.projection import Carry, Folded, Message, Projection, Row
from schemas.codec import Garbage, UnknownEvent


class Lying(Protocol):
    """A message as it lies in a stream; `ns` since the epoch."""

    @property
    def subject(self) -> str:
        """Where it lies."""

    @property
    def seq(self) -> int:
        """Its sequence."""

    @property
    def data(self) -> bytes:
        """Its octets."""

    @property
    def ns(self) -> int:
        """When it was stored."""


class Failed(msgspec.Struct, frozen=True):
    """A message that a projection has no rows of, and why."""

    projection: str
    seq: int
    error: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch became, by name of projection."""

    folded: Mapping[str, Sequence[Folded]]  # to be stored one after the other
    failed: Sequence[Failed] = ()


class Decoded(msgspec.Struct, frozen=True):
    """Messages of a stream: what each `decode` made of them, and how many it did not know;
    `garbage` of these are of no release."""

    by_decode: Mapping[Callable[[bytes], Any], list[Message]]
    unknown: int
    garbage: int = 0


class Folder:
    """The projections of one stream. `carries` is what each takes to its next batch."""

    def __init__(self, projections: Sequence[Projection], carries: Mapping[str, Carry]) -> None:
        self.projections = projections
        self.carries = {each.name: carries.get(each.name, {}) for each in projections}
        self.subjects = subjects(projections)
        self._decodes = {each.decode: _wanted(each, projections) for each in projections}

    def decode(self, stored: Sequence[Lying]) -> Decoded:
        """Read messages; in pieces as they come, for what is decoded takes a third of the memory
        of its octets."""
        found: dict[Callable[[bytes], Any], list[Message]] = {}
        unknown = garbage = 0
        for decode, wanted in self._decodes.items():
            messages = found[decode] = []
            lying = [s for s in stored if s.subject.startswith(wanted)] if wanted else stored
            for each in lying:
                try:
                    body = decode(each.data)
                except UnknownEvent as error:
                    unknown += 1
                    garbage += isinstance(error, Garbage)
                else:
                    messages.append(Message(each.subject, each.seq, each.ns // 1000, body))
        return Decoded(found, unknown, garbage)

    def fold(self, batches: Sequence[Decoded]) -> Outcome:
        """Fold what was decoded; `carries` is not moved, `moved` does that once it is stored."""
        folded: dict[str, list[Folded]] = {}
        failed: list[Failed] = []
        for each in self.projections:
            messages = [m for batch in batches for m in batch.by_decode[each.decode]]
            prefix = _prefix(each.subjects)
            if prefix and len({_prefix(other.subjects) for other in self.projections}) > 1:
                messages = [m for m in messages if m.subject.startswith(prefix)]
            if messages:
                folded[each.name] = _fold(each, self.carries[each.name], messages, failed)
        return Outcome(folded=folded, failed=failed)

    def moved(self, outcome: Outcome) -> None:
        """It is stored."""
        for name, folded in outcome.folded.items():
            self.carries[name] = folded[-1].carry


def together(folded: Sequence[Folded]) -> list[Folded]:
    """The same in as few as may be: rows go in with those before them, unless some have to be taken
    out first."""
    whole: list[Folded] = []
    rows: dict[str, list[Row]] = {}
    for one in folded:
        if one.forget or not whole:
            rows = {}
            whole.append(one)
        for table, more in one.rows.items():
            rows.setdefault(table, []).extend(more)
        whole[-1] = msgspec.structs.replace(whole[-1], rows=rows, carry=one.carry)
    return whole


def subjects(projections: Sequence[Projection]) -> str:
    """One filter over all that these projections of one stream want."""
    wanted = {each.subjects for each in projections}
    return wanted.pop() if len(wanted) == 1 else ">"


def _wanted(projection: Projection, all_: Sequence[Projection]) -> tuple[str, ...]:
    """What subjects begin with that somebody who shares this decode wants; empty for all."""
    if subjects(all_) != ">":
        return ()  # no others come
    prefixes = {_prefix(each.subjects) for each in all_ if each.decode is projection.decode}
    return () if "" in prefixes else tuple(sorted(prefixes))


def _prefix(subject: str) -> str:
    """What every subject under a filter begins with."""
    tokens = subject.split(".")
    fixed = [token for token in tokens if token not in ("*", ">")]
    assert tokens[: len(fixed)] == fixed, subject
    return ".".join(fixed) + "." if fixed else ""


def _fold(
    projection: Projection, carry: Carry, messages: Sequence[Message], failed: list[Failed]
) -> list[Folded]:
    assert projection.fold is not None
    try:
        return [projection.fold(carry, messages)]
    except Exception as bug:  # noqa: BLE001 - one fold must not stop the others
        if len(messages) == 1:
            failed.append(Failed(projection.name, messages[0].seq, type(bug).__name__))
            return [Folded(rows={}, carry=carry)]
    folded: list[Folded] = []
    for message in messages:  # batches may be cut anywhere, so each may be one
        folded += _fold(projection, carry, [message], failed)
        carry = folded[-1].carry
    return folded
