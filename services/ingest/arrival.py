"""One mail as a source has it, but for its bytes."""

from __future__ import annotations

import msgspec

from schemas.road import Origin


class Arrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A mail that came. `mail_id` is the same whenever the mail is met; `size` in octets, as the
    source tells it.

    `sender` and `recipients` are the envelope, where the source knows it: addresses without
    brackets, `sender` empty for the null sender (`MAIL FROM:<>`), None for none known.
    `trace` is the Received field that the mail is to have as its first, where it comes without.
    `fetched`: when its bytes were asked for, or began to come, and were had (ns since the epoch),
    with how many mails.
    """

    mail_id: str
    origin: Origin
    size: int
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    trace: bytes = b""
    waits: int = 0  # seconds; see MailReceived
    fetched: tuple[int, int, int] | None = None
