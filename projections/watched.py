"""Whether a file in use still lies under its name, as its owner left it.

Only the owner writes to it: whatever else became of its size or its headers, somebody did who must
not. DuckDB itself would not notice, as long as it asks for nothing that lies there.
"""

from __future__ import annotations

import os
from pathlib import Path

HEADERS = 3 * 4096  # octets before the first block of a DuckDB file


class Damaged(Exception):
    """It does not; the words say in which way."""


class Watched:
    """An open file, as it was when its owner last wrote to it.

    It is held open until `close`: to close any handle of it gives back the locks that DuckDB has on
    it. Raises OSError where it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size, self._headers = self._looked()

    def note(self) -> None:
        """The owner wrote to it. DuckDB makes it smaller only with a checkpoint, which writes a
        header: what else made it smaller meanwhile is left for the next check to find."""
        size, headers = self._looked()
        if size >= self._size or headers != self._headers:
            self._size, self._headers = size, headers

    def check(self) -> None:
        """Raises Damaged where somebody else did, or took it away."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            raise Damaged("it was deleted while in use") from None
        held = os.fstat(self._file)
        if (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
            raise Damaged("another file was put in its place while in use")
        size, headers = self._looked()
        least = max(self._size, HEADERS)
        if size < least:
            raise Damaged(f"it was cut from {least:,} octets to {size:,} while in use")
        if size != self._size or headers != self._headers:
            raise Damaged("it was overwritten while in use")

    def close(self) -> None:
        """Let go of it, once DuckDB has."""
        os.close(self._file)

    def _looked(self) -> tuple[int, bytes]:
        return os.fstat(self._file).st_size, os.pread(self._file, HEADERS, 0)
