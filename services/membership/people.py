"""PEOPLE: whose address it is. The only place that writes addresses to keep them.

One subject per address, named by its HMAC; each message says all there is to say, so the last
one counts. A person is 96 random bits, and one who was erased and comes back is a new one.
"""

from __future__ import annotations

import os

import msgspec

from postroad.mail import addresses
from postroad.mail.tokens import address_key
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.stored import Stored
from schemas import codec, subjects
from schemas.people import PersonErased, PersonKnown
from services.membership.refused import Refused

STREAM = "PEOPLE"
TRIES = 20
LONGEST_NAME = 200  # characters


class Person(msgspec.Struct, frozen=True, gc=False):
    """Somebody we know, and the sequence in PEOPLE that says so."""

    id: str
    seq: int


class People:
    """Persons by address."""

    def __init__(self, broker: Broker, site_key: bytes) -> None:
        self.broker = broker
        self._site_key = site_key

    def key(self, address: str) -> str:
        """The key of an address. Raises Refused where it is none."""
        return self.key_of_normal(addresses.normalise(valid(address)))

    def key_of_normal(self, address: str) -> str:
        """The key of an address in normal form."""
        return address_key(self._site_key, address)

    async def find(self, address: str) -> Person | None:
        """Whose address it is, or None. Raises Refused where it is none."""
        last = await self.broker.last(STREAM, subjects.people(self.key(address)))
        return known(last)

    async def obtain(
        self,
        address: str,
        name: str,
        *,
        evidence: str,
        correlation: str,
        actor: str = "operator",
    ) -> Person:
        """Whose address it is; a new person where nobody's. Raises Refused where it is none."""
        address = valid(address)
        subject = subjects.people(self.key(address))
        for _ in range(TRIES):
            last = await self.broker.last(STREAM, subject)
            if (person := known(last)) is not None:
                return person
            event = new_person(address, name, evidence)
            data = codec.encode(envelope([event], correlation=correlation, actor=actor))
            try:
                seq = await self.broker.publish(subject, data, expect=last.seq if last else 0)
            except Conflict:
                continue  # somebody else made them known
            return Person(event.person, seq)
        raise Retry("too many writers of one person at once")

    async def erase(self, key: str, *, of: str | None = None, correlation: str, actor: str) -> bool:
        """Forget whose address has this key, and overwrite every message that named it. Whose it is
        by now, where that is not the person it is to be erased `of`, is left alone. Repeat it where
        it was cut short; False where there was nothing to forget. Raises ApiError where the broker
        refuses to overwrite, Conflict where somebody else wrote just now.

        The marker comes first and holds nothing personal: readers learn of the erasure, and the
        stream's last message is never one that is about to vanish.
        """
        subject = subjects.people(key)
        last = await self.broker.last(STREAM, subject)
        if last is None:
            return False
        end, holder = last.seq, known(last)
        if holder is not None and of in (None, holder.id):
            marker = envelope(
                [PersonErased(person=holder.id)], correlation=correlation, actor=actor
            )
            end = await self.broker.publish(subject, codec.encode(marker), expect=last.seq)
            holder = None
            crashpoint("membership.person_erased")
        erased = False
        async for stored in self.broker.scan(STREAM, subject):
            if stored.seq < end and (holder is None or not _names(stored, holder.id)):
                await self.broker.erase(STREAM, stored.seq)
                erased = True
        return erased


def valid(address: str) -> str:
    """An address as typed, ready to keep. Raises Refused where it is none."""
    try:
        return addresses.validate(address)
    except ValueError as error:
        raise Refused("bad_address", str(error)) from error


def new_person(address: str, name: str, evidence: str) -> PersonKnown:
    """Somebody we did not know."""
    return PersonKnown(
        person=os.urandom(12).hex(),
        address=address,
        display_name=" ".join(name.split())[:LONGEST_NAME],
        evidence=evidence,
    )


def _names(stored: Stored, person: str) -> bool:
    return any(getattr(event, "person", "") == person for event in stored.events())


def known(last: Stored | None) -> Person | None:
    """Who the last message of an address's subject says it is."""
    if last is None:
        return None
    for event in reversed(last.envelope().events):
        if isinstance(event, PersonKnown):
            return Person(event.person, last.seq)
    return None
