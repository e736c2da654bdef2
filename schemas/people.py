"""The only lasting record with an address: PEOPLE, subject `people.<HMAC of the address>`."""

from __future__ import annotations

from schemas.envelope import Event


class PersonKnown(Event, tag="person_known", kw_only=True):
    """This address belongs to this person. `address` as written, not only its normal form."""

    person: str
    address: str
    display_name: str = ""
    evidence: str = ""  # how we came to know: import, command line, mail, web


class PersonErased(Event, tag="person_erased", kw_only=True):
    """The person asked to be forgotten; carries nothing personal."""

    person: str
