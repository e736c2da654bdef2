"""How many lanes of a relay are at work: as many as its distance asks for (pure).

A lane moves one copy in the time that the relay takes to answer, so a relay that is far away
wants many lanes and one next door fewer. With a copy each quarter of a millisecond over all lanes
the sender's own processor is the limit, and more lanes would only lengthen each wait.
"""

from __future__ import annotations

import math

# Lanes, where the settings allow so many. They wait for the ledger's disk between two windows,
# so a relay next door gets more than its answers ask for: 16 are a quarter faster than 4.
FEWEST = 16
EACH = 0.00025  # seconds between two copies that all lanes together shall reach
SMOOTH = 8  # windows
BUSY = 0.8  # of our processor: then waits are our own, and tell nothing of the relay
LEARN = 60.0  # seconds until one lane more is tried than the relay turned away


class Width:
    """The number of lanes that shall work, up to `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.wanted = min(FEWEST, most)
        self._each = 0.0  # seconds a recipient, smoothed
        self.allowed = most  # connections that the relay is not known to refuse
        self._turned_away = 0.0

    def measured(self, seconds: float, recipients: int, *, busy: float, now: float) -> None:
        """A window took so long on one lane. `busy` is our share of a processor of late."""
        each = seconds / recipients
        self._each += (each - self._each) / SMOOTH if self._each else each
        if self.allowed < self.most and now - self._turned_away > LEARN:
            self.allowed, self._turned_away = self.allowed + 1, now
        shall = max(min(FEWEST, self.most), math.ceil(self._each / EACH))
        if shall > self.wanted and busy < BUSY:
            self.wanted += 1
        elif shall < self.wanted:
            self.wanted -= 1
        self.wanted = min(self.wanted, self.allowed)

    def forget(self) -> None:
        """What was turned away had another reason."""
        self.allowed = self.most

    def turned_away(self, connected: int, now: float) -> None:
        """The relay took so many connections and refused another one."""
        self.allowed, self._turned_away = max(1, connected), now
        self.wanted = min(self.wanted, self.allowed)
