"""Events of one person on one list. No personal data: a person is a random id."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from schemas.envelope import Event
from schemas.mail import Data

# a nonmember is a stranger whom somebody decided on: there is a moderation for them, and no mail
Role = Literal["member", "owner", "moderator", "nonmember"]
DeliveryMode = Literal["regular", "none"]
DeliveryStatus = Literal["enabled", "by_user", "by_bounces", "by_moderator"]
BounceKind = Literal[
    "hard", "full", "policy", "soft", "autoreply", "challenge", "complaint", "unknown"
]
Moderation = Literal["", "defer", "accept", "hold", "reject", "discard"]


class Consent(Data, kw_only=True):
    """How somebody agreed to a role, by ids that anyone with the streams can look up. `asked` is
    the mail or command that had them asked, `text` the name of the words they were asked in and a
    digest of these, `token` the MAC of the token they answered by (never itself), `answered` the
    mail that said yes. Of who asked for it in a mail of their own, only `answered`."""

    asked: str = ""
    text: str = ""
    token: str = ""
    answered: str = ""


class MemberSubscribed(Event, tag="member_subscribed", kw_only=True):
    """A person has this role on the list from now on. `since` is when they came onto the list where
    that was before: in another list system, or here, for whom an undo or an import brings back.
    `consent` is theirs, by mail; where there is none, the envelope's actor vouches for it."""

    role: Role = "member"
    delivery_mode: DeliveryMode = "regular"
    delivery_status: DeliveryStatus = "enabled"
    how: str = ""  # command line, import, mail, web
    since: datetime | None = None
    consent: Consent | None = None


class MemberUnsubscribed(Event, tag="member_unsubscribed", kw_only=True):
    """A person has this role no more. `reason` says why, where it was not the member."""

    role: Role = "member"
    how: str = ""
    reason: str = ""


class MemberChanged(Event, tag="member_changed", kw_only=True):
    """Options changed; None leaves an option as it was. `preferred_language` is that of letters to
    them, empty for the list's. `reason` says why, where it was not the
    member, in words without an address."""

    delivery_mode: DeliveryMode | None = None
    delivery_status: DeliveryStatus | None = None
    moderation_action: Moderation | None = None
    receive_own_postings: bool | None = None
    receive_list_copy: bool | None = None
    preferred_language: str | None = None
    how: str = ""
    reason: str = ""


class MemberMoved(Event, tag="member_moved", kw_only=True):
    """The person is reached at another address since `at`; what came back before is of no account.
    Which address it is PEOPLE knows."""

    at: datetime
    how: str = ""


class MemberBounced(Event, tag="member_bounced", kw_only=True):
    """A copy came back, or was refused, `at` a time: the evidence of it. `points` is what it counts
    and `score` what there is with it. `post` is the mail id of what did not arrive, `report` that
    of the mail that says so (empty where the server refused the copy itself); a report without a
    token is not `proved`. `status` is an enhanced code (RFC 3463), `said` what was said, without
    addresses, and `server` the host that reports it. With `incident` many at the same provider
    failed at once, which counts once. What is `delayed` may still arrive. The kind `unknown` was
    one before 2026-11-21: today's `hard`."""

    kind: BounceKind
    at: datetime
    points: float = 0.0
    score: float = 0.0
    post: str = ""
    report: str = ""
    status: str = ""
    said: str = ""
    server: str = ""
    incident: bool = False
    proved: bool = True
    delayed: bool = False


class MemberProbed(Event, tag="member_probed", kw_only=True):
    """A letter goes out, `at` a time, to see whether it comes back as others did: the mail
    `mail_id`. The score starts anew; delivery stops where that letter comes back."""

    mail_id: str
    at: datetime


class MemberWarned(Event, tag="member_warned", kw_only=True):
    """Somebody whose delivery bounces have stopped is written to, `at` a time, the `number`th."""

    number: int
    at: datetime
