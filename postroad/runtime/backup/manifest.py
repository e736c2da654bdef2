"""What one backup consists of."""

from __future__ import annotations

from typing import Any

import msgspec

from postroad.runtime.backup.framing import Reader

FORMAT = 1


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive messages of a stream in one file, which is named for its SHA-256. `sum` is of
    their records, in hex; `raw` the octets of these before they were compressed."""

    name: str
    size: int
    raw: int
    first: int
    last: int
    count: int
    sum: str


class StreamCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One stream. `octets` is what the broker counts for it."""

    name: str
    config: dict[str, Any]
    created: str
    first: int
    last: int
    octets: int
    pieces: tuple[Piece, ...] = ()
    readers: tuple[Reader, ...] = ()

    @property
    def messages(self) -> int:
        """How many there are."""
        return sum(piece.count for piece in self.pieces)


class FileCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A file beside the streams. `role` says what it is for: settings, secret, key, login,
    analytics. `path` is absolute; `pieces` are its octets in order, each a name and a size."""

    role: str
    path: str
    mode: int
    size: int
    sha256: str
    pieces: tuple[tuple[str, int], ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One backup. `begun` and `ended` are RFC 3339; `marks` is the last sequence of ROUTED when it
    began: what says `done` there behind it is not restored. `left_out` are files that it has not
    got."""

    format: int = FORMAT
    name: str
    release: str
    server: str
    begun: str
    ended: str = ""
    marks: int = 0
    config: str = ""
    state_dir: str = ""
    streams: tuple[StreamCopy, ...] = ()
    files: tuple[FileCopy, ...] = ()
    left_out: tuple[str, ...] = ()

    def stream(self, name: str) -> StreamCopy | None:
        """The copy of a stream."""
        return next((each for each in self.streams if each.name == name), None)

    def needed(self) -> set[str]:
        """The names of all its pieces."""
        names = {piece.name for stream in self.streams for piece in stream.pieces}
        return names | {name for file in self.files for name, _ in file.pieces}
