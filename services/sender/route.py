"""The way of one chunk: a relay, and at most one domain (or group with limits) that is apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from schemas.road import Failure
from services.sender.lanes import Lanes
from services.sender.limited import Limited

ANSWER = 2.0  # seconds in which the one copy that tries a domain is usually answered
_WHY = {
    True: "its domain is slow, or refuses mail for now",
    False: "its domain, or its relay, has a chunk of its own",
}


class Route:
    """How the recipients of a chunk from `start` on go, by their `domains` and `relays`: those
    who share the way of the first one who is not apart; the others wait."""

    def __init__(
        self,
        lanes: Lanes,
        relay: str,
        domains: Sequence[str],
        relays: Sequence[str],
        start: int,
    ) -> None:
        self.lanes = lanes
        self.domains = domains
        self._here = None if len(set(relays)) == 1 else [name == relay for name in relays]
        self._known = known = lanes.destinations
        self._now = asyncio.get_running_loop().time
        self._main = "" if known.plain else self._choose(start)
        self.sick = known.sick(self._main)
        group = known.group(self._main) if self._main else None
        self.limited: Limited | None = None if group is None else lanes.limited[group]

    def rests(self) -> float:
        """Seconds until it can be seen whether anything may be sent to its domain; 0 for now."""
        if not self.sick:
            return 0.0
        left = self._known.rests(self._main, self._now())
        return min(left, ANSWER) if self._known.trying(self._main) else left

    @property
    def free(self) -> bool:
        """Whether nobody is withheld now."""
        return self._here is None and self._known.plain and not self._main

    def withhold(self, index: int, *, ask: bool = False) -> Failure | None:
        """Why this recipient's copy is not sent now; its domain may `ask` though it rests."""
        if self._here is not None and not self._here[index]:
            return self._failure(index, sick=False)
        if self.free:
            return None
        domain = self.domains[index]
        if domain != self._main and self._known.key(domain) != self._main:
            return self._failure(index, sick=self._known.sick(domain))
        if not self._known.try_one(domain, self._now()) and not ask:
            return self._failure(index, sick=True)
        return None

    def _choose(self, start: int) -> str:
        here, known, now = self._here, self._known, self._now()
        keys = [
            known.key(domain)
            for index, domain in enumerate(self.domains[start:], start)
            if here is None or here[index]
        ]
        if "" in keys:
            return ""
        # who rests must not keep others of the chunk waiting: of its group, or sick as well
        return min(dict.fromkeys(keys), key=lambda key: (known.sick(key), known.rests(key, now)))

    def _failure(self, index: int, *, sick: bool) -> Failure:
        return Failure(index=index, code=0, text=_WHY[sick], kind="deferred", scope="destination")
