"""The body of a post: the author's, with lines of the list's put in where the router said (pure).

Everything is canonical, not dot-stuffed, and cut where lines begin: what all copies share stays one
object, and only lines with a merge field are made for each recipient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from postroad.mail import wire
from postroad.mail.canonical import BodyHash
from postroad.mail.words import printable
from schemas.mail import Insertion
from schemas.road import Copy

LONGEST = 300  # characters of a value; `postroad.mail.footer` leaves room for so many octets


class Body:
    """The pieces of a body, of which some may be lines that differ between recipients."""

    def __init__(self, pieces: Sequence[bytes | Insertion], *, hashed: bool) -> None:
        self._stuffed = [wire.dot_stuff(p) if isinstance(p, bytes) else p for p in pieces]
        shared = list(takewhile(lambda piece: isinstance(piece, bytes), pieces))
        self._hash = BodyHash()
        self._behind = pieces[len(shared) :]  # what the hash goes on with for each recipient
        for piece in shared if hashed else ():
            assert isinstance(piece, bytes)
            self._hash.update(piece)

    @property
    def merges(self) -> bool:
        """Whether each recipient has a body of their own."""
        return bool(self._behind)

    @property
    def size(self) -> int:
        """Octets held."""
        return sum(len(piece) for piece in self._stuffed if isinstance(piece, bytes))

    def stuffed(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """The body as it follows the header after DATA, for a recipient with these values."""
        return tuple(
            piece if isinstance(piece, bytes) else wire.dot_stuff(merged(piece, values))
            for piece in self._stuffed
        )

    def digest(self, values: Mapping[str, str]) -> bytes:
        """The hash of a body that is `hashed`; what is the same for all was hashed once."""
        hashed = self._hash.copy()
        for piece in self._behind:
            hashed.update(piece if isinstance(piece, bytes) else merged(piece, values))
        return hashed.digest()


def body(raw: bytes, copy: Copy, shared: Mapping[str, str], *, hashed: bool) -> Body:
    """The body of a post as stored; `shared` are the merge fields' values in a copy for all,
    `hashed` says whether it will be signed."""
    pieces: list[bytes | Insertion] = []
    at = copy.raw.head
    for insertion in copy.insertions:
        pieces.append(_lines(raw[at : insertion.at]))
        own = copy.personal and len(insertion.pieces) > 1
        pieces.append(insertion if own else merged(insertion, shared))
        at = insertion.at
    pieces.append(_lines(raw[at:]))
    return Body([piece for piece in pieces if piece], hashed=hashed)


def _lines(data: bytes) -> bytes:
    return wire.wrapped(wire.canonical(data))


def merged(insertion: Insertion, values: Mapping[str, str]) -> bytes:
    """Its lines, with these values in the places of the fields.

    A value is printable text without a line end, whatever was given, so that no header and no
    delimiter can come of it.
    """
    text = "".join(
        printable(values.get(piece, ""), LONGEST) if at % 2 else piece
        for at, piece in enumerate(insertion.pieces)
    )
    return text.encode(insertion.charset, "replace")
