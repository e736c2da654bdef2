"""Somebody wants to be reached at another address: that address is asked, the old one is told.

What says yes is the new address, so that nobody's mail is led to a stranger by a slip; that it is
the member who wants it, is proved or confirmed before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id, now
from schemas.addresses import MoveMember
from schemas.commands import Answer
from schemas.pending import ConfirmationAsked
from services.membership import actors
from services.membership.directory import Listed
from services.membership.moves import Move, Moves
from services.membership.people import People, valid
from services.membership.refused import Refused
from services.membership.requests import confirmation
from services.membership.requests.outbox import Outbox
from services.membership.requests.questions import Questions
from services.membership.requests.reply import Reply, bundles
from services.membership.roster import Roster


class Moving:
    """Changes of address, from the wish to the last letter."""

    def __init__(
        self, broker: Broker, roster: Roster, people: People, questions: Questions, outbox: Outbox
    ) -> None:
        self._moves = Moves(broker, roster, people)
        self._roster = roster
        self._people = people
        self._questions = questions
        self._outbox = outbox

    async def ask(
        self, listed: Listed, old: str, new: str, *, cause: str, at: datetime
    ) -> tuple[Reply, Reply]:
        """The letter that asks `new`, and the one that tells `old` of it, who certainly wants it,
        or for whom the command line does. Raises Refused for somebody who has no role on the
        list."""
        person = await self._people.find(old)
        standing = await self._roster.standing(listed.state.slug, person.id if person else "")
        if person is None or not standing.roles:
            raise Refused("unknown_member", "this address is not on the list")
        question = await self._questions.ask(
            *(listed, "move", new),
            cause=cause,
            at=at,
            person=person.id,
            other=self._people.key(old),
        )
        asked = question.outcome == "confirmation_sent"
        fields = {"other": new, "days": str(confirmation.LIFE.days)} if asked else {"other": new}
        text = "move_asked" if asked else "move_limited"
        return question, Reply("answered", text=text, to=old, fields=fields, owed=True)

    async def confirmed(self, asked: ConfirmationAsked, *, evidence: str, mail_id: str) -> Reply:
        """Carry out what the new address has said yes to."""
        move = Move(
            old=asked.other,
            new=asked.address,
            how="mail, confirmed",
            evidence=evidence,
            correlation=mail_id,
        )
        try:
            person, _ = await self._moves.move(move)
        except Refused as refused:
            text = "move_taken" if refused.code == "taken" else "move_refused"
            return Reply("refused", f"address: {refused.code}", text, to=asked.address, owed=True)
        return Reply("moved", text="moved", to=asked.address, owed=True, person=person)

    async def member_move(self, ask: MoveMember) -> Answer:
        """The same from the command line. Raises Refused."""
        move = Move(
            old=self._people.key(ask.old),
            new=ask.new,
            how=ask.how,
            evidence=ask.how,
            correlation=new_id(),
            actor=actors.operator(ask.by),
            dry=not ask.confirmed,
        )
        person, changed = await self._moves.move(move)
        if changed and not ask.confirmed:
            await self._ask_first(person, valid(ask.old), valid(ask.new))
        return Answer(changed=int(changed), as_of=self._roster.feed.as_of)

    async def _ask_first(self, person: str, old: str, new: str) -> None:
        slugs = await self._roster.roles_of(person)
        lists = [self._roster.feed.lists.get(slug) for slug in slugs]
        listed = next((one for one in lists if one and one.state.open), None)
        if listed is None:
            raise Refused(
                "unknown_member",
                f"{old} is on no open list that could ask {new}; --confirmed asks nobody",
            )
        cause, at = new_id(), now()
        question, told = await self.ask(listed, old, new, cause=cause, at=at)
        if question.outcome == "limited":
            raise Refused(
                "limited",
                f"{new} was asked the same, or had three letters, in the last 24 hours; wait for "
                "the answer, or give --confirmed if it is certainly theirs",
            )
        await self._write(listed, (question, told), cause, at)

    async def _write(
        self, listed: Listed, replies: Sequence[Reply], cause: str, at: datetime
    ) -> None:
        for number, bundle in enumerate(bundles(replies)):
            await self._outbox.write(listed, bundle, cause=cause, number=number, at=at)
