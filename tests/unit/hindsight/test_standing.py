"""Who authors were then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.hindsight.standing import Standings
from postroad.mail.senders import of_key
from projections.lists import Directory, List
from schemas.commands import WhoIs
from schemas.hindsight import Known, Life
from schemas.lists import ListCreated, ListSettings

ANN, BOB = "ann@x.example", "bob@x.example"
TEAM = List(slug="team", address="team@x.example", seq=1)
ASK = WhoIs(list="team", address=ANN, recipients=(BOB,))


def lives(*bounds: int) -> tuple[Life, ...]:
    """A member from the first to the second, from the third to the fourth, ..."""
    pairs = zip(bounds[::2], (*bounds[1::2], 0), strict=False)
    return tuple(
        Life(list="team", person="a", start=start, end=end, roles=("member",))
        for start, end in pairs
    )


def asked(*found: Life) -> Standings:
    """What is known once Ann and Bob were asked about."""
    standings = Standings()
    entries = {ANN: of_key("aa"), BOB: of_key("bb")}
    known = Known(persons={ANN: "a", BOB: "b"}, entries=entries, lives=found)
    standings.take([ANN, BOB], known)
    return standings


@given(st.lists(st.integers(1, 50), unique=True, max_size=8).map(sorted), st.integers(1, 60))
def test_somebody_is_on_a_list_from_when_they_came_until_they_left(
    bounds: list[int], moment: int
) -> None:
    """The sequence that begins a life is in it, the one that ends it is not."""
    found = asked(*lives(*bounds)).at("team", "a", moment) is not None
    assert found == (sum(each <= moment for each in bounds) % 2 == 1)


def test_who_came_later_was_a_stranger_and_who_left_was_a_member() -> None:
    """Differences come from rules, not from people who came and went."""
    standings = asked(*lives(5, 9))
    roles = [standings.author(TEAM, Directory(), ASK, moment).roles for moment in (4, 5, 9)]
    assert roles == [(), ("member",), ()]


def test_whom_the_decision_names_counts_before_whose_the_address_is_now() -> None:
    """An address that belongs to somebody else by now, or to nobody, does not change the past."""
    standings = asked(*lives(5))
    assert standings.author(TEAM, Directory(), ASK, 9, person="").roles == ()
    assert standings.author(TEAM, Directory(), ASK, 9, person="a").roles == ("member",)


def test_entries_mean_an_address_by_its_key_or_as_a_member_of_a_list() -> None:
    """Also those that are only proposed."""
    lists = Directory()
    crew = ListCreated(slug="crew", address="crew@x.example", settings=ListSettings())
    lists.fold("crew", 1, (crew,))
    settings = ListSettings(
        bans=(of_key("aa"), of_key("cc")), accept_these_nonmembers=("@crew@x.example",)
    )
    there = Life(list="crew", person="a", start=3, end=7, roles=("member",))
    known = List(slug="team", address="team@x.example", settings=settings)
    standings = asked(there)
    assert standings.author(known, lists, ASK, 2).named == (of_key("aa"),)
    assert standings.author(known, lists, ASK, 5).named == (of_key("aa"), "@crew@x.example")


def test_who_wants_no_copy_is_left_out_as_they_wanted_then() -> None:
    """An author who wants none of their own, and a member whom the post names."""
    own = Life(list="team", person="a", start=1, roles=("member",), receive_own_postings=False)
    named = Life(
        list="team", person="b", start=1, end=6, roles=("member",), receive_list_copy=False
    )
    standings = asked(own, named)
    both = {"b": "receive_list_copy", "a": "receive_own_postings"}
    assert standings.author(TEAM, Directory(), ASK, 5).without == both
    assert standings.author(TEAM, Directory(), ASK, 6).without == {"a": "receive_own_postings"}
    assert standings.author(TEAM, Directory(), ASK, 5, without={}).without == {}


def test_nobody_is_asked_about_twice() -> None:
    """A question costs a question to membership: each name once."""
    assert asked().unknown([ANN, BOB, "", "c@x.example", "c@x.example", "a"]) == ["c@x.example"]
