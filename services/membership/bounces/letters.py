"""Letters about bounces: to whom they have stopped, and to the owners.

Each has an id made from the mail that did not arrive, so however often a bounce is looked at, it
is written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from postroad.mail.addresses import around_token
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.errors import Conflict
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.membership import (
    MemberBounced,
    MemberChanged,
    MemberProbed,
    MemberUnsubscribed,
    MemberWarned,
)
from schemas.road import ProbeQueued
from services.membership.bounces.told import evidence_lines
from services.membership.directory import Listed
from services.membership.letters.failed import subject_of
from services.membership.letters.letter import Letter, notice_id
from services.membership.letters.posting import Letterbox
from services.membership.owners import Owners

ACTOR = "service:membership"


class BounceLetters:
    """Writes what a decision on bounces leads to."""

    def __init__(self, broker: Broker, letterbox: Letterbox, owners: Owners) -> None:
        self._broker = broker
        self._letterbox = letterbox
        self._owners = owners

    async def after(
        self,
        listed: Listed,
        person: str,
        address: str,
        events: Sequence[Event],
        seq: int,
        last: MemberBounced | None = None,
    ) -> None:
        """Write the letters that these events of a person, stored at `seq`, ask for; `last` is
        the evidence where they have none."""
        told = next((event for event in events if isinstance(event, MemberBounced)), last)
        if told is None or not told.post:
            return
        settings = listed.state.settings
        for event in events:
            if isinstance(event, MemberProbed):
                await self.probe(listed, person, address, event, told)
            elif isinstance(event, MemberWarned):
                await self.warn(listed, address, event, told, seq)
                if event.number == 1 and settings.bounce_notify_owner_on_disable:
                    await self._tell(listed, "bounces_stopped", address, told, event.at, seq)
            elif isinstance(event, MemberUnsubscribed):
                if settings.bounce_notify_owner_on_removal:
                    await self._tell(listed, "bounces_removed", address, told, told.at, seq)
            elif isinstance(event, MemberChanged) and told.kind == "complaint":  # noqa: SIM102
                if settings.bounce_notify_owner_on_disable:
                    await self._tell(listed, "bounces_complaint", address, told, told.at, seq)

    async def probe(
        self, listed: Listed, person: str, address: str, probed: MemberProbed, told: MemberBounced
    ) -> None:
        """Write to a member, to see whether that comes back: a letter with a token of its own."""
        state = listed.state
        key = subjects.routed("done", state.slug, probed.mail_id)
        message = envelope([ProbeQueued(person=person)], correlation=told.post, actor=ACTOR)
        try:
            post = await self._broker.publish(key, codec.encode(message), expect=0)
        except Conflict:
            stored = await self._broker.last("ROUTED", key)
            post = stored.seq if stored else 0
        await self._letterbox.send(
            Letter.of_list(
                *(state, probed.mail_id),
                text="bounces_probe",
                to=address,
                date=probed.at,
                fields=await self._fields(listed, address, told),
            ),
            notice=probed.mail_id,
            list_slug=state.slug,
            cause=told.post,
            post=post,
            person=person,
            bounces=around_token(state.address, "bounces", state.settings.sub_address),
        )

    async def warn(
        self, listed: Listed, address: str, warning: MemberWarned, told: MemberBounced, seq: int
    ) -> None:
        """Tell a member that their delivery is stopped."""
        settings = listed.state.settings
        left = settings.bounce_you_are_disabled_warnings - warning.number
        days = max(settings.bounce_you_are_disabled_warnings_interval, 1) * (left + 1)
        fields = {"days": str(days), **await self._fields(listed, address, told)}
        about = f"bounces {warning.number} {address}"
        await self._send(listed, "bounces_warning", address, fields, about, told, warning.at, seq)

    async def incident(
        self, listed: Listed, domain: str, people: int, told: MemberBounced, seq: int
    ) -> None:
        """Tell the owners that a provider takes nobody's mail."""
        fields = {"other": domain, "people": str(people)}
        fields |= await self._fields(listed, "", told)
        for owner in await self._owners.of(listed, correlation=told.post):
            about = f"incident {domain} {owner.person}"
            await self._send(
                listed, "bounces_incident", owner.address, fields, about, told, told.at, seq
            )

    async def _tell(
        self,
        listed: Listed,
        text: str,
        address: str,
        told: MemberBounced,
        at: datetime,
        seq: int,
    ) -> None:
        fields = await self._fields(listed, address, told)
        for owner in await self._owners.of(listed, correlation=told.post):
            about = f"{text} {address} {owner.person}"
            await self._send(listed, text, owner.address, fields, about, told, at, seq)

    async def _fields(self, listed: Listed, address: str, told: MemberBounced) -> dict[str, str]:
        subject = await subject_of(self._broker, listed.state.slug, told.post)
        return {"failures": "\n".join(evidence_lines(address, told, subject))}

    async def _send(
        self,
        listed: Listed,
        text: str,
        to: str,
        fields: dict[str, str],
        about: str,
        told: MemberBounced,
        at: datetime,
        seq: int,
    ) -> None:
        state = listed.state
        notice = notice_id(told.post, state.slug, about)
        letter = Letter.of_list(state, notice, text=text, to=to, date=at, fields=fields)
        await self._letterbox.send(
            letter, notice=notice, list_slug=state.slug, cause=told.post, post=seq
        )
