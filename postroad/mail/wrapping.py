"""A mail wrapped into another: what Mailman's `wrap_message` does. Pure, and never raises.

For authors whose domain wants no mail but its own under its name: the list's mail has the author's
as its only content, unchanged, so that its signatures hold inside. Who sends it gives the outer
mail its From; the fields by which readers sort and answer are there as well.
"""

from __future__ import annotations

from postroad.mail import wire
from postroad.mail.edits import apply
from postroad.mail.fields import fields
from postroad.mail.listheaders import cleansed

_OUTSIDE = frozenset(
    (
        *("from", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to"),
        # what tells programs that no person wrote it, or where it has been
        *("references", "auto-submitted", "precedence", "x-beenthere", "x-postroad-trace"),
    )
)


def wrapped(data: bytes, head: int) -> tuple[bytes, int]:
    """A mail with the one whose body begins at `head` in it, and where its own body begins.

    Fields that are not for members (`cleansed`) are inside neither.
    """
    block = apply(wire.canonical(data[:head]), cleansed())
    outside = b"".join(
        block[field.start : field.end]
        for field in fields(block)
        if field.name.lower().decode("ascii") in _OUTSIDE
    )
    encoding = b"7bit" if data.isascii() else b"8bit"
    outside += (
        b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Disposition: inline\r\n"
        b"Content-Transfer-Encoding: %b\r\n\r\n" % encoding
    )
    return b"".join((outside, block, data[head:])), len(outside)
