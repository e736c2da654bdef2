"""Records in pieces: a few megabytes of consecutive messages each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from postroad.runtime.backup.manifest import Piece
from postroad.runtime.backup.records import MODULUS, Record, digest, encoded, entries
from postroad.runtime.backup.vault import Damaged, Vault

TARGET = 8 << 20  # octets of records in a piece
SMALL = TARGET // 2  # a last piece that is written anew together with what is new


class Cutter:
    """Makes pieces of records that come in order."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.pieces: list[Piece] = []
        self._entries: list[bytes] = []
        self._first = self._last = self._size = 0

    async def add(self, record: Record) -> None:
        """One more."""
        entry = encoded(record)
        if not self._entries:
            self._first = record.seq
        self._entries.append(entry)
        self._last = record.seq
        self._size += len(entry)
        if self._size >= TARGET:
            await self.cut()

    async def cut(self) -> None:
        """End the piece that was begun."""
        if not self._entries:
            return
        taken, self._entries, self._size = self._entries, [], 0
        self.pieces.append(await asyncio.to_thread(self._piece, taken))

    def _piece(self, taken: list[bytes]) -> Piece:
        octets = b"".join(taken)
        name, size = self.vault.put(octets)
        return Piece(
            name=name,
            size=size,
            raw=len(octets),
            first=self._first,
            last=self._last,
            count=len(taken),
            sum=f"{sum(map(digest, taken)) % MODULUS:064x}",
        )


def unpacked(vault: Vault, piece: Piece) -> Iterator[tuple[Record, bytes]]:
    """The records of a piece, and their octets. Raises Damaged."""
    octets = vault.get(piece.name)
    try:
        yield from entries(octets)
    except ValueError as error:
        raise Damaged(f"piece {piece.name}: {error}") from error


def whole(pieces: tuple[Piece, ...] | list[Piece]) -> int:
    """The sum of a stream that consists of these pieces."""
    return sum(int(piece.sum, 16) for piece in pieces) % MODULUS
