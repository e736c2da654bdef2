"""What is folded of people and lists, and what the views over it say."""

from __future__ import annotations

from projections.analytics import membership
from schemas.membership import MemberChanged, MemberSubscribed, MemberUnsubscribed
from tests.unit.projections.analysis import Analysis, message


def test_a_person_stands_as_their_last_events_say() -> None:
    """A state lasts until the next message that changes it, and none is left after leaving."""
    made = Analysis()
    made.fold(
        membership.PROJECTION,
        [
            message("membership.team.a", 1, MemberSubscribed(how="mail")),
            message("membership.team.a", 2, MemberChanged(delivery_status="by_bounces")),
            message("membership.team.b", 3, MemberSubscribed(role="owner"), MemberSubscribed()),
            message("membership.team.a", 4, MemberUnsubscribed(how="mail")),
        ],
    )
    told = "select person, role, from_seq, to_seq, delivery_status from memberships order by all"
    assert made.rows(told) == [
        ("a", "member", 1, 2, "enabled"),
        ("a", "member", 2, 4, "by_bounces"),
        ("b", "member", 3, None, "enabled"),
        ("b", "owner", 3, None, "enabled"),
    ]
