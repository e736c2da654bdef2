"""Verdicts on held mail, stored in ROUTED: one a mail and list, whoever gives it."""

from __future__ import annotations

import asyncio
from functools import partial

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.telemetry import PARENT, carry, current
from schemas import codec, subjects
from schemas.codec import UnknownEvent
from schemas.envelope import Envelope
from services.membership.directory import Listed
from services.membership.feed import Feed
from services.membership.moderation import decider
from services.membership.moderation.decider import Decided, State, Verdict
from services.membership.moderation.passwords import told_password
from services.membership.refused import Refused

TRIES = 5  # the second finds what made the first fail
_NEW = "moderator_password=-"


class Verdicts:
    """What became of held mail, and saying what is to."""

    def __init__(self, broker: Broker, feed: Feed) -> None:
        self._broker = broker
        self._feed = feed
        self.moved = asyncio.Event()  # set where mail was held, or decided on

    async def look(self, list_: str, mail_id: str) -> State:
        """How a mail stands on a list."""
        return (await self._read(list_, mail_id))[0]

    async def _read(self, list_: str, mail_id: str) -> tuple[State, dict[str, str]]:
        """The same, and the headers that carry on the trace of the mail."""
        messages: list[tuple[int, Envelope]] = []
        trace: dict[str, str] = {}
        async for stored in self._broker.scan("ROUTED", subjects.decided(list_, mail_id)):
            try:
                messages.append((stored.seq, stored.envelope()))
            except UnknownEvent:  # of a newer release: no verdict that this one can change
                continue
            if PARENT in stored.headers:
                trace = carry("verdict", stored.headers)
        return decider.fold(messages), trace

    async def give(
        self, listed: Listed, mail_id: str, verdict: Verdict, *, actor: str, cause: str = ""
    ) -> Decided:
        """Store a verdict; what is then decided. `cause` is the id of the envelope because of
        which it is given: the same gives it once. Raises Refused where the mail was not held, is
        decided, or cannot be let through because the list is closed, or would
        tell a moderator's password."""
        list_ = listed.state.slug
        decide = partial(
            decider.decide,
            verdict=verdict,
            cause=cause,
            as_of=self._feed.as_of,
            settings=listed.seq,
        )
        for _ in range(TRIES):
            state, trace = await self._read(list_, mail_id)
            current().link("verdict", trace.get(PARENT, ""))
            if verdict.word == "accept" and state.waits:
                await self._check(listed, state)
            events = decide(state)
            if not events:
                assert state.decided is not None
                return state.decided
            (event,) = events
            message = envelope([event], correlation=mail_id, causation=cause, actor=actor)
            try:
                seq = await self._broker.publish(
                    subjects.routed(decider.kind_of(event), list_, mail_id),
                    codec.encode(message),
                    expect=state.seq,
                    expect_filter=subjects.decided(list_, mail_id),
                    headers=trace,
                )
            except Conflict:  # somebody was faster; they say what stands
                continue
            self.moved.set()
            crashpoint("membership.after_verdict")
            decided = decider.evolve(state, seq, message).decided
            assert decided is not None
            return decided
        raise Retry("too many decide on this mail at once", 1.0)

    async def _check(self, listed: Listed, state: State) -> None:
        """Raise Refused where the mail cannot be let through."""
        if not listed.state.open:
            raise Refused("closed", f"the list {listed.state.address} is closed")
        if state.held is None or not state.held.password:
            return
        lists, own = self._feed.lists, listed.state.slug
        if whose := await told_password(self._broker, state.held.raw, lists, own):
            changes = ", ".join(f"`postroad list set {each} {_NEW}`" for each in whose)
            raise Refused(
                "password",
                f"it tells everybody the moderators' password of {' and '.join(whose)}, which "
                f"cannot be taken off it: change the password first ({changes}), or have its "
                "author write it anew",
            )
