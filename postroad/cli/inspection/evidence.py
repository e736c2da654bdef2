"""A mail's bytes, read within bounds, and what ingest would tell the road of them."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from dataclasses import dataclass

from postroad.mail import bounce
from postroad.mail.headers import scan
from postroad.runtime.blobs import CHUNK
from postroad.runtime.errors import UsageError
from postroad.runtime.settings import Source
from schemas.mail import RawRef
from schemas.road import MailReceived, Origin
from services.ingest.description import described

LARGEST = 32 << 20  # octets that are looked at; sources take 25 MB by default


@dataclass(frozen=True)
class Evidence:
    """One mail: its first 32 MiB, its size in octets as far as it is known, what the road would be
    told of it, and what it reports if it is a bounce."""

    data: bytes
    size: int
    mail: MailReceived
    bounce: bounce.Bounce | None

    @property
    def cut(self) -> bool:
        """Whether there is more of it than was looked at."""
        return self.size > len(self.data)


def octets(file: str) -> tuple[bytes, int]:
    """What is in a file, or on standard input (`-`), and how much there is. Raises UsageError."""
    if file == "-":
        data = sys.stdin.buffer.read(LARGEST + 1)
        return data[:LARGEST], len(data)
    try:
        with open(file, "rb") as stream:  # noqa: PTH123  a name such as `a\\n` is no path of ours
            data = stream.read(LARGEST + 1)
            status = os.fstat(stream.fileno())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{file!r} cannot be read: {why}; give a file, or - for stdin") from None
    size = status.st_size if stat.S_ISREG(status.st_mode) else len(data)
    return data[:LARGEST], max(size, len(data))


def evidence(data: bytes, size: int, source: Source) -> Evidence:
    """What ingest would tell of a mail that came by this source. Any bytes will do."""
    facts, head = scan(data, source.recipient_headers)
    digest = hashlib.sha256(data).hexdigest()
    raw = RawRef(
        mail_id=digest[:32], chunks=-(-size // CHUNK) or 1, size=size, sha256=digest, head=head
    )
    mail = described(raw, Origin(source=source.name), facts, data)
    return Evidence(data, size, mail, bounce.read(data, facts, mail.envelope_from))
