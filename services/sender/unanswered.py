"""Copies whose chunk went on though the answer to their final dot is still waited for.

What a domain keeps us waiting for behind the dot can be neither taken back nor sent again: the
connection stays for the answer, and the rest of its chunk goes on elsewhere. These recipients come
again in a chunk of their own, which is sent when it is known here whether they have their copy. A
sender that dies forgets; its ledger has named them as those who may have two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from postroad.runtime.errors import Busy
from services.sender.answers import Reply
from services.sender.ledger import Position
from services.sender.transaction import Result, Transaction

SOON = 1.0  # seconds until it is seen whether an answer has come


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that is waited for: `number` is that of its recipient in the transaction."""

    key: tuple[str, str]
    result: Result
    number: int
    over: asyncio.Future[None]

    @property
    def reply(self) -> Reply | None:
        """The last word on it."""
        return self.result.recipients[self.number]


class Unanswered:
    """What is waited for, by post and recipient."""

    def __init__(self) -> None:
        self._copies: dict[tuple[str, str], Copy] = {}

    def add(
        self,
        transactions: Sequence[Transaction],
        results: Sequence[Result],
        over: asyncio.Future[None] | None,
    ) -> bool:
        """Of a window: what is `awaited` in its results, which fill until `over` is done. False
        where there is no such."""
        if over is None:
            return False
        for transaction, result in zip(transactions, results, strict=True):
            for number, recipient in enumerate(transaction.recipients):
                if result.awaited and result.recipients[number] is None:
                    key = transaction.post, recipient
                    self._copies[key] = Copy(key, result, number, over)
        return True

    def of(self, post: str, addresses: Sequence[str], start: int) -> dict[int, Copy]:
        """Those of a chunk of this post, by index, from `start` on."""
        if not self._copies:
            return {}
        found = {
            index: self._copies.get((post, addresses[index]))
            for index in range(start, len(addresses))
        }
        return {index: copy for index, copy in found.items() if copy is not None}

    def forget(self, copies: Iterable[Copy]) -> None:
        """The ledger knows of them."""
        for copy in copies:
            if self._copies.get(copy.key) is copy:
                del self._copies[copy.key]


def told(copies: Mapping[int, Copy], at: Position) -> Position:
    """Where a chunk stands, with what became of these copies of it. Raises Busy while one of them
    is waited for."""
    if not copies:
        return at
    if not all(copy.over.done() for copy in copies.values()):
        raise Busy("its domain has not answered to a message yet", SOON)
    sent = {index for index, copy in copies.items() if copy.reply and copy.reply.accepted}
    lost = {index for index, copy in copies.items() if copy.reply is None}
    return replace(at, sent=at.sent | sent, doubt=(at.doubt | lost) - sent)
