"""Given / when / then for deciders, and a clock that stands still.

    subscriber = Decider(initial=State(), evolve=evolve)
    subscriber.given(MemberSubscribed()).when(decide_subscribe, command).then_nothing()

A decision is any function `(state, *arguments) -> events`; what it decides is read as a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, Generic, Self, TypeVar

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Decider(Generic[S]):
    """How a state begins, and how each event changes it."""

    initial: S
    evolve: Callable[[S, Any], S]

    def given(self, *events: object) -> Given[S]:
        """Start from what these events left behind."""
        return Given(reduce(self.evolve, events, self.initial))


@dataclass(frozen=True, slots=True)
class Given(Generic[S]):
    """A state, about to be asked. Also the start for decisions whose state is plain data."""

    state: S

    def when(self, decide: Callable[..., Sequence[object]], *args: Any, **kwargs: Any) -> When:
        """Decide. An exception is kept, for `then_refused`."""
        try:
            return When(tuple(decide(self.state, *args, **kwargs)), None)
        except Exception as error:  # noqa: BLE001  raised again unless the test expects it
            return When((), error)


@dataclass(frozen=True, slots=True)
class When:
    """What was decided: events, or an exception."""

    events: tuple[object, ...]
    error: Exception | None

    def then(self, *expected: object) -> None:
        """Exactly these events."""
        if self.error is not None:
            raise self.error
        assert self.events == expected

    def then_nothing(self) -> None:
        """No events: it was so already."""
        self.then()

    def then_refused(self, kind: type[Exception], words: str = "") -> None:
        """An exception of this kind whose text holds these words."""
        if self.error is not None and not isinstance(self.error, kind):
            raise self.error
        assert self.error is not None, f"decided {self.events} instead of refusing"
        assert words in str(self.error)


@dataclass(slots=True)
class FrozenClock:
    """A clock that moves only when told; ids count up from 1, so that they read well."""

    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    ids: int = 0

    def now(self) -> datetime:
        """The time, in UTC."""
        return self.time

    def new_id(self) -> str:
        """The next id: 32 hex digits."""
        self.ids += 1
        return f"{self.ids:032x}"

    def advance(self, seconds: float) -> Self:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)
        return self
