"""Whose addresses are whose, and what becomes of one that somebody changes. Pure.

The aggregate is what PEOPLE says of a few addresses, by key. A person has one address where copies
go; what is `secondary` they only write from. An address belongs to one person at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from schemas.envelope import Event
from schemas.people import AddressDropped, PersonErased, PersonKnown
from services.membership.refused import Refused

LONGEST_EVIDENCE = 500  # characters: of an address changed often the newest are kept


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is said last of an address: it belongs to `person`, or, without `address`, did."""

    person: str = ""
    address: str = ""
    name: str = ""
    evidence: str = ""
    secondary: bool = False


NOBODY = Entry()

Book = Mapping[str, Entry]  # by key
Said = Sequence[tuple[str, Event]]  # of which key


def evolve(entry: Entry, event: Event) -> Entry:
    """What holds of an address after `event`."""
    match event:
        case PersonKnown():
            return Entry(
                person=event.person,
                address=event.address,
                name=event.display_name,
                evidence=event.evidence,
                secondary=event.secondary,
            )
        case PersonErased() | AddressDropped():
            return Entry(person=event.person)
        case _:
            return entry


def after(book: Book, said: Said) -> Book:
    """The book after all of this."""
    entries = dict(book)
    for key, event in said:
        entries[key] = evolve(entries.get(key, NOBODY), event)
    return entries


def decide_move(
    book: Book, old: str, new: str, address: str, *, evidence: str, on: Iterable[str] = ()
) -> Said:
    """Have whom the address with the key `old` belongs to reached at `address` instead, which has
    the key `new`: by its `evidence` it is theirs. Nothing where that was done before. `on` are
    lists that somebody else is on with it.

    Raises Refused for a stranger, and where two people would become one.
    """
    mine, there = book.get(old, NOBODY), book.get(new, NOBODY)
    if not mine.address:
        if mine.person and there.address and there.person == mine.person:
            return ()
        raise Refused("unknown_member", "nobody of the old address is known")
    if old == new:  # only written otherwise
        if mine.address == address:
            return ()
        return ((new, _known(msgspec.structs.replace(mine, address=address))),)
    free = _free(there, mine.person, new, on)
    theirs = there.address and not free
    moved = msgspec.structs.replace(
        mine,
        address=address,
        evidence=_joined(mine.evidence, evidence),
        secondary=mine.secondary and not (theirs and not there.secondary),
    )
    return (*free, (new, _known(moved)), (old, AddressDropped(person=mine.person)))


def _free(there: Entry, person: str, key: str, on: Iterable[str]) -> Said:
    """What takes an address from somebody else, who is on no list with it. Raises Refused where
    they are."""
    if not there.address or there.person == person:
        return ()
    if lists := sorted(on):
        raise Refused(
            "taken",
            f"{there.address} is on {', '.join(lists)} as somebody else; take it off there first "
            "(postroad member remove), then give this again",
        )
    return ((key, AddressDropped(person=there.person)),)


def _known(entry: Entry) -> PersonKnown:
    return PersonKnown(
        person=entry.person,
        address=entry.address,
        display_name=entry.name,
        evidence=entry.evidence,
        secondary=entry.secondary,
    )


def _joined(before: str, evidence: str) -> str:
    """How we came to know somebody, and then this address of theirs."""
    return "; ".join(filter(None, (before, evidence)))[-LONGEST_EVIDENCE:]
