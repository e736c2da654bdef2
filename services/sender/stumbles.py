"""At whom a relay hung up. Once, that is trouble of the relay; again, after it had worked for
others, it is about the recipient (pure)."""

from __future__ import annotations

import math

LASTS = 600.0  # seconds that a stumble is remembered
OFTEN = 3  # times without a word of others, after which it is seen whether these fare better
MEMORY = 10_000


class Stumbles:
    """Of one relay, by whatever names whom it was about."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, int]] = {}  # since when, and how many times
        self._worked = -math.inf  # when it took a copy last

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def worked(self, now: float) -> None:
        """The relay took a copy."""
        self._worked = now

    def again(self, name: str, now: float) -> bool:
        """It hung up at this one: whether it had before, and has worked since then."""
        if len(self._known) >= MEMORY:
            self._known.clear()
        first, times = self._known.get(name, (now, 0))
        if now - first > LASTS:
            first, times = now, 0
        self._known[name] = first, times + 1
        return first < self._worked

    def blamed(self, name: str, now: float) -> bool:
        """Whether it hung up at this one of late, and has worked since then."""
        first, _ = self._known.get(name, (-math.inf, 0))
        return now - first <= LASTS and first < self._worked

    def often(self, name: str, now: float) -> bool:
        """Whether others should go before this one, to see what becomes of them."""
        first, times = self._known.get(name, (-math.inf, 0))
        return now - first <= LASTS and times >= OFTEN

    def forgive(self, name: str) -> None:
        """It took a copy of this one."""
        self._known.pop(name, None)
