"""When to start a process again that ended by itself."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 30.0
SETTLED_SECONDS = 60.0  # who lives this long starts with a clean record
LOOPING = 5  # deaths in a row, each within SETTLED_SECONDS
WORKED_SECONDS = 2.0  # at work, to be missed when it dies


@dataclass(slots=True)
class Restarts:
    """The record of one process: `count` deaths in all, `in_row` since it last settled."""

    count: int = 0
    in_row: int = 0

    def died(self, worked: float = 0.0) -> float:
        """Count a death; seconds to wait before the next start: 0.2, doubled up to 30. Who was at
        work for some seconds, `worked`, is not kept from it for more than a quarter of that."""
        self.count += 1
        self.in_row += 1
        wait = min(FIRST_SECONDS * 2.0 ** (self.in_row - 1), LONGEST_SECONDS)
        if worked >= WORKED_SECONDS:
            wait = min(wait, max(worked / 4, FIRST_SECONDS))
        return float(wait)

    def settled(self) -> None:
        """It has lived for SETTLED_SECONDS."""
        self.in_row = 0

    @property
    def crash_looping(self) -> bool:
        """Whether waiting has not helped so far, so that a person should look."""
        return self.in_row >= LOOPING
