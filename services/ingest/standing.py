"""Where a source stands whose mails have names: UIDLs of POP3, files of a Maildir. Pure.

Mail that is still there and must not be taken again is known by a digest of its name: 8 octets,
so 65,536 of them fit one message of the broker, and one in 10^14 new mails looks like one of them.
What left its place is forgotten, but not where much vanishes at once: a server that shows an empty
mailbox for a moment must not make old mail new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Literal

import msgspec

MOST = 65_536  # names that are remembered: 700 KB in KV
_OCTETS = 8

Start = Literal["now", "unseen", "all"]


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What KV holds, as JSON. `place` tells one mailbox from another under the same source; `since`
    and `start` are those of the first contact; `whole` as long as everything that was there then
    has not been looked at; `left` and `taken` are digests, end to end."""

    place: str
    since: datetime
    start: Start
    whole: bool = False
    left: bytes = b""
    taken: bytes = b""


class Standing:
    """What is known of the mails at one place. `left` stay as they are; `taken` are on the road,
    and have yet to be deleted, moved or marked."""

    def __init__(
        self,
        place: str,
        since: datetime,
        start: Start,
        left: Collection[bytes] = (),
        taken: Collection[bytes] = (),
        *,
        whole: bool = False,
    ) -> None:
        self.place = place
        self.since = since
        self.start = start
        self.whole = whole
        self.left = set(left)
        self.taken = set(taken)

    @property
    def full(self) -> bool:
        """Whether there is more than can be remembered."""
        return len(self.left) + len(self.taken) > MOST

    def stored(self) -> Stored:
        """As KV has it."""
        return Stored(
            place=self.place,
            since=self.since,
            start=self.start,
            whole=self.whole,
            left=b"".join(sorted(self.left)),
            taken=b"".join(sorted(self.taken)),
        )

    def keep(self, there: Collection[bytes]) -> None:
        """Forget what is no longer `there`, unless most of it is gone at once and there is room
        to remember it."""
        known = self.left | self.taken
        here = known & set(there)
        if len(here) * 2 >= len(known) or self.full:
            self.left &= here
            self.taken &= here

    def renamed(self, there: Collection[bytes]) -> bool:
        """Whether the place may have given all its mails new names: nothing known is there, and
        there is about as much as was known."""
        known = self.left | self.taken
        return bool(known) and not known & set(there) and len(there) * 2 >= len(known)


def restored(stored: Stored | None, place: str) -> Standing | None:
    """The standing that was stored, if it is of this place."""
    if stored is None or stored.place != place:
        return None
    left, taken = _cut(stored.left), _cut(stored.taken)
    return Standing(place, stored.since, stored.start, left, taken, whole=stored.whole)


def digest(name: str) -> bytes:
    """What is remembered of a name."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:_OCTETS]


def place_of(*parts: str) -> str:
    """A place, in hex: no address of it can be read in KV."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _cut(digests: bytes) -> list[bytes]:
    return [digests[at : at + _OCTETS] for at in range(0, len(digests), _OCTETS)]
