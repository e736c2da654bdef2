"""PEOPLE: whose address it is. The only place that writes addresses to keep them.

One subject per address, named by its HMAC; each message says all there is to say, so the last
one counts. A person is 96 random bits, and one who was erased and comes back is a new one. What
becomes of the addresses of a person `addressbook` decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import reduce

import msgspec

from postroad.mail import addresses
from postroad.mail.tokens import address_key
from postroad.runtime.broker import Broker, Message
from postroad.runtime.clock import envelope
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.stored import Stored
from schemas import codec, subjects
from schemas.people import AddressDropped, PersonErased, PersonKnown
from services.membership import addressbook
from services.membership.addressbook import Book, Said
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
        return await self._overwrite(subject, end, holder)

    async def book(self, keys: Iterable[str]) -> tuple[Book, Mapping[str, Stored]]:
        """What is said of the addresses with these keys, and the last message of each."""
        wanted = {subjects.people(key): key for key in keys}
        stored = await self.broker.last_many(STREAM, wanted)
        last = {key: stored[subject] for subject, key in wanted.items() if subject in stored}
        events = {key: one.envelope().events for key, one in last.items()}
        return {
            key: reduce(addressbook.evolve, said, addressbook.NOBODY)
            for key, said in events.items()
        }, last

    async def say(
        self, said: Said, last: Mapping[str, Stored], *, correlation: str, actor: str
    ) -> int:
        """Store what was decided, all or nothing, an event a key; `last` are the messages that it
        rests on. The sequence. Raises Conflict."""
        return await self.broker.publish_batch(
            [
                Message(
                    subjects.people(key),
                    codec.encode(envelope([event], correlation=correlation, actor=actor)),
                    expect=last[key].seq if key in last else 0,
                )
                for key, event in said
            ]
        )

    async def forget(self, key: str) -> None:
        """Overwrite what an address was, which belongs to nobody any more."""
        subject = subjects.people(key)
        last = await self.broker.last(STREAM, subject)
        if last is not None and known(last) is None:
            await self._overwrite(subject, last.seq)

    async def _overwrite(self, subject: str, end: int, holder: Person | None = None) -> bool:
        """Overwrite every message before `end` that holds an address, but for those of its
        `holder`; whether there was one. Who had it once stays known, by marks without it."""
        erased = False
        async for stored in self.broker.scan(STREAM, subject):
            people = [getattr(event, "person", "") for event in stored.events()]
            theirs = holder is not None and holder.id in people
            if stored.seq < end and not theirs and not _is_mark(stored):
                await self.broker.erase(STREAM, stored.seq)
                erased = True
        return erased


def _is_mark(stored: Stored) -> bool:
    """Whether it only says that an address is somebody's no more."""
    events = stored.events()
    return bool(events) and all(isinstance(one, PersonErased | AddressDropped) for one in events)


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


def known(last: Stored | None) -> Person | None:
    """Who the last message of an address's subject says it is."""
    if last is None:
        return None
    for event in reversed(last.envelope().events):
        if isinstance(event, PersonKnown):
            return Person(event.person, last.seq)
    return None
