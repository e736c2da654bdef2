"""The only lasting record with an address: PEOPLE, subject `people.<HMAC of the address>`."""

from __future__ import annotations

from schemas.envelope import Event


class PersonKnown(Event, tag="person_known", kw_only=True):
    """This address belongs to this person. `address` as written, not only its normal form. From a
    `secondary` one they write, but nothing is sent there; of the others the newest counts."""

    person: str
    address: str
    display_name: str = ""
    evidence: str = ""  # how we came to know: import, command line, mail, web
    secondary: bool = False


class AddressDropped(Event, tag="address_dropped", kw_only=True):
    """This address belongs to this person no more; they have another, or are on no list."""

    person: str


class PersonErased(Event, tag="person_erased", kw_only=True):
    """The person asked to be forgotten; carries nothing personal."""

    person: str
