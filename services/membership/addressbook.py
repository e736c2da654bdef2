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


def decide_add(
    book: Book, own: str, new: str, address: str, *, evidence: str, on: Iterable[str] = ()
) -> Said:
    """Have whom the address with the key `own` belongs to write from `address` as well, as
    `decide_move` says; copies go where they went. Nothing where it is theirs. Raises Refused."""
    mine, there = _mine(book, own), book.get(new, NOBODY)
    if there.address and there.person == mine.person:
        return ()
    added = msgspec.structs.replace(mine, address=address, evidence=evidence, secondary=True)
    return (*_free(there, mine.person, new, on), (new, _known(added)))


def decide_prefer(book: Book, own: str, key: str, address: str) -> Said:
    """Have copies go to `address`, which has this key, of the addresses of a person, which are all
    in the book. Nothing where they do. Raises Refused where it is not theirs."""
    mine = _mine(book, own)
    chosen = _other(book, mine, key, address)
    if not chosen.secondary:
        return ()
    before = [
        (other, _known(msgspec.structs.replace(entry, secondary=True)))
        for other, entry in book.items()
        if entry.address and entry.person == mine.person and not entry.secondary
    ]
    return ((key, _known(msgspec.structs.replace(chosen, secondary=False))), *before)


def decide_drop(book: Book, own: str, key: str, address: str) -> Said:
    """Have an `address` be somebody's no more; nothing where it is not. Raises Refused for the one
    where copies go, and for somebody else's."""
    mine, there = _mine(book, own), book.get(key, NOBODY)
    if not there.address and there.person == mine.person:
        return ()
    if not _other(book, mine, key, address).secondary:
        raise Refused(
            "bad_request",
            f"copies go to {there.address}; have them go to another address first "
            "(postroad member address prefer)",
        )
    return ((key, AddressDropped(person=mine.person)),)


def elsewhere(said: Said) -> bool:
    """Whether copies go to another address after this, and not only to one written otherwise."""
    return len(said) > 1 and any(
        isinstance(event, PersonKnown) and not event.secondary for _, event in said
    )


def _mine(book: Book, own: str) -> Entry:
    mine = book.get(own, NOBODY)
    if not mine.address:
        raise Refused("unknown_member", "nobody of this address is known")
    return mine


def _other(book: Book, mine: Entry, key: str, address: str) -> Entry:
    found = book.get(key, NOBODY)
    if not found.address or found.person != mine.person:
        raise Refused(
            "bad_request",
            f"{address} is no address of whoever has {mine.address}; postroad member address add",
        )
    return found


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
