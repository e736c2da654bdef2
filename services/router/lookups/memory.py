"""Answers from outside, remembered: each question is asked once at a time, and not again while its
answer holds. Where nobody answers, the last answer counts for some days more (RFC 8767)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

MOST = 10_000  # answers; the oldest goes
LATELY = 300.0  # seconds for which an old answer is given while it is asked for anew
FAILED = 60.0  # seconds until what could not be answered is asked again
STALE = 3 * 86_400.0  # seconds for which an old answer is better than none


class Unanswered(Exception):
    """Nobody could say."""


@dataclass(slots=True)
class _Answer(Generic[T]):
    value: T
    until: float
    last: float  # when it stops being better than none


class Memory(Generic[T]):
    """Asks by `ask`, which gives an answer and for how many seconds it holds, or raises
    Unanswered. It may also be given a `clock`, in seconds."""

    def __init__(
        self,
        ask: Callable[[str], Awaitable[tuple[T, float]]],
        *,
        stale: float = STALE,
        most: int = MOST,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._ask = ask
        self._stale = stale
        self._most = most
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._known: dict[str, _Answer[T]] = {}
        self._failed: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._known) + len(self._failed)

    def start(self, question: str) -> None:
        """Have it asked, unless the answer is known or on its way."""
        if question in self._asking or self._holds(question):
            return
        task = asyncio.get_running_loop().create_task(self._find(question))
        self._asking[question] = task
        task.add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )  # who waits has it

    async def get(self, question: str) -> T:
        """The answer. Raises Unanswered. Who no longer waits for it leaves the question to others,
        and its answer to memory."""
        self.start(question)
        known = self._known.get(question)
        task = self._asking.get(question)
        if task and not (known and self._clock() < known.until + LATELY):
            return await asyncio.shield(task)
        if known is None or (question in self._failed and self._clock() >= known.last):
            raise Unanswered
        return known.value

    def close(self) -> None:
        """Ask no more."""
        for task in tuple(self._asking.values()):
            task.cancel()

    def _holds(self, question: str) -> bool:
        now = self._clock()
        known = self._known.get(question)
        return (known is not None and now < known.until) or now < self._failed.get(question, now)

    async def _find(self, question: str) -> T:
        try:
            value, seconds = await self._ask(question)
        except Unanswered:
            now = self._clock()
            _put(self._failed, question, now + FAILED, self._most)
            known = self._known.get(question)
            if known is None or now >= known.last:
                raise
            return known.value
        finally:
            del self._asking[question]
        now = self._clock()
        self._failed.pop(question, None)
        answer = _Answer(value, now + seconds, now + seconds + self._stale)
        _put(self._known, question, answer, self._most)
        return value


U = TypeVar("U")


def _put(where: dict[str, U], question: str, what: U, most: int) -> None:
    """Put it last; the oldest goes where there are too many."""
    where.pop(question, None)
    if len(where) >= most:
        del where[next(iter(where))]
    where[question] = what
