"""One mail as a source has it, but for its bytes."""

from __future__ import annotations

import re

import msgspec

from schemas.road import Origin

_PLAIN = re.compile(r"[\w.,:+=#~/-]+", re.ASCII)  # nothing that a shell or terminal understands
_ESCAPED_AT = re.compile(r"(?<!,[SW])=40")  # but sizes begin so


class Arrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A mail that came. `mail_id` is the same whenever the mail is met; `size` in octets, as the
    source tells it.

    `sender` and `recipients` are the envelope, where the source knows it: addresses without
    brackets, `sender` empty for the null sender (`MAIL FROM:<>`), None for none known.
    `trace` is the Received field that the mail is to have as its first, where it comes without.
    `fetched`: when its bytes were asked for, or began to come, and were had (ns since the epoch),
    with how many mails. `inode` is that of its file, where it is one.
    """

    mail_id: str
    origin: Origin
    size: int
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    trace: bytes = b""
    waits: int = 0  # seconds; see MailReceived
    fetched: tuple[int, int, int] | None = None
    inode: int = 0

    @property
    def found_as(self) -> str:
        """Its name at its source, as it may be logged; "" where there is none, where a server may
        have made it of an address, and where it may be more than a name to whoever reads it."""
        name = self.origin.name
        return name if _PLAIN.fullmatch(name) and not _ESCAPED_AT.search(name) else ""
