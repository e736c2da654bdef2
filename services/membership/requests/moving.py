"""Somebody wants another address: that address is asked, the one they have is told.

What says yes is the new address, so that nobody's mail is led to a stranger by a slip; that it is
the member who wants it, is proved or confirmed before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id, now
from projections.roster import STRANGER
from schemas.addresses import AddressVerb, ChangeAddress
from schemas.commands import Answer
from schemas.pending import Action, ConfirmationAsked
from services.membership import actors
from services.membership.directory import Listed
from services.membership.moves import Moves, Wanted
from services.membership.people import People, valid
from services.membership.refused import Refused
from services.membership.requests import confirmation
from services.membership.requests.outbox import Outbox
from services.membership.requests.questions import Questions
from services.membership.requests.reply import Reply, bundles
from services.membership.roster import Roster

Asked = Literal["move", "add"]  # what a new address is asked
DONE: dict[AddressVerb, str] = {
    "move": "moved",
    "add": "address_added",
    "prefer": "address_preferred",
    "drop": "address_dropped",
}

# what a command about addresses asks its author, where they are not proved; what is done then
ASKS: Mapping[str, Action] = {
    "move": "move_away",
    "address_add": "add_away",
    "address_drop": "drop",
}
VERBS: Mapping[Action, AddressVerb] = {"move_away": "move", "add_away": "add", "drop": "drop"}
LEFT_OUT: Mapping[Action, str] = {  # of what one text says that it was left out
    **dict.fromkeys(("own_on", "own_off", "copies_on", "copies_off", "language"), "option"),
    **dict.fromkeys(VERBS, "address"),
}


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

    async def wish(
        self, listed: Listed, verb: AddressVerb, own: str, address: str, *, cause: str, at: datetime
    ) -> list[Reply]:
        """What comes of it that somebody wants this who certainly has the address `own`. Raises
        Refused where they have no role on the list, and as `Moves` does.

        A new address is asked, and `own` is told; with one that is theirs already it is done, and
        where copies went before is told as well.
        """
        person = await self._people.find(own)
        there = await self._people.find(address)
        standing = await self._roster.standing(listed.state.slug, person.id if person else "")
        if person is None or not standing.roles - STRANGER:
            raise Refused("unknown_member", "this address is not on the list")
        theirs = there is not None and there.id == person.id
        if verb == "move" and theirs:  # they keep both
            verb = "prefer"
        if verb == "drop" or theirs:
            wanted = Wanted(
                verb=verb,
                own=self._people.key(own),
                address=address,
                how="mail",
                correlation=cause.partition(".")[0],
            )
            before = await self._roster.address(person.id) if verb == "prefer" else own
            fields, told = {"other": address}, dict.fromkeys((own, before))
            _, news = await self._moves.carry_out(wanted)
            if not news and verb != "drop":
                return [Reply("answered", "", "address_yours", own, fields, person=person.id)]
            return [
                Reply("moved", "", DONE[verb], to, fields, owed=True, person=person.id)
                for to in told
            ]
        await self._moves.refuse_banned(person.id, address)
        asked: Asked = "move" if verb == "move" else "add"
        return await self._ask(listed, asked, own, address, person.id, cause, at)

    async def _ask(
        self,
        listed: Listed,
        verb: Asked,
        own: str,
        address: str,
        person: str,
        cause: str,
        at: datetime,
        *,
        shown: str = "",
    ) -> list[Reply]:
        """Ask the address, and tell `own`, which it is told as well, or what is `shown` of it."""
        question = await self._questions.ask(
            *(listed, verb, address),
            cause=cause,
            at=at,
            person=person,
            other=self._people.key(own),
        )
        fields = {"other": address, "days": str(confirmation.LIFE.days)}
        if question.outcome == "limited":
            return [question, Reply("answered", "", "address_limited", own, fields)]
        question = replace(question, fields={**question.fields, "other": shown or own})
        # whatever they had today, they hear of it; then of that much less
        await self._questions.contacts.may_answer(own, cause, at=at, proved=True)
        return [question, Reply("answered", "", f"{verb}_asked", own, fields, owed=True)]

    async def confirmed(self, asked: ConfirmationAsked, *, evidence: str, mail_id: str) -> Reply:
        """Carry out what the new address has said yes to."""
        verb: AddressVerb = "move" if asked.action == "move" else "add"
        wanted = Wanted(
            verb=verb,
            own=asked.other,
            address=asked.address,
            how="mail, confirmed",
            evidence=evidence,
            correlation=mail_id,
        )
        to = asked.address
        try:
            person, _ = await self._moves.carry_out(wanted)
        except Refused as refused:
            text = "address_taken" if refused.code == "taken" else "address_refused"
            return Reply("refused", f"address: {refused.code}", text, to, owed=True)
        return Reply("moved", text=DONE[verb], to=to, owed=True, person=person)

    async def member_address(self, ask: ChangeAddress) -> Answer:
        """The same from the command line. Raises Refused."""
        if await self._people.find(ask.own) is None:
            raise Refused("unknown_member", f"nobody of the address {ask.own} is known")
        new = ask.verb in ("move", "add") and not await self._is_theirs(ask.own, ask.address)
        first = new and not ask.confirmed
        wanted = Wanted(
            verb=ask.verb,
            own=self._people.key(ask.own),
            address=ask.address,
            how=ask.how,
            evidence=ask.how,
            correlation=new_id(),
            actor=actors.operator(ask.by),
            dry=first,
        )
        person, changed = await self._moves.carry_out(wanted)
        if changed and first:
            verb: Asked = "move" if ask.verb == "move" else "add"
            await self._ask_first(verb, person, valid(ask.own), valid(ask.address))
        asked = changed and first
        return Answer(changed=int(changed), asked=asked, as_of=self._roster.feed.as_of)

    async def _is_theirs(self, own: str, address: str) -> bool:
        mine, there = await self._people.find(own), await self._people.find(address)
        return mine is not None and there is not None and mine.id == there.id

    async def _ask_first(self, verb: Asked, person: str, own: str, address: str) -> None:
        slugs = await self._roster.roles_of(person)
        lists = [self._roster.feed.lists.get(slug) for slug in slugs]
        listed = next((one for one in lists if one and one.state.open), None)
        if listed is None:
            raise Refused(
                "unknown_member",
                f"{own} is on no open list that could ask {address}; --confirmed asks nobody",
            )
        cause, at = new_id(), now()
        # a slip of the operator must tell no stranger who is on a list
        shown = f"{own[0]}...@{own.rpartition('@')[2]}"
        replies = await self._ask(listed, verb, own, address, person, cause, at, shown=shown)
        if replies[0].outcome == "limited":
            raise Refused(
                "limited",
                f"{address} was asked the same, or had three letters, or {own} had three addresses "
                "asked, in the last 24 hours; wait for the answer, or give --confirmed if it is "
                "certainly theirs",
            )
        for number, bundle in enumerate(bundles(replies)):
            await self._outbox.write(listed, bundle, cause=cause, number=number, at=at)
