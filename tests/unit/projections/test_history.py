"""A history says each event once, with what it changed, whatever kind it is of."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from projections import history, roster
from schemas.envelope import Envelope, Event
from schemas.lists import ListClosed
from schemas.membership import MemberChanged, MemberSubscribed, MemberUnsubscribed
from schemas.people import PersonErased, PersonKnown

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
roles = st.sampled_from(["member", "owner"])
events = st.one_of(
    st.builds(MemberSubscribed, role=roles, delivery_mode=st.sampled_from(["regular", "none"])),
    st.builds(MemberUnsubscribed, role=roles),
    st.builds(MemberChanged, delivery_status=st.sampled_from([None, "enabled", "by_user"])),
)


def said(*events: Event) -> list[Envelope]:
    """An envelope for each."""
    return [Envelope(id="", ts=NOON, correlation="", events=(event,)) for event in events]


def test_a_life_is_told_in_words() -> None:
    """Joining, leaving and roles have words of their own; options are told old and new, and
    leaving does not tell that it forgets them."""
    told = history.of_member(
        said(
            MemberSubscribed(delivery_mode="none", how="import"),
            MemberSubscribed(role="owner"),
            MemberChanged(delivery_status="by_user", moderation_action="hold", how="mail"),
            MemberUnsubscribed(role="owner"),
            MemberUnsubscribed(),
        )
    )
    assert [(one.what, one.changes, one.how) for one in told] == [
        ("joined", (("delivery_mode", "regular", "none"),), "import"),
        ("became owner", (), ""),
        (
            "changed",
            (
                ("delivery_status", "enabled", "by_user"),
                ("moderation_action", "", "hold"),
            ),
            "mail",
        ),
        ("is owner no more", (), ""),
        ("left", (), ""),
    ]


def test_an_event_without_words_of_its_own_is_told_by_its_fields() -> None:
    """What a later part of the system stores about a member is in the history at once."""
    (told,) = history.of_member(said(ListClosed(reason="of another kind")))
    assert (told.event, told.what, told.reason) == ("list_closed", "list closed", "of another kind")


def test_nothing_personal_is_told_of_people() -> None:
    """That somebody became known and was erased is told without name and address."""
    known = PersonKnown(person="a", address="a@x.org", display_name="Ann", evidence="import")
    told = list(history.of_person(said(known, PersonErased(person="a"))))
    assert [(one.what, one.how, one.changes) for one in told] == [
        ("became known", "import", ()),
        ("erased", "", ()),
    ]


@given(st.lists(events, max_size=12))
def test_the_changes_told_lead_from_each_standing_to_the_next(lived: list[Event]) -> None:
    """Of every event but leaving, old and new are those of the roster's own fold."""
    standing = roster.NOBODY
    for event, told in zip(lived, history.of_member(said(*lived)), strict=True):
        before, standing = standing, roster.after(standing, event)
        for name, old, new in told.changes:
            field = {"moderation_action": "moderation"}.get(name, name)
            assert (getattr(before, field), getattr(standing, field)) == (old, new)
        if not isinstance(event, MemberUnsubscribed):
            same = ("delivery_mode", "delivery_status", "moderation")
            differing = {name for name in same if getattr(before, name) != getattr(standing, name)}
            assert len(differing) == len(told.changes)
    assert reduce(roster.after, lived, roster.NOBODY) == standing
