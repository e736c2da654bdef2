"""Copies of a chunk whose answer comes after their window.

What a domain keeps us waiting for behind the final dot can be neither taken back nor sent again.
The connection stays for the answer, the rest of the chunk goes on elsewhere, and the chunk ends
when all of them are answered: its ledger then says who has a copy after all. A sender that dies
before has named them in its ledger as those who may have two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

from services.sender.transaction import Result


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """A copy that is waited for, by the index of its recipient in the chunk, and the place in the
    transaction of which this is the result."""

    index: int
    result: Result
    place: int
    over: asyncio.Future[None]
    doubtful: bool  # an earlier try may have delivered it

    @property
    def taken(self) -> bool:
        """Whether it turned out to be delivered."""
        reply = self.result.recipients[self.place]
        return reply is not None and reply.accepted

    @property
    def cleared(self) -> bool:
        """Whether it is known now that there is no second one."""
        return not self.doubtful and self.result.recipients[self.place] is not None


class Late:
    """Those of one chunk."""

    def __init__(self) -> None:
        self._copies: list[Copy] = []

    def __len__(self) -> int:
        """How many the ledger does not know of yet."""
        return len(self._copies)

    def add(
        self,
        offered: Sequence[int],
        results: Sequence[Result],
        over: asyncio.Future[None],
        doubt: Container[int],
    ) -> None:
        """Of a window to the recipients `offered`, by index: what is `awaited` in its results,
        which fill until `over` is done. Those in `doubt` may have had a copy before."""
        places = ((result, place) for result in results for place in range(len(result.recipients)))
        self._copies += [
            Copy(index, result, place, over, index in doubt)
            for index, (result, place) in zip(offered, places, strict=True)
            if result.awaited and result.recipients[place] is None
        ]

    def over(self) -> list[Copy]:
        """Those whose answer is there, or can come no more."""
        return [copy for copy in self._copies if copy.over.done()]

    def forget(self, copies: Collection[Copy]) -> None:
        """The ledger knows of these."""
        self._copies = [copy for copy in self._copies if copy not in copies]

    async def answered(self, seconds: float | None = None) -> None:
        """Wait until another answer is there, at most so long."""
        if self._copies:
            await asyncio.wait(
                {copy.over for copy in self._copies},
                timeout=seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
