"""Bounces and what else comes back to a list: what a mail says of mail that was sent before. Pure.

`read` tells whether a mail is such a report, of which class, and about whom:

    hard        nobody is there, and nobody will be: unknown user or domain, closed account; or it
                failed for good, and nobody says why
    full        the mailbox has no room
    policy      this mail is refused, whoever the recipient is: spam, a block list, DMARC, its size
    soft        it may be taken another time, or nobody answered
    autoreply   a program answers for a person: vacation notices, receipts
    challenge   a program wants the sender to prove that they are human
    complaint   a recipient called it spam (RFC 5965)

Reports of RFC 3464 say it in fields (`report`), all others in letters (`letter`), each server in
its own words. What a text means stands in a table (wording.toml), what a code means in another
(`codes`). Nothing in such a mail is proof: anybody may have written it.

Any bytes are read in bounded time and memory: the first MiB, 100 recipients, 8 KiB of a letter.
"""

from __future__ import annotations

from postroad.mail.bounce.kinds import Bounce, Failure, Kind
from postroad.mail.bounce.reading import read

__all__ = ["Bounce", "Failure", "Kind", "read"]
