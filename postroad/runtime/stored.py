"""A message as it lies in a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from schemas import codec, subjects
from schemas.envelope import Envelope, Event

FIRST = b"Nats-Expected-Last-Subject-Sequence: 0\r\n"
NOT_FIRST = b"Nats-Expected-Last-Subject-Sequence-Subject:"  # of another subject
NONE: Mapping[str, str] = MappingProxyType({})


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A message as it lies in a stream. `ts` is RFC 3339, empty where it was not asked for."""

    subject: str
    seq: int
    data: bytes
    headers: Mapping[str, str] = NONE
    ts: str = ""
    ns: int = 0  # the same, in nanoseconds since the epoch, where a consumer told it
    pending: int = 0  # messages that the consumer had yet to deliver behind this one
    head: bytes = b""  # its headers as they came, where a follower read it

    def envelope(self) -> Envelope:
        """Its envelope. Raises UnknownEvent, which names this message: whoever looks something up
        for another is not to blame that one."""
        try:
            return codec.decode(self.data)
        except codec.UnknownEvent as error:
            raise type(error)(f"message {self.seq} of {self._stream}: {error}") from error

    def events(self) -> Sequence[Event]:
        """Its events; none where they are of a newer release, or it is no envelope."""
        try:
            return self.envelope().events
        except codec.UnknownEvent:
            return ()

    @property
    def _stream(self) -> str:
        try:
            return subjects.stream_of(self.subject)
        except KeyError:
            return self.subject

    @property
    def first(self) -> bool:
        """Whether it was stored on condition that its subject had none, as a follower sees."""
        return FIRST in self.head and NOT_FIRST not in self.head

    @property
    def time(self) -> datetime:
        """When the broker stored it."""
        if self.ns:
            return datetime.fromtimestamp(self.ns / 1e9, UTC)
        return time_of(self.ts)


def time_of(ts: str) -> datetime:
    """The time that this says: RFC 3339 with nanoseconds, as NATS writes it."""
    head, _, fraction = ts.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{fraction[:6]:0<6}+00:00")
