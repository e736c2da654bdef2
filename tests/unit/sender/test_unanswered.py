"""Copies whose answer comes after their chunk went on: known to whoever sends them next."""

from __future__ import annotations

import asyncio

import pytest

from postroad.runtime.errors import Busy
from services.sender.answers import Reply
from services.sender.ledger import Position
from services.sender.transaction import Result, Transaction
from services.sender.unanswered import Unanswered, told

ADDRESSES = [f"p{n}@slow.example" for n in range(4)]
OK, FULL = Reply(250, "2.0.0", "Ok", "."), Reply(452, "4.2.2", "full", ".")


def left(waited: Unanswered, *addresses: str) -> tuple[Result, asyncio.Future[None]]:
    """A message to these that its window did not wait for."""
    result = Result([None] * len(addresses))
    result.leave()
    over = asyncio.get_running_loop().create_future()
    waited.add([Transaction("", addresses, (), "post")], [result], over)
    return result, over


async def test_nobody_is_sent_a_copy_before_the_answer() -> None:
    """A chunk with somebody who is waited for is not sent; then who has a copy has it, who was
    refused is tried again, and who was not answered is in doubt."""
    waited = Unanswered()
    result, over = left(waited, *ADDRESSES[:3])
    copies = waited.of("post", ADDRESSES, 0)
    assert sorted(copies) == [0, 1, 2]
    with pytest.raises(Busy):
        told(copies, Position())
    result.settle([0], OK)
    result.settle([1], FULL)
    over.set_result(None)
    at = told(copies, Position(doubt=frozenset({0, 3})))
    assert at.sent == {0}
    assert at.doubt == {2, 3}


async def test_whose_copies_they_are() -> None:
    """A copy is that of a post and a recipient; one whose outcome the ledger has is none of a
    chunk's any more."""
    waited = Unanswered()
    left(waited, ADDRESSES[1])
    assert waited.of("another post", ADDRESSES, 0) == {}
    assert waited.of("post", ADDRESSES, 2) == {}
    assert list(waited.of("post", ADDRESSES, 1)) == [1]


async def test_waited_for_again() -> None:
    """What is forgotten is what the ledger knows of, and not a later try of the same copy."""
    waited = Unanswered()
    left(waited, ADDRESSES[0])
    first = waited.of("post", ADDRESSES, 0)
    left(waited, ADDRESSES[0])
    waited.forget(first.values())
    second = waited.of("post", ADDRESSES, 0)
    assert list(second) == [0]
    waited.forget(second.values())
    assert waited.of("post", ADDRESSES, 0) == {}
