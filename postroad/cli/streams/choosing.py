"""What of the streams somebody asks for, and whether a message is of it."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.cli.mails import list_addresses, mail_id
from postroad.cli.streams.naming import Place, places
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.stored import Stored


@dataclass(frozen=True)
class Choice:
    """Messages of these places; where a list (slug), mail or person is named, those about it.
    `person` is an id."""

    places: tuple[Place, ...]
    about: tuple[bytes, ...] = ()
    person: str = ""

    def takes(self, stored: Stored) -> bool:
        """Whether this message is asked for."""
        subject = stored.subject.encode()
        return all(each in subject or each in stored.data for each in self.about)


async def choice(
    broker: Broker, config: Config, where: str, *, list_: str, mail: str, person: str
) -> Choice:
    """What these words ask for. Raises UsageError, PostroadError."""
    found = tuple(places(where))
    about = []
    if list_:
        about.append((await slug(broker, list_)).encode())
    if mail:
        about.append((await mail_id(broker, mail)).encode())
    if person:
        person = await person_id(broker, config, person)
        about.append(person.encode())
    return Choice(found, tuple(about), person)


async def slug(broker: Broker, text: str) -> str:
    """The slug of a list given by that or its address. Raises UsageError."""
    for name, address in (await list_addresses(broker)).items():
        if text.strip().lower() in (name, address.lower()):
            return name
    raise UsageError(f"there is no list {text}; `postroad list ls` shows them")


async def person_id(broker: Broker, config: Config, address: str) -> str:
    """Whose address it is, or was until they were erased. Raises UsageError, PostroadError."""
    from postroad.mail.addresses import normalise
    from postroad.mail.tokens import address_key
    from postroad.runtime import sitekey
    from schemas import subjects
    from schemas.people import AddressDropped, PersonErased, PersonKnown

    try:
        key = address_key(await sitekey.settle(broker, config), normalise(address))
    except ValueError as error:
        raise UsageError(f"--person {address}: {error}") from None
    last = await broker.last("PEOPLE", subjects.people(key))
    for event in last.events() if last else ():
        if isinstance(event, PersonKnown | PersonErased | AddressDropped):
            return event.person
    raise PostroadError(f"nobody here has the address {address}")
