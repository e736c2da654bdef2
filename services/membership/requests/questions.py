"""Asking somebody to confirm: within the limits, and always in the same words, whether we know
the address or not."""

from __future__ import annotations

from datetime import datetime

from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from schemas.membership import DeliveryMode, Role
from schemas.pending import Action, ConfirmationAsked
from services.membership.directory import Listed
from services.membership.letters.catalog import Text
from services.membership.letters.posting import Words, english
from services.membership.letters.wording import version
from services.membership.people import People
from services.membership.requests import confirmation
from services.membership.requests.confirmations import Confirmations
from services.membership.requests.contacts import Contacts
from services.membership.requests.limits import LimitedError
from services.membership.requests.reply import Reply


class Questions:
    """Asks by mail, in the words that `words` has for who is asked; `cause` is the mail id or
    command id that wants to know."""

    def __init__(
        self, broker: Broker, people: People, site_key: bytes, words: Words = english
    ) -> None:
        self.words = words
        self.contacts = Contacts(broker, people)
        self.confirmations = Confirmations(broker, site_key)

    async def ask(
        self,
        listed: Listed,
        action: Action,
        address: str,
        *,
        name: str = "",
        role: Role = "member",
        delivery_mode: DeliveryMode = "regular",
        cause: str,
        at: datetime,
        text: str = "",
        proved: bool = False,
        invited: bool = False,
        person: str = "",
        other: str = "",
    ) -> Reply:
        """The reply that asks `address`; "limited", and silent, where it was asked enough.

        `text` names another text than that of the action; `proved` says that the address itself
        wants it, `invited` that those who run the list do. `person` and `other` are for the actions
        that need them.
        """
        slug, text = listed.state.slug, text or f"confirm_{action}"
        token = self.confirmations.token(cause, slug, action, address)
        key = self.confirmations.key(token)
        try:
            ended = await self.contacts.ask(
                *(address, slug, action),
                question=key,
                cause=cause,
                at=at,
                proved=proved,
                other=other,
                person=person,
            )
        except LimitedError:
            return Reply("limited", reason="the same was asked, or three went out, in a day")
        crashpoint("membership.question_counted")
        for each in ended:
            await self.confirmations.withdraw(each, by=cause)
        question = ConfirmationAsked(
            list=slug,
            action=action,
            address=address,
            display_name=name,
            role=role,
            delivery_mode=delivery_mode,
            cause=cause,
            expires=at + confirmation.LIFE,
            text=version(text, await self._asked_in(text, listed, address)),
            invited=invited,
            person=person,
            other=other,
        )
        await self.confirmations.ask(token, question)
        return Reply(
            "confirmation_sent",
            text=text,
            to=address,
            fields=fields_of(token),
            owed=True,
        )

    async def _asked_in(self, text: str, listed: Listed, address: str) -> Text:
        wording = await self.words(listed.state.slug, address)
        return wording.find(text, listed.state.settings.sub_address).text


def fields_of(token: str) -> dict[str, str]:
    """What a letter about a confirmation is told."""
    return {"token": token, "days": str(confirmation.LIFE.days)}
