"""What we measure ourselves by: what is asked of Postroad, what others reach, what this machine
does at its best.

The peers were measured with 4 KB mails over loopback, without TLS, on two vCPUs (AMD EPYC, KVM;
Debian 12) in November 2026: Mailman 3.3.10 with SQLite, mlmmj 1.3.0 with a receiver that
acknowledges at once (mlmmj writes a mail in three pieces and otherwise waits 40 ms for each
delayed ACK). Their clocks start at the door (LMTP, a pipe), ours where the scenario says.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.peers.smtpsink import smtp_source

SESSIONS = 4  # from here on more change nothing over loopback
LENGTH = 4096

PEERS = {
    "latency, IMAP push to SMTP acceptance": "Mailman 1,500 to 1,800, mlmmj 4 to 46",
    "200 posts to 10 members, from IMAP push": "Mailman 33, mlmmj 239",
    "10,000 recipients, shared": "Mailman 6.6, mlmmj 0.56",
    "100,000 recipients, shared": "Mailman 43 to 50, mlmmj 5.2",
    "10,000 recipients, personal": "Mailman 122, mlmmj 4,600",
    "memory when idle (PSS), all processes": "Mailman 1,000; mlmmj 0 (a process a post)",
    "import of 10,000 members": "Mailman 29",
    "import of 100,000 members": "Mailman 279",
}


@dataclass(frozen=True)
class Bound:
    """What is asked of a figure: at most, or at least, `limit`."""

    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether `value` is within."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:,g}"


async def source_rate(
    port: int, messages: int, recipients: int = 1, *, sessions: int = SESSIONS
) -> float:
    """Recipients a second that smtp-source puts into the sink at `port`, waiting for each reply,
    over so many connections."""
    seconds = await smtp_source(
        port, messages=messages, sessions=sessions, length=LENGTH, recipients=recipients
    )
    return messages * recipients / seconds


def fsync_ms(place: Path, times: int = 200) -> float:
    """The median time to append 4 KB to a file under `place` and have it on disk. Far below
    0.1 ms the "disk" is memory, and every figure flatters."""
    took = []
    file = place / "fsync"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(times):
            began = time.perf_counter()
            os.write(fd, bytes(LENGTH))
            os.fsync(fd)
            took.append(time.perf_counter() - began)
    finally:
        os.close(fd)
        file.unlink()
    return median(took) * 1000
