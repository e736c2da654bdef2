"""The post of the demo: a text in several scripts, and a picture attached."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from postroad.cli.demo.scene import AUTHOR, LIST, LIST_NAME, MEMBERS

SUBJECT = "Grüße aus Zürich"
TEXT = """\
Dear all,

the road is open: from Zürich by way of Kraków to São Paulo, with tea (お茶) at noon.
.This line begins with a dot, which SMTP doubles on its way and undoubles again.

A picture is attached.

Anna
"""
_PICTURE = 96  # pixels, each way
_PALETTE = bytes.fromhex("87ceeb 4f9d4f 555555 f5f5f5")  # sky, grass, road, line


def letter(now: datetime) -> bytes:
    """The mail in the form SMTP carries: 8-bit text, CRLF line ends, the last one included."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(MEMBERS[AUTHOR], addr_spec=AUTHOR)
    message["To"] = Address(LIST_NAME, addr_spec=LIST)
    message["Subject"] = SUBJECT
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid("demo", domain=AUTHOR.partition("@")[2])
    message.set_content(TEXT, cte="8bit")
    message.add_attachment(picture(), maintype="image", subtype="png", filename="Straße.png")
    return message.as_bytes()


def picture() -> bytes:
    """A road to the horizon, as PNG with a palette (ISO/IEC 15948)."""
    rows = b"".join(b"\0" + bytes(_colour(x, y) for x in range(_PICTURE)) for y in range(_PICTURE))
    header = struct.pack(">IIBBBBB", _PICTURE, _PICTURE, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", _PALETTE),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _colour(x: int, y: int) -> int:
    """The index in the palette: sky above, below it a road that widens towards us."""
    nearness = y - _PICTURE // 3
    if nearness < 0:
        return 0
    aside = abs(2 * x - _PICTURE)
    if aside > nearness:
        return 1
    return 3 if aside < nearness // 16 + 1 and nearness % 16 < 8 else 2
