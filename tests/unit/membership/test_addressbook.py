"""Whose addresses are whose, when people change them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.pending import ConfirmationAsked
from schemas.people import AddressDropped, PersonErased, PersonKnown
from services.membership import addressbook
from services.membership.addressbook import (
    Book,
    Entry,
    decide_add,
    decide_drop,
    decide_move,
    decide_prefer,
)
from services.membership.refused import Refused
from services.membership.requests import confirmation

ANN = Entry(person="ann", address="ann@old.example", name="Ann", evidence="import")
BOB = Entry(person="bob", address="bob@x.example")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
KEYS = ("k1", "k2", "k3", "k4")

keys = st.sampled_from(KEYS)
entries = st.one_of(
    st.builds(Entry, person=st.sampled_from(["ann", "bob", "cia"])),
    st.builds(
        Entry,
        person=st.sampled_from(["ann", "bob", "cia"]),
        address=st.sampled_from(["a@x.example", "b@x.example"]),
        secondary=st.booleans(),
    ),
)
books = st.dictionaries(keys, entries)


def move(book: Book, old: str, new: str, *on: str) -> addressbook.Said:
    """Have who is at `old` reached at `new`."""
    return decide_move(book, old, new, f"{new}@new.example", evidence="asked", on=on)


def test_the_person_stays_and_the_old_address_is_nobodys() -> None:
    """The new address is theirs, with their name and how we came to know both; the old is not."""
    said = move({"k1": ANN}, "k1", "k2")
    assert dict(said) == {
        "k2": PersonKnown(
            person="ann",
            address="k2@new.example",
            display_name="Ann",
            evidence="import; asked",
        ),
        "k1": AddressDropped(person="ann"),
    }
    assert said[0][0] == "k2"  # whoever reads only this finds them reached, and at one address


def test_a_stranger_has_no_address_to_change() -> None:
    """Nobody, somebody erased and who has left the address already are refused."""
    for book in ({}, {"k1": Entry(person="ann")}, {"k1": Entry(person="ann"), "k2": BOB}):
        with pytest.raises(Refused) as refused:
            move(book, "k1", "k2")
        assert refused.value.code == "unknown_member"


def test_two_people_never_become_one() -> None:
    """An address that somebody else is on a list with is refused, and by which list it is said;
    of who is on none it is taken first."""
    book = {"k1": ANN, "k2": BOB}
    with pytest.raises(Refused, match=r"bob@x\.example is on team@lists\.example\.org") as refused:
        move(book, "k1", "k2", "team@lists.example.org")
    assert refused.value.code == "taken"
    assert move(book, "k1", "k2")[0] == ("k2", AddressDropped(person="bob"))


def test_another_spelling_is_the_same_address() -> None:
    """Only what is written changes, once."""
    again = ANN.address.replace("ann", "Ann")
    ((key, known),) = decide_move({"k1": ANN}, "k1", "k1", again, evidence="")
    assert (key, getattr(known, "address", "")) == ("k1", again)
    assert not decide_move({"k1": ANN}, "k1", "k1", ANN.address, evidence="")


def reached(book: Book) -> Mapping[str, list[str]]:
    """The addresses that copies go to, by person."""
    found: dict[str, list[str]] = {}
    for entry in book.values():
        if entry.address and not entry.secondary:
            found.setdefault(entry.person, []).append(entry.address)
    return found


def decided(book: Book, verb: str, own: str, key: str) -> addressbook.Said:
    """What one command comes to."""
    address = f"{key}@new.example"
    match verb:
        case "move":
            return decide_move(book, own, key, address, evidence="")
        case "add":
            return decide_add(book, own, key, address, evidence="")
        case "prefer":
            return decide_prefer(book, own, key, address)
        case _:
            return decide_drop(book, own, key, address)


verbs = st.sampled_from(["move", "add", "prefer", "drop"])


@given(books, st.lists(st.tuples(verbs, keys, keys), max_size=8))
def test_whatever_is_asked_everybody_keeps_one_address(
    book: Book, wishes: list[tuple[str, str, str]]
) -> None:
    """Nobody gets a second address for copies, nobody who had one is left without, but who is on
    no list; the same once more changes nothing."""
    for verb, own, key in wishes:
        before = reached(book)
        person, there = book.get(own, Entry()).person, book.get(key, Entry())
        try:
            said = decided(book, verb, own, key)
        except Refused:
            continue
        book = addressbook.after(book, said)
        if verb != "drop" or own != key:
            assert not decided(book, verb, own, key)
        now = reached(book)
        for who in {*before, *now} - ({there.person} - {person}):
            assert len(now.get(who, [])) <= max(1, len(before.get(who, [])))
            if verb != "drop" or who != person:
                assert bool(now.get(who)) == bool(before.get(who)) or verb == "prefer"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["wish", "yes", "no"]),
            st.sampled_from(["move", "add"]),
            st.sampled_from(["n1", "n2", "n3"]),
        ),
        max_size=12,
    )
)
def test_an_address_that_has_not_said_yes_is_nobodys(
    happens: list[tuple[str, Literal["move", "add"], str]],
) -> None:
    """Whatever is wished, and however questions end, only who said yes to one that waits comes to
    have an address; a second yes does nothing."""
    book: Book = {"k1": ANN}
    own, said_yes = "k1", {"k1"}
    waiting: dict[tuple[str, str], confirmation.State] = {}
    for event, verb, key in happens:
        state = waiting.get((verb, key), confirmation.State())
        if event == "wish":
            asked = ConfirmationAsked(
                list="team", action=verb, address=f"{key}@new.example", cause="c", expires=LATER
            )
            waiting[verb, key] = confirmation.State(asked=asked)
            continue
        end = confirmation.decide_use if event == "yes" else confirmation.decide_decline
        try:
            events = end(state, list_="team", by=f"mail {event}", now=NOW)
        except confirmation.NotConfirmedError:
            continue
        waiting[verb, key] = confirmation.fold(events or [])
        if event == "yes" and events:
            with suppress(Refused):
                book = addressbook.after(book, decided(book, verb, own, key))
                said_yes.add(key)
                own = key if verb == "move" else own
        assert {one for one, entry in book.items() if entry.address} <= said_yes


def test_copies_go_to_one_of_several_addresses() -> None:
    """One more changes nothing of that; preferred, copies go there, and the other stays theirs;
    what is not preferred can be taken away."""
    book: Book = {"k1": ANN}
    book = addressbook.after(book, decided(book, "add", "k1", "k2"))
    assert reached(book) == {"ann": ["ann@old.example"]}
    assert book["k2"].person == "ann"
    with pytest.raises(Refused, match="copies go to"):
        decided(book, "drop", "k2", "k1")
    book = addressbook.after(book, decided(book, "prefer", "k1", "k2"))
    assert reached(book) == {"ann": ["k2@new.example"]}
    book = addressbook.after(book, decided(book, "drop", "k2", "k1"))
    assert book["k1"] == Entry(person="ann")


def test_an_address_of_somebody_else_cannot_be_preferred_or_taken_away() -> None:
    """Nor one of nobody."""
    for verb in ("prefer", "drop"):
        for key in ("k2", "k3"):
            with pytest.raises(Refused, match="no address of whoever has"):
                decided({"k1": ANN, "k2": BOB}, verb, "k1", key)


def test_who_was_erased_is_told_from_who_was_never_known() -> None:
    """An address keeps whose it was, without anything personal."""
    after = addressbook.after({"k1": ANN}, [("k1", PersonErased(person="ann"))])
    assert after == {"k1": Entry(person="ann")}
