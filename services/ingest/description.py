"""What the road is told of a mail: made of its bytes, the same whoever looks at them. Pure."""

from __future__ import annotations

from postroad.mail.identity import body_digest
from postroad.mail.opening import opening
from postroad.mail.reports import returned
from schemas.mail import HeaderFacts, RawRef
from schemas.road import MailReceived, Origin


def described(
    raw: RawRef,
    origin: Origin,
    facts: HeaderFacts,
    data: bytes,
    *,
    sender: str | None = None,
    recipients: tuple[str, ...] = (),
    waits: int = 0,
) -> MailReceived:
    """The event of a mail with these bytes and these facts (`headers.scan`), which came with this
    envelope."""
    return MailReceived(
        mail_id=raw.mail_id,
        origin=origin,
        raw=raw,
        facts=facts,
        envelope_from=sender,
        envelope_to=recipients,
        waits=waits,
        body_sha256=body_digest(data, raw.head),
        returned=returned(data, facts),
        opening=opening(data, facts.subject),
    )
