"""The roster as tables: what was stored is what stands there, now and at every earlier moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections import roster
from projections import rosterqueries as queries
from projections.roster import Message
from projections.store import Schema, Store
from schemas.envelope import Envelope, Event
from schemas.membership import MemberChanged, MemberMoved, MemberSubscribed, MemberUnsubscribed
from schemas.people import AddressDropped, PersonErased, PersonKnown
from services.membership import decider
from services.membership.feed import standings

SCHEMA = Schema(version=roster.VERSION, tables=roster.TABLES, streams=roster.STREAMS)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

roles = st.sampled_from(["member", "owner", "nonmember"])
stored = st.one_of(
    st.builds(MemberSubscribed, role=roles, delivery_mode=st.sampled_from(["regular", "none"])),
    st.builds(MemberUnsubscribed, role=roles),
    st.just(MemberMoved(at=NOON)),
    st.builds(
        MemberChanged,
        delivery_status=st.sampled_from([None, "enabled", "by_user"]),
        receive_own_postings=st.none() | st.booleans(),
        receive_list_copy=st.none() | st.booleans(),
        preferred_language=st.sampled_from([None, "", "de"]),
    ),
)
subjects = st.sampled_from(["membership.team.a", "membership.team.b", "membership.crew.a"])
histories = st.lists(st.tuples(subjects, stored), max_size=30)


def messages(*said: tuple[str, Event], first: int = 1) -> list[Message]:
    """What was said of whom, one message an hour from sequence `first` on."""
    return [
        (
            subject,
            first + number,
            Envelope(id="", ts=NOON + timedelta(hours=number), correlation="", events=(event,)),
        )
        for number, (subject, event) in enumerate(said)
    ]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty roster."""
    opened = await Store.open(tmp_path / "roster.duckdb", SCHEMA)
    yield opened
    await opened.close()


async def fold(store: Store, said: Sequence[Message]) -> None:
    """Take in messages of MEMBERSHIP as one batch."""
    after = store.checkpoints["MEMBERSHIP"]
    current = await standings(store, roster.keys_of(said))
    changes = roster.fold_membership(current, said)
    upto = max((seq for _, seq, _ in said), default=after)
    await store.apply(changes, stream="MEMBERSHIP", after=after, upto=upto)


async def know(store: Store, *said: tuple[str, Event]) -> None:
    """Take in messages of PEOPLE as one batch."""
    after = store.checkpoints["PEOPLE"]
    changes = roster.fold_people(messages(*said, first=after + 1))
    await store.apply(changes, stream="PEOPLE", after=after, upto=after + len(said))


def known(person: str, address: str) -> PersonKnown:
    """Somebody at this address."""
    return PersonKnown(person=person, address=address, display_name=person.upper())


async def audience(store: Store, as_of: int, after: str = "", upto: str = "") -> list[Any]:
    """Who receives posts to the team."""
    asked = {"list": "team", "as_of": as_of, "after": after, "upto": upto}
    return await store.read(queries.AUDIENCE, asked)


def open_rows(
    current: dict[roster.Key, roster.Standing], said: Sequence[Message]
) -> dict[roster.Key, roster.Standing]:
    """The rows that stand after a batch, worked out from its changes as the tables would."""
    ended, begun = roster.fold_membership(current, said)
    gone = {(row[0], row[1]) for row in ended.rows}
    rows = {key: standing for key, standing in current.items() if key not in gone}
    new = {(r[0], r[1]): queries.standing_of(r[2:-1]) for r in begun.rows if r[-1] is None}
    assert not rows.keys() & new.keys()  # a person has one open row
    return rows | new


@given(said=histories, cut=st.integers(0, 30))
def test_the_roster_says_what_the_decider_says(said: list[tuple[str, Event]], cut: int) -> None:
    """Folded in one batch or in two, the rows that stand now are the states the decider has."""
    everything = messages(*said)
    found = open_rows(open_rows({}, everything[:cut]), everything[cut:])
    assert found == open_rows({}, everything)
    for subject in {subject for subject, _ in said}:
        events = [event for whom, event in said if whom == subject]
        state = reduce(decider.evolve, events, decider.initial)
        _, list_, person = subject.split(".")
        standing = found.get((list_, person), roster.NOBODY)
        assert standing.roles == state.roles
        for option in (
            "delivery_mode",
            "delivery_status",
            "moderation",
            "receive_own_postings",
            "receive_list_copy",
            "preferred_language",
        ):
            assert getattr(standing, option) == getattr(state, option)
        assert standing.receives == state.receives


@given(histories)
def test_changes_of_one_batch_end_where_the_next_begin(said: list[tuple[str, Event]]) -> None:
    """The rows of one person follow one another without gap or overlap, and only the last is
    open."""
    _, opened = roster.fold_membership({}, messages(*said))
    spans: dict[tuple[str, str], list[tuple[int, int | None]]] = {}
    for row in opened.rows:
        spans.setdefault((row[0], row[1]), []).append((row[-2], row[-1]))
    for span in spans.values():
        ordered = sorted(span, key=lambda one: one[0])
        for (start, end), (begin, _) in pairwise(ordered):
            assert end is not None
            assert start < end <= begin


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=histories, cut=st.integers(0, 30), as_of=st.integers(0, 31))
async def test_the_past_is_a_plain_fold_up_to_there(
    tmp_path_factory: pytest.TempPathFactory,
    said: list[tuple[str, Event]],
    cut: int,
    as_of: int,
) -> None:
    """Who was on a list at any sequence is what a fold of the log up to it says, in whatever
    batches the tables were folded, and whatever came after."""
    everything = messages(*said)
    store = await Store.open(tmp_path_factory.mktemp("past") / "roster.duckdb", SCHEMA)
    try:
        await fold(store, everything[:cut])
        await fold(store, everything[cut:])
        for role in ("member", "owner", "nonmember"):
            asked = {"list": "team", "role": role, "as_of": as_of, "after": "", "limit": 10}
            rows = await store.read(queries.PAST, asked)
            count = {name: asked[name] for name in ("list", "role", "as_of")}
            assert await store.read(queries.PAST_COUNT, count) == [(len(rows),)]
            found = {row[0]: queries.standing_of(row[4:]) for row in rows}
            for person in ("a", "b"):
                subject = f"membership.team.{person}"
                past = [event for whom, event in said[:as_of] if whom == subject]
                state = reduce(decider.evolve, past, decider.initial)
                assert (person in found) == (role in state.roles)
                if person in found:
                    standing = found[person]
                    assert standing.roles == state.roles
                    assert standing.delivery_mode == state.delivery_mode
                    assert standing.delivery_status == state.delivery_status
    finally:
        await store.close()


somebody = st.sampled_from([(f"people.k{n}", person) for n in range(12) for person in ("a", "b")])
people = st.lists(
    st.tuples(somebody, st.booleans()).map(
        lambda one: (
            one[0][0],
            known(one[0][1], f"{one[0][0][7:]}@x.org")
            if one[1]
            else PersonErased(person=one[0][1]),
        )
    ),
    max_size=30,
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=histories, told=people, size=st.integers(1, 12))
async def test_a_rebuilt_roster_is_the_live_one(
    tmp_path_factory: pytest.TempPathFactory,
    said: list[tuple[str, Event]],
    told: list[tuple[str, Event]],
    size: int,
) -> None:
    """Folded as it came, a few messages at a time, and all at once in a new file: every row of
    every table is the same."""
    place = tmp_path_factory.mktemp("rebuilt")
    everything = messages(*said)
    tables = []
    for name, portion in (("live", size), ("new", 30)):
        store = await Store.open(place / f"{name}.duckdb", SCHEMA)
        try:
            for at in range(0, 30, portion):
                await fold(store, everything[at : at + portion])
                await know(store, *told[at : at + portion])
            rows = [
                await store.read(f"from {table} order by all") for table in ("member", "people")
            ]
        finally:
            await store.close()
        tables.append(rows)
    assert tables[0] == tables[1]


async def test_an_earlier_moment_can_be_asked_for(store: Store) -> None:
    """A post goes to whoever received posts when it was routed and still does; who left since,
    or joined since, is not among them."""
    await know(
        store,
        ("people.k1", known("a", "a@x.org")),
        ("people.k2", known("b", "b@x.org")),
        ("people.k3", known("c", "c@x.org")),
    )
    await fold(
        store,
        messages(
            ("membership.team.a", MemberSubscribed()),
            ("membership.team.b", MemberSubscribed()),
            ("membership.team.b", MemberUnsubscribed()),
            ("membership.team.c", MemberSubscribed()),
            ("membership.team.a", MemberChanged(moderation_action="hold")),
        ),
    )
    assert [row[0] for row in await audience(store, as_of=2)] == ["a"]
    assert [row[0] for row in await audience(store, as_of=5)] == ["a", "c"]
    assert [row[0] for row in await audience(store, as_of=5, after="a")] == ["c"]


@given(
    members=st.integers(0, 3_000_000),
    person=st.one_of(st.text("0123456789abcdef", min_size=24, max_size=24), st.text(min_size=1)),
)
def test_everybody_is_in_one_slice(members: int, person: str) -> None:
    """However many members a list has, and whatever ids they have, each stands in exactly one
    slice of its audience, and slices of random ids are of the size that was meant."""
    slices = queries.slices(members)
    holding = [
        (after, upto)
        for after, upto in pairwise(["", *slices])
        if after < person and (upto == "" or person <= upto)
    ]
    assert len(holding) == 1
    shares = [int(upto, 16) / 2**32 for upto in slices[:-1]]
    sizes = [(end - start) * members for start, end in pairwise([0.0, *shares, 1.0])]
    assert max(sizes) <= queries.SLICE + 1
    assert sizes[0] <= queries.FIRST + 1


async def test_who_was_away_then_gets_nothing_now(store: Store) -> None:
    """Somebody enabled again after a post was routed did not receive posts then."""
    await know(store, ("people.k1", known("a", "a@x.org")))
    await fold(
        store,
        messages(
            ("membership.team.a", MemberSubscribed()),
            ("membership.team.a", MemberChanged(delivery_status="by_user")),
            ("membership.team.a", MemberChanged(delivery_status="enabled")),
        ),
    )
    assert [len(await audience(store, as_of=seq)) for seq in (1, 2, 3)] == [1, 0, 1]


async def test_options_survive_and_the_first_day_is_kept(store: Store) -> None:
    """`since` is when somebody came onto the list, whatever changed later."""
    await know(store, ("people.k1", known("a", "a@x.org")))
    await fold(store, messages(("membership.team.a", MemberSubscribed())))
    changed = MemberChanged(delivery_mode="none", moderation_action="accept")
    await fold(store, messages(("membership.team.a", changed), first=2))
    page = {"list": "team", "role": "member", "after": "", "limit": 10}
    ((address, name, also, *row),) = await store.read(queries.PAGE, page)
    found = queries.standing_of(row)
    assert (address, name, also) == ("a@x.org", "A", None)
    assert (found.delivery_mode, found.moderation) == ("none", "accept")
    assert found.since == NOON.replace(tzinfo=None)


@pytest.mark.parametrize(("told", "since"), [(-1, -1), (1, 0), (None, 0)])
async def test_who_was_there_in_another_list_system_keeps_the_day(
    store: Store, told: int | None, since: int
) -> None:
    """`since` is what the event says of the time before it, and never a day to come; a later role
    changes nothing of it."""
    before = None if told is None else NOON + timedelta(days=told)
    said = MemberSubscribed(since=before)
    again = MemberSubscribed(role="owner", since=NOON - timedelta(days=9))
    await fold(store, messages(("membership.team.a", said), ("membership.team.a", again)))
    rows = await standings(store, {("team", "a")})
    assert rows["team", "a"].since == (NOON + timedelta(days=since)).replace(tzinfo=None)


async def test_who_was_a_stranger_came_when_they_joined(store: Store) -> None:
    """`since` of a member is not that of the nonmember they were before."""
    stranger = MemberSubscribed(role="nonmember")
    said = messages(("membership.team.a", stranger), ("membership.team.a", MemberSubscribed()))
    await fold(store, said[:1])
    await fold(store, said[1:])
    rows = await standings(store, {("team", "a")})
    assert rows["team", "a"].since == (NOON + timedelta(hours=1)).replace(tzinfo=None)


async def test_a_page_holds_one_role_in_order_of_address(store: Store) -> None:
    """`member ls` shows who has the role asked for, a page at a time."""
    await know(store, *((f"people.{n}", known(n, f"{n}@x.org")) for n in ("c", "a", "b", "o")))
    said = [(f"membership.team.{n}", MemberSubscribed()) for n in ("a", "b", "c")]
    owner = ("membership.team.o", MemberSubscribed(role="owner"))
    await fold(store, messages(*said, owner))
    page = {"list": "team", "role": "member", "after": "a@x.org", "limit": 1}
    assert [row[0] for row in await store.read(queries.PAGE, page)] == ["b@x.org"]
    owners = {"list": "team", "role": "owner", "after": "", "limit": 9}
    assert [row[0] for row in await store.read(queries.PAGE, owners)] == ["o@x.org"]
    assert await store.read(queries.COUNTS, {"lists": ["team"]}) == [("team", 3, 1, 0)]


async def test_an_erased_address_is_gone_from_the_tables(store: Store) -> None:
    """Erasing leaves the row, so that readers know it was somebody, and nothing personal in it."""
    await know(store, ("people.k1", known("a", "a@x.org")))
    await know(store, ("people.k1", PersonErased(person="a")))
    assert await store.read("select person, address, name, domain from people") == [
        ("a", None, "", "")
    ]
    assert await store.read(queries.PERSON, {"key": "k1"}) == []


async def test_who_has_several_addresses_is_shown_once(store: Store) -> None:
    """Copies go to the one that is not secondary, however old; an address that was left, or that is
    somebody else's now, is nobody's row in a list, and whose it was is still known."""
    await know(
        store,
        ("people.k1", known("a", "a@x.org")),
        ("people.k2", PersonKnown(person="a", address="second@y.org", secondary=True)),
        ("people.k3", known("a", "left@z.org")),
        ("people.k3", AddressDropped(person="a")),
        ("people.k4", known("b", "b@x.org")),
        ("people.k4", AddressDropped(person="b")),
        ("people.k4", known("c", "b@x.org")),
    )
    joined = [(f"membership.team.{one}", MemberSubscribed()) for one in "abc"]
    await fold(store, messages(*joined, ("membership.team.b", MemberUnsubscribed())))
    page = {"list": "team", "role": "member", "after": "", "limit": 10}
    rows = await store.read(queries.PAGE, page)
    assert [(row[0], row[2]) for row in rows] == [
        ("a@x.org", ["second@y.org"]),
        ("b@x.org", None),
    ]
    assert {row[0]: row[2] for row in reversed(await audience(store, as_of=9))} == {
        "a": "a@x.org",
        "c": "b@x.org",
    }
    past = await store.read(queries.PAST, page | {"as_of": 3})
    assert [row[:3] for row in past if row[0] != "a"] == [("b", True, None), ("c", True, "b@x.org")]
    assert await store.read(queries.PERSON, {"key": "k2"}) == [("a",)]
    assert await store.read(queries.ADDRESS, {"person": "a"}) == [("a@x.org",)]
    assert await store.read(queries.PERSON, {"key": "k3"}) == []


async def test_the_newest_address_of_a_person_comes_first(store: Store) -> None:
    """Of somebody's addresses the one recorded last is where mail goes; another name for the
    same address replaces the old one."""
    await know(
        store, ("people.k1", known("a", "old@x.org")), ("people.k2", known("a", "new@y.org"))
    )
    await know(store, ("people.k2", known("a", "New@y.org")))
    await fold(store, messages(("membership.team.a", MemberSubscribed())))
    rows = await audience(store, as_of=1)
    assert [(row[2], row[3]) for row in rows] == [("New@y.org", "y.org"), ("old@x.org", "x.org")]


def test_unknown_events_change_nothing() -> None:
    """An event that is not about membership leaves every row as it was."""
    said = messages(("membership.team.a", known("a", "a@x.org")))
    assert [change.rows for change in roster.fold_membership({}, said)] == [[], []]
    assert reduce(roster.after, [known("a", "")], roster.NOBODY) == roster.NOBODY
