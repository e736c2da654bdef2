"""Bounces, as membership answers them (`schemas.commands.Answer`). Never stored."""

from __future__ import annotations

from schemas.mail import Data
from schemas.membership import BounceKind, DeliveryStatus


class BounceRow(Data, kw_only=True):
    """One bounce (see `MemberBounced`), and how its member stands now: `score`, `delivery_status`,
    how often they were warned, when they were `probed`, whether they are a `member` still. Times
    are RFC 3339; `why` says it in words, `said` is the server's, `server` the host that reports it;
    `post` and `report` are mail ids, `subject` the post's."""

    address: str
    delivery_status: DeliveryStatus
    score: float
    warnings: int = 0
    probed: str = ""
    member: bool = True
    time: str
    kind: BounceKind
    points: float = 0.0
    status: str = ""
    why: str = ""
    said: str = ""
    server: str = ""
    post: str = ""
    subject: str = ""
    report: str = ""
    incident: bool = False
