"""What a relay's answers tell of it and of the domains behind it, while a window is under way.

A domain that keeps a window waiting must not keep the lane, nor those behind it in the window:
the lane is replaced, and where the domain is only one of several the window is cut off at it. A
message behind its dot can be waited for only, on its connection (`late`).

Measured with one domain in ten that takes 0.3 to 10 s, 10,000 copies, 32 connections: the others
have 0.9 of their throughput or more at RCPT and behind the dot, in both modes; half a second more
at most, once. With 4 connections, all can be caught behind the dot at the first encounter, and
wait for one answer. A message that domains share waits for the slowest of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence

from postroad.runtime.config import Relay
from postroad.runtime.service import Context
from schemas.road import ChunkQueued
from services.sender.answers import Reply
from services.sender.destinations import waits
from services.sender.kinds import Carrier
from services.sender.lanes import Lane
from services.sender.outcomes import Window
from services.sender.replies import classify
from services.sender.route import Route
from services.sender.transaction import Result

LOOK = 0.1  # seconds between two looks at a window that takes longer
SILENT = 5.0  # seconds without an answer after which a sick domain gets nothing more
LARGE = 1 << 16  # octets of a mail that tells of the line, not of the relay's distance
FOR_GOOD = 500  # the least reply that is one (RFC 5321 section 4.2.1)
NAMED = 5  # domains in what is told of a relay

Seen = Callable[[Sequence[Result], Window], None]


class Watch:
    """Watches the windows of one chunk on its way."""

    def __init__(
        self,
        context: Context,
        relay: Relay,
        route: Route,
        lane: Lane,
        event: ChunkQueued,
        *,
        last: bool = False,
    ) -> None:
        self._context = context
        self._relay = relay
        self._route = route
        self._lane = lane
        self._personal = event.copy.personal
        self._last = last  # try: it is waited for whatever it takes
        self._large = event.copy.raw.size > LARGE
        self._loop = asyncio.get_running_loop()
        self._about = ""  # the domain that the window waits for, as last seen
        self._waited = 0.0  # seconds that it was seen to, for all its answers
        self._first = 0  # recipient of that domain, by index
        self._seen = 0.0  # seconds that the last look saw
        self._began = self._heard = 0.0  # loop time of the window under way, of its last answer
        self.silent = False  # about one domain: the last window ended for that
        self.refused = False  # a domain refuses mail, or was silent, in some window

    @property
    def gives_way(self) -> bool:
        """Whether the copies are for a sick domain, and have to wait: others need the lane, or we
        are stopping."""
        route, stopping = self._route, self._context.stopping.is_set()
        return route.sick and (stopping or route.lanes.crowded(route.limited))

    def unheard(self, connection: Carrier) -> bool:
        """Whether the window ended for a sick domain that did not answer."""
        return bool(connection.fault) and self._route.lanes.destinations.sick(self._about)

    @contextlib.contextmanager
    def window(self, connection: Carrier, offered: Sequence[int]) -> Iterator[Seen]:
        """Look at a window, to recipients with these indices, while it is sent in the block; then
        call what this gives, with what came of it."""
        self.silent, self._about, self._waited, self._seen = False, "", 0.0, 0.0
        self._began = self._heard = self._loop.time()
        self._look_later(connection, offered)

        def seen(results: Sequence[Result], window: Window) -> None:
            self._learn(connection, offered, results, window)

        try:
            yield seen
        finally:
            self._timer.cancel()
            self._route.lanes.destinations.left(self._lane)

    def _look_later(self, connection: Carrier, offered: Sequence[int]) -> None:
        self._timer = self._loop.call_later(LOOK, self._look, connection, offered)

    def _look(self, connection: Carrier, offered: Sequence[int]) -> None:
        late = self._loop.time() - self._timer.when() > LOOK
        self._look_later(connection, offered)
        waiting = connection.waiting()
        if waiting is None or late:  # the answer may be here, and we did not come to read it
            return
        transaction, recipient, seconds = waiting
        route, now = self._route, self._loop.time()
        known = route.lanes.destinations
        if now - seconds > self._heard + LOOK / 10:  # somebody was answered since the last look
            known.heard(now - seconds, self._about, self._seen)
            self._heard = now - seconds
        self._seen = seconds
        index = self._index(offered, transaction, recipient)
        if index is None:
            known.waiting(self._lane, "", seconds, now)
            return
        domain = route.domains[index]
        if domain != self._about:
            self._about, self._waited, self._first = domain, 0.0, index
        self._waited += min(seconds, LOOK)
        waited = max(seconds, self._waited)
        others, before = len(set(route.domains)) > 1, (waited - seconds, index - self._first)
        if known.waiting(self._lane, domain, seconds, now, before=before, others=others):
            self.tell()
        if not known.sick(domain):
            return
        route.lanes.held_up(self._lane)
        if self._waited_enough(domain, seconds, message=recipient < 0):
            connection.abandon(f"{waited:.1f} s of waiting for one domain")

    def _waited_enough(self, domain: str, seconds: float, *, message: bool) -> bool:
        """Whether the window is to end at this sick domain, which says nothing for so long about
        a recipient, or to a `message`."""
        if not self._route.sick:
            return not self._last
        if not message and self.gives_way:
            return True
        lanes, now = self._route.lanes, self._loop.time()
        known = lanes.destinations
        if seconds > SILENT and known.opens(domain) <= now:
            known.refused(domain, now, silent=True)
            self.tell()
        return seconds > SILENT and message and not self._last and lanes.may_leave

    def _index(self, offered: Sequence[int], transaction: int, recipient: int) -> int | None:
        """Whose answer it is; None where it is several people's."""
        if self._personal:
            return offered[transaction]
        domains = {self._route.domains[index] for index in offered}
        if recipient < 0 and len(domains) > 1:
            return None
        return offered[max(recipient, 0)]

    def _learn(
        self,
        connection: Carrier,
        offered: Sequence[int],
        results: Sequence[Result],
        window: Window,
    ) -> None:
        lanes, now = self._route.lanes, self._loop.time()
        known = lanes.destinations
        before = list(known.told())
        domains = [self._route.domains[index] for index in offered]
        took = waits(([reply is not None for reply in r.recipients], r.waits) for r in results)
        heard = [  # who was answered together with another matters only to those who are sick
            (domain, seconds)
            for domain, seconds in zip(domains, took, strict=False)
            if seconds or (seconds is not None and known.sick(domain))
        ]
        known.answered([d for d, _ in heard], [each for _, each in heard], now)
        if offered and not (self._large or self._lane.apart or window.trouble):
            lanes.measured(now - self._began, len(offered))
        refused = {failure.index: failure for failure in window.outcome.failures}
        for index, domain in zip(offered, domains, strict=True):
            if index >= window.outcome.end:
                break
            failure = refused.get(index)
            if failure is None or failure.code >= FOR_GOOD:
                known.accepted(domain)
            elif failure.code and failure.scope == "recipient":
                reply = Reply(failure.code, failure.enhanced, failure.text, "RCPT")
                if classify(reply).name == "recipient-deferred":
                    known.refused(domain, now)
                    self.refused = True
        if not (self._route.sick or connection.lingering):
            lanes.goes_on(self._lane)
        self.silent = bool(window.trouble) and self.unheard(connection)
        if list(known.told()) != before:
            self.tell()

    def tell(self) -> None:
        """Say that the relay works, if it does, which domains are sick, which limits reached. That
        a connection stands proves nothing yet: one that takes our login may refuse our mail, and
        an alarm of before we started is not over by it."""
        lanes = self._route.lanes
        if lanes.trouble:
            return
        sick = dict(lanes.destinations.told())
        told = ", ".join(f"{domain} {how}" for domain, how in list(sick.items())[:NAMED])
        if len(sick) > NAMED:
            told += f" and {len(sick) - NAMED} more"
        told = "; ".join(filter(None, (told, *lanes.reached.values())))
        self._context.health.report(
            "relay",
            self._relay.name,
            ok=True,
            detail=told,
            untried=not lanes.proven,
            paused_until="",
            domains=sick,
            lanes=lanes.connected,
        )
