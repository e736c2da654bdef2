"""The id of a mail, made from where it was found: reading a mail twice gives the same id."""

from __future__ import annotations

import hashlib


def mail_id(
    source: str, folder: str, uidvalidity: int, uid: int, arrived_ms: int, size: int
) -> str:
    """32 hex digits laid out as a UUIDv7 (RFC 9562 5.7), so that ids sort by arrival.

    Its time is the arrival (milliseconds since 1970), its random bits come from SHA-256 over all
    arguments. It is also the trace id of the mail, and never all zero.
    """
    place = (source, folder, uidvalidity, uid, arrived_ms, size)
    digest = int.from_bytes(hashlib.sha256(repr(place).encode()).digest()[:10], "big")
    time = arrived_ms & (1 << 48) - 1
    random_a, random_b = digest >> 68, digest & (1 << 62) - 1
    return f"{time << 80 | 7 << 76 | random_a << 64 | 2 << 62 | random_b:032x}"
