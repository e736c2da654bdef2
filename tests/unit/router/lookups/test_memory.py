"""Answers that are remembered, and questions that are asked once."""

from __future__ import annotations

import asyncio

import pytest

from services.router.lookups.memory import FAILED, LATELY, STALE, Memory, Unanswered


class Oracle:
    """Answers with how often it was asked, for a minute; while `mute`, not at all, and not
    before it is `open`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now = 1_000.0
        self.mute = False
        self.open = asyncio.Event()
        self.open.set()

    async def answer(self, question: str) -> tuple[int, float]:
        """How often it was asked, and for how long that holds."""
        self.asked.append(question)
        await self.open.wait()
        if self.mute:
            raise Unanswered
        return len(self.asked), 60.0

    def memory(self, most: int = 10) -> Memory[int]:
        """One that asks it."""
        return Memory(self.answer, most=most, clock=lambda: self.now)


async def test_an_answer_is_asked_for_again_when_it_is_old() -> None:
    """Within its time the first one is given; for some minutes more while the next is on its way,
    so that no mail waits for what is asked all day."""
    oracle = Oracle()
    memory = oracle.memory()
    assert [await memory.get("a"), await memory.get("a")] == [1, 1]
    oracle.now += 61
    oracle.open.clear()
    assert await memory.get("a") == 1
    oracle.open.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert await memory.get("a") == 2
    assert oracle.asked == ["a", "a"]
    oracle.now += 61 + LATELY
    assert await memory.get("a") == 3


async def test_many_who_ask_the_same_ask_once() -> None:
    """And who gives up leaves the question to the others, and the answer to memory."""
    oracle = Oracle()
    oracle.open.clear()
    memory = oracle.memory()
    asking = [asyncio.ensure_future(memory.get("a")) for _ in range(50)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(memory.get("a"), 0.01)
    oracle.open.set()
    assert await asyncio.gather(*asking) == [1] * 50
    assert await memory.get("a") == 1


async def test_who_does_not_answer_is_left_alone_for_a_while() -> None:
    """No mail waits for an answer that a moment ago did not come."""
    oracle = Oracle()
    oracle.mute = True
    memory = oracle.memory()
    for _ in range(3):
        with pytest.raises(Unanswered):
            await memory.get("a")
    assert oracle.asked == ["a"]
    oracle.now += FAILED + 1
    oracle.mute = False
    assert await memory.get("a") == 2


async def test_an_old_answer_is_better_than_none() -> None:
    """For some days: a policy hardly changes, and name servers do go away."""
    oracle = Oracle()
    memory = oracle.memory()
    await memory.get("a")
    oracle.mute = True
    for seconds in (61, FAILED + 1, STALE - 300):
        oracle.now += seconds
        assert [await memory.get("a"), await memory.get("a")] == [1, 1]
    oracle.now += 1_000
    for _ in range(2):
        with pytest.raises(Unanswered):
            await memory.get("a")


async def test_memory_has_an_end() -> None:
    """However many domains forgers think of."""
    oracle = Oracle()
    memory = oracle.memory(most=5)
    for number in range(20):
        await memory.get(f"{number}")
    oracle.mute = True
    for number in range(20):
        with pytest.raises(Unanswered):
            await memory.get(f"other {number}")
    assert len(memory) <= 10
