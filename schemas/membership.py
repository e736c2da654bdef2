"""Events of one person on one list. No personal data: a person is a random id."""

from __future__ import annotations

from typing import Literal

from schemas.envelope import Event

Role = Literal["member", "owner", "moderator"]
DeliveryMode = Literal["regular", "none"]
DeliveryStatus = Literal["enabled", "by_user", "by_bounces", "by_moderator"]
Moderation = Literal["", "defer", "accept", "hold", "reject", "discard"]


class MemberSubscribed(Event, tag="member_subscribed", kw_only=True):
    """A person has this role on the list from now on."""

    role: Role = "member"
    delivery_mode: DeliveryMode = "regular"
    delivery_status: DeliveryStatus = "enabled"
    how: str = ""  # command line, import, mail, web


class MemberUnsubscribed(Event, tag="member_unsubscribed", kw_only=True):
    """A person has this role no more."""

    role: Role = "member"
    how: str = ""


class MemberChanged(Event, tag="member_changed", kw_only=True):
    """Options changed; None leaves an option as it was."""

    delivery_mode: DeliveryMode | None = None
    delivery_status: DeliveryStatus | None = None
    moderation_action: Moderation | None = None
    how: str = ""
