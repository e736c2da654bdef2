"""What is folded of people and lists does not depend on how their messages came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.analytics import bounces, deadletters, lists, membership, people, spans
from projections.analytics.deadletters import Advisory
from projections.projection import Message, Projection
from schemas.envelope import Event
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListLetterSet, ListSettings
from schemas.membership import (
    Consent,
    MemberBounced,
    MemberChanged,
    MemberMoved,
    MemberProbed,
    MemberSubscribed,
    MemberUnsubscribed,
    MemberWarned,
)
from schemas.people import AddressDropped, PersonErased, PersonKnown
from schemas.road import Parked
from schemas.spans import Span, SpanBatch
from tests.unit.projections.analysis import NOON, message, together

word = st.sampled_from(["", "a", "ann@example.org", "ein Wort"])
time = st.sampled_from([NOON, NOON + timedelta(seconds=1, microseconds=1)])
person = st.sampled_from(["a" * 24, "b" * 24])
OF_MEMBERS = st.one_of(
    st.builds(MemberSubscribed, how=word, consent=st.none() | st.just(Consent(answered="m"))),
    st.builds(MemberUnsubscribed, reason=word),
    st.builds(MemberChanged, reason=word),
    st.builds(MemberMoved, at=time),
    st.builds(MemberBounced, kind=st.sampled_from(["hard", "unknown"]), at=time, said=word),
    st.builds(MemberProbed, mail_id=word, at=time),
    st.builds(MemberWarned, number=st.integers(1, 3), at=time),
)
OF_LISTS = st.one_of(
    st.builds(ListCreated, slug=st.just("team"), address=word, settings=st.just(ListSettings())),
    st.builds(ListConfigured, changes=st.dictionaries(word, st.tuples(word, word), max_size=2)),
    st.builds(ListLetterSet, letter=word, old=word, new=word),
    st.builds(ListClosed, reason=word),
)
OF_PEOPLE = st.one_of(
    st.builds(PersonKnown, person=person, address=word, secondary=st.booleans()),
    st.builds(PersonErased, person=person),
    st.builds(AddressDropped, person=person),
)
PARKED = st.builds(
    Parked,
    stream=word,
    seq=st.integers(0, 9),
    subject=word,
    durable=word,
    reason=word,
    family=st.just("bug"),
)
ADVISORY = st.builds(Advisory, type=word, stream=word, consumer=word, stream_seq=st.integers(0, 9))
SPAN = st.builds(
    Span,
    trace=word,
    span=word,
    name=word,
    service=word,
    start=st.integers(0, 2**60),
    end=st.integers(0, 2**60),
    attributes=st.dictionaries(word, word),
)
BATCH = st.lists(SPAN, max_size=3).map(lambda some: SpanBatch(spans=tuple(some)))


def said(events: st.SearchStrategy[Any], *subjects: str) -> st.SearchStrategy[list[Message]]:
    """Messages of events, in sequence."""
    pairs = st.tuples(st.sampled_from(subjects), st.lists(events, max_size=3))
    return st.lists(pairs, max_size=12).map(
        lambda some: [message(where, seq, *what) for seq, (where, what) in enumerate(some, 1)]
    )


def plain(bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Message]]:
    """Messages that hold something else than events."""
    return st.lists(bodies, max_size=12).map(
        lambda some: [Message("x", seq, seq, body) for seq, body in enumerate(some, 1)]
    )


EACH: list[tuple[Projection, st.SearchStrategy[list[Message]]]] = [
    (membership.PROJECTION, said(OF_MEMBERS, "membership.team.a", "membership.crew.b")),
    (bounces.PROJECTION, said(OF_MEMBERS, "membership.team.a", "membership.crew.b")),
    (lists.PROJECTION, said(OF_LISTS, "lists.team", "lists.crew")),
    (people.PROJECTION, said(OF_PEOPLE, "people.0a", "people.0b")),
    (spans.PROJECTION, plain(BATCH)),
    (deadletters.PROJECTION, plain(ADVISORY) | said(PARKED, "deadletter.x.Y.1")),
]


@pytest.mark.parametrize(("projection", "some"), EACH, ids=lambda one: getattr(one, "name", ""))
@settings(max_examples=25)
@given(data=st.data())
def test_rows_are_the_same_however_messages_are_cut(
    projection: Projection, some: st.SearchStrategy[list[Message]], data: st.DataObject
) -> None:
    """Folded at once, one by one, or cut anywhere, the same rows are left, each with as many
    values as its table has columns."""
    messages = data.draw(some)
    cut = data.draw(st.integers(0, len(messages)))
    whole = together(projection, [messages])
    assert whole == together(projection, [messages[:cut], messages[cut:]])
    assert whole == together(projection, [[one] for one in messages])
    for table in projection.tables:
        assert {len(row) for row in whole[table.name]} <= {len(table.columns)}


@given(data=st.data())
@settings(max_examples=25)
def test_rows_of_people_are_those_of_what_the_stream_keeps(data: st.DataObject) -> None:
    """Once an address is nobody's, what was said of it before is overwritten in the stream; folded
    from what is left there, the tables are the same."""
    messages = data.draw(said(OF_PEOPLE, "people.0a", "people.0b").map(_single))
    ends: dict[str, int] = {}
    for one in messages:
        if not isinstance(one.body.events[0], PersonKnown):
            ends[one.subject] = one.seq
    kept = [
        one
        for one in messages
        if one.seq >= ends.get(one.subject, 0) or not isinstance(one.body.events[0], PersonKnown)
    ]
    assert together(people.PROJECTION, [messages]) == together(people.PROJECTION, [kept])


def _single(messages: Sequence[Message]) -> list[Message]:
    """Of each message the first event alone, as membership stores them."""
    firsts: list[tuple[str, int, Event]] = [
        (one.subject, one.seq, one.body.events[0]) for one in messages if one.body.events
    ]
    return [message(subject, seq, event) for subject, seq, event in firsts]
