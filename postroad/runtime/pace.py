"""How fast things happen: counted in slots of some seconds, over about the last minute."""

from __future__ import annotations

from collections import deque

SLOT_SECONDS = 5.0
SLOTS = 12


class Pace:
    """Rates of what one process counts. Times are its monotonic clock's, in seconds."""

    __slots__ = ("_began", "_slots")

    def __init__(self, began: float) -> None:
        self._began = began
        self._slots: deque[tuple[int, dict[str, int]]] = deque(maxlen=SLOTS)

    def add(self, name: str, by: int, at: float) -> None:
        """It happened `by` times."""
        slot = int(at / SLOT_SECONDS)
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append((slot, {}))
        counts = self._slots[-1][1]
        counts[name] = counts.get(name, 0) + by

    def rates(self, at: float) -> dict[str, float]:
        """Each name that was counted in the last minute, a second; since the beginning, where that
        is less long ago."""
        oldest = int(at / SLOT_SECONDS) - SLOTS + 1
        sums: dict[str, int] = {}
        for slot, counts in self._slots:
            if slot >= oldest:
                for name, count in counts.items():
                    sums[name] = sums.get(name, 0) + count
        seconds = max(at - max(oldest * SLOT_SECONDS, self._began), 1.0)
        return {name: round(count / seconds, 2) for name, count in sums.items()}
