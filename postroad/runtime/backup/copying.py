"""One stream into pieces: what is new is read from the broker, and what has been deleted since the
last backup is not carried over from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from postroad.runtime.backup.manifest import Piece, StreamCopy
from postroad.runtime.backup.reading import read
from postroad.runtime.backup.segments import SMALL, Cutter, unpacked
from postroad.runtime.backup.vault import Damaged, Vault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroad.runtime.backup.framing import Reader
    from postroad.runtime.broker import Broker

Tell = Callable[[int], None]  # so many more messages are dealt with
SHOWN = 20  # sequences that are named
TRIFLE = 1 << 20  # octets of a stream that is simply read again


class Copying:
    """One stream; `fresh` counts the messages that were read from the broker because they are
    new, `unreadable` are the first of those that it says to have and does not give."""

    def __init__(self, broker: Broker, vault: Vault, name: str, tell: Tell) -> None:
        self.broker = broker
        self.vault = vault
        self.name = name
        self.tell = tell
        self.fresh = 0
        self.unreadable: list[int] = []

    async def copy(self, before: StreamCopy | None, readers: Sequence[Reader]) -> StreamCopy:
        """The stream as it is now, with the pieces of an earlier copy where they hold."""
        info = await self._info()
        state = info["state"]
        first, last = state["first_seq"], state["last_seq"]
        cutter = Cutter(self.vault)
        kept: list[Piece] = []
        known = 0  # up to which an earlier copy has what there is
        if before is not None and before.created == info["created"] and before.last <= last:
            kept, known = await self._carried(before, info), before.last
        for piece in kept[:-1]:
            cutter.pieces.append(piece)
        if kept:
            if kept[-1].raw < SMALL and last > kept[-1].last:
                await self._again(cutter, kept[-1], None)
            else:
                cutter.pieces.append(kept[-1])
            self.tell(sum(piece.count for piece in kept))
        start = max(first, kept[-1].last + 1 if kept else 1)
        async for page in read(self.broker, self.name, start, last):
            for record in page:
                await cutter.add(record)
            self.fresh += sum(record.seq > known for record in page)
            self.tell(len(page))
        await cutter.cut()
        if sum(piece.count for piece in cutter.pieces) < state["messages"]:
            self.unreadable = await self._unreadable(state)
        return StreamCopy(
            name=self.name,
            config=info["config"],
            created=info["created"],
            first=first,
            last=last,
            octets=state["bytes"],
            pieces=tuple(cutter.pieces),
            readers=tuple(readers),
        )

    async def _info(self, body: object = None) -> dict[str, Any]:
        info: dict[str, Any] = await self.broker.api(f"STREAM.INFO.{self.name}", body)
        return info

    async def _unreadable(self, before: dict[str, Any]) -> list[int]:
        """Sequences that are neither given nor deleted: the store is damaged there. None where
        something was deleted meanwhile, as that may be what is missing."""
        first, last = before["first_seq"], before["last_seq"]
        found: list[int] = []
        expected = first
        async for page in read(self.broker, self.name, first, last, heads=True):
            for record in page:
                found += range(expected, record.seq)
                expected = record.seq + 1
        found += range(expected, last + 1)
        state = (await self._info({"deleted_details": True}))["state"]
        gone = set(state.get("deleted") or ())
        still = state["first_seq"] == first and len(gone) == before.get("num_deleted", 0)
        return [seq for seq in found if seq not in gone][:SHOWN] if still else []

    async def _carried(self, before: StreamCopy, info: dict[str, Any]) -> list[Piece]:
        """The pieces of an earlier copy, those anew from which something was deleted."""
        first = info["state"]["first_seq"]
        pieces = [piece for piece in before.pieces if piece.last >= first]
        if not pieces or sum(piece.raw for piece in pieces) < TRIFLE:
            return []
        found: list[Piece] = []
        if not await self._deleted(before, info):
            for piece in pieces:
                found += [piece] if self.vault.there(piece) else await self._reread(piece)
            return found
        left = list(pieces)
        live: list[int] = []

        async def settle(upto: int) -> None:
            nonlocal live
            while left and left[0].last < upto:
                piece = left.pop(0)
                inside = [seq for seq in live if seq <= piece.last]
                live = live[len(inside) :]
                found.extend(await self._settled(piece, inside))

        async for page in read(
            self.broker, self.name, pieces[0].first, pieces[-1].last, heads=True
        ):
            for record in page:
                if left and record.seq > left[0].last:
                    await settle(record.seq)
                live.append(record.seq)
        await settle(1 << 64)
        return found

    async def _deleted(self, before: StreamCopy, info: dict[str, Any]) -> bool:
        """Whether anything of the earlier copy may be gone: where counts say it surely is not,
        a look at each message is spared."""
        state = info["state"]
        if state["first_seq"] != before.first:
            return True
        new = 0
        async for page in read(
            self.broker, self.name, before.last + 1, state["last_seq"], heads=True
        ):
            new += len(page)
        after = (await self._info())["state"]
        still = after["first_seq"] == state["first_seq"] and (
            after.get("num_deleted", 0) == state.get("num_deleted", 0)
        )
        return not (still and state["messages"] - new == before.messages)

    async def _settled(self, piece: Piece, live: list[int]) -> list[Piece]:
        if len(live) == piece.count and self.vault.there(piece):
            return [piece]
        if not live:
            return []
        cutter = Cutter(self.vault)
        await self._again(cutter, piece, set(live))
        await cutter.cut()
        return cutter.pieces

    async def _again(self, cutter: Cutter, piece: Piece, live: set[int] | None) -> None:
        """Add a piece's messages, those of `live`; from the broker where it is damaged."""
        try:
            records = [r for r, _ in await asyncio.to_thread(_all, self.vault, piece)]
        except Damaged:
            records = [
                record
                async for page in read(self.broker, self.name, piece.first, piece.last)
                for record in page
            ]
        for record in records:
            if live is None or record.seq in live:
                await cutter.add(record)

    async def _reread(self, piece: Piece) -> list[Piece]:
        cutter = Cutter(self.vault)
        await self._again(cutter, piece, None)
        await cutter.cut()
        return cutter.pieces


def _all(vault: Vault, piece: Piece) -> list[Any]:
    return list(unpacked(vault, piece))
