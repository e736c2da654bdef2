"""What is known of one mail and one person: rows of the analytics, as data. Pure.

Each class names the columns that its query gives; times are UTC.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from schemas.membership import BounceKind, DeliveryMode, DeliveryStatus, Role


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all; columns that are not named here are passed over, and null is the default."""


class Mail(Row, frozen=True, kw_only=True):
    """A mail as it came in; `refused` is why it was left on its server."""

    mail: str
    ts: datetime
    source: str = ""
    folder: str = ""
    uid: int = 0
    message_id: str = ""
    subject: str = ""
    refused: str = ""


class Decision(Row, frozen=True, kw_only=True):
    """What was decided on a mail for one list, in order: of mail that was held the verdict comes
    behind it. `actor` is the envelope's."""

    list: str
    seq: int
    ts: datetime
    kind: str
    rule: str = ""
    reason: str = ""
    author: str = ""
    actor: str = ""
    subject: str = ""
    message_id: str = ""


class Posted(Row, frozen=True, kw_only=True):
    """A post at one list, or mail for its owners (whose author is not looked up): the roster that
    it was decided by, and how far its fan-out is. `fanned_out_at` is null until all its copies are
    queued."""

    list: str
    author: str = ""
    membership_seq: int = 0
    fanned_out_at: datetime | None = None
    audience: int = 0


class Period(Row, frozen=True, kw_only=True):
    """How somebody stood on a list, from the sequence `from_seq` of MEMBERSHIP until `to_seq`."""

    list: str
    role: Role
    valid_from: datetime
    from_seq: int
    valid_to: datetime | None = None
    to_seq: int | None = None
    delivery_mode: DeliveryMode = "regular"
    delivery_status: DeliveryStatus = "enabled"

    def holds(self, seq: int) -> bool:
        """Whether they stood so at this sequence."""
        return self.from_seq <= seq and (self.to_seq is None or seq < self.to_seq)

    @property
    def receives(self) -> bool:
        """Whether posts go to them."""
        on = self.delivery_mode == "regular" and self.delivery_status == "enabled"
        return self.role == "member" and on


class Change(Row, frozen=True, kw_only=True):
    """One event of somebody on a list; `event` is its type."""

    list: str
    seq: int
    ts: datetime
    event: str
    role: str = ""
    delivery_mode: str = ""
    delivery_status: str = ""
    how: str = ""
    reason: str = ""
    actor: str = ""
    since: datetime | None = None


class Queued(Row, frozen=True, kw_only=True):
    """A chunk that a copy of theirs was queued in."""

    list: str
    chunk: str
    ts: datetime
    attempt: int = 0


class Try(Row, frozen=True, kw_only=True):
    """What became of one attempt to deliver their copy. `late`: it was unanswered, and turned out
    to have arrived; `doubtful`: they may have had one before."""

    list: str
    seq: int
    ts: datetime
    chunk: str
    outcome: str
    attempt: int = 0
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    scope: str = ""
    relay: str = ""
    doubtful: bool = False
    late: bool = False


class Bounce(Row, frozen=True, kw_only=True):
    """A copy of theirs came back, or was refused, and that was counted; `report` is the mail that
    says so, empty for a refusal."""

    list: str
    ts: datetime
    kind: BounceKind
    points: float = 0.0
    score: float = 0.0
    report: str = ""
    status: str = ""
    said: str = ""
    server: str = ""
    delayed: bool = False


class Wait(Row, frozen=True, kw_only=True):
    """Why a copy that was queued has not left, and when it is tried again."""

    list: str
    chunk: str
    why: str = ""
    due: datetime | None = None


class Evidence(Row, frozen=True, kw_only=True):
    """All that is known. `lists` are addresses by slug; `without` says, by list, which wish of
    theirs kept a copy from them (`PostRouted.without`); `since` is when their address became
    theirs, `until` when it ceased to be; `waits` are from the queue as it is now. `post` is the
    mail's id. `passed` are lists of ours that a post was passed on to (`also_to`), each behind
    the slug of the list that did, as far as that is kept. `theirs`: whether a letter that names no
    person went to them, null where that is kept no more.
    A mail to members and to owners of a list was decided twice: `owners` is known of the second."""

    post: str
    address: str
    person: str = ""
    erased: bool = False
    since: datetime | None = None
    until: datetime | None = None
    current: str = ""
    lists: dict[str, str] = {}
    people: dict[str, str] = {}
    mail: Mail | None = None
    decisions: tuple[Decision, ...] = ()
    posts: tuple[Posted, ...] = ()
    periods: tuple[Period, ...] = ()
    changes: tuple[Change, ...] = ()
    queued: tuple[Queued, ...] = ()
    tries: tuple[Try, ...] = ()
    bounces: tuple[Bounce, ...] = ()
    without: dict[str, str] = {}
    waits: tuple[Wait, ...] = ()
    passed: tuple[tuple[str, str], ...] = ()
    theirs: bool | None = None
    owners: Evidence | None = None

    @property
    def subject(self) -> str:
        """The mail's Subject, as far as it is known."""
        said = [self.mail.subject if self.mail else "", *[one.subject for one in self.decisions]]
        return next(filter(None, said), "")

    @property
    def message_id(self) -> str:
        """The mail's Message-ID."""
        mine = self.mail.message_id if self.mail else ""
        return next(filter(None, [mine, *[one.message_id for one in self.decisions]]), "")
