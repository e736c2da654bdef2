"""How an audience becomes chunks. Pure.

Recipients come in order of person id, so that a fan-out can go on after the last one it queued;
within a chunk they are grouped by domain, so that one relay connection serves them in a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from zlib import crc32

import msgspec

from postroad.mail.addresses import Form, around_token
from postroad.mail.leavelink import before_token
from schemas import subjects
from schemas.road import ChunkQueued, Copy, FanoutProgressed, OwnerMailRouted, PostRouted
from services.membership.mirror import Recipient

PERSONAL_CHUNK = 128  # recipients; one message each
SHARED_CHUNK = 500  # recipients; many in one message
FIRST_BATCH = 4  # chunks in the first atomic batch: senders start soon
SPREAD = 0.618034  # of the golden section: chunks in a row are spread evenly
BATCH = 50  # chunks in those that follow: 1M recipients in 0.77 s with 500 each

Routed = PostRouted | OwnerMailRouted


class Position(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a fan-out stands: the next chunk, recipients so far, the last person's id, and the
    sequence of the progress event that says so (0: none yet)."""

    chunk: int = 0
    count: int = 0
    person: str = ""
    seq: int = 0

    @classmethod
    def of(cls, event: FanoutProgressed, seq: int) -> Position:
        """Where a stored progress event left off."""
        return cls(chunk=event.chunk, count=event.count, person=event.person, seq=seq)

    def after(self, recipients: Sequence[Recipient], size: int) -> Position:
        """Once these are queued in chunks of `size`."""
        if not recipients:
            return self
        return msgspec.structs.replace(
            self,
            chunk=self.chunk + -(-len(recipients) // size),
            count=self.count + len(recipients),
            person=recipients[-1].person,
        )


def look(routed: Routed, address: str, form: Form, name: str, post: int, web: str) -> Copy:
    """How each copy of a mail to the list `name` at `address` looks; `post` is its number in VERP
    tokens, `web` the address that links to leave by begin with, "" for none."""
    whole = isinstance(routed, PostRouted)
    ours = routed.list != subjects.NO_LIST  # what no list sends comes back to nobody
    return Copy(
        raw=routed.raw,
        edits=routed.edits,
        insertions=routed.insertions if isinstance(routed, PostRouted) else (),
        authserv_id=routed.authserv_id,
        personal=routed.personal if isinstance(routed, PostRouted) else True,
        list=routed.list,
        list_address=address,
        list_name=name,
        to_members=whole,
        bounces=around_token(address, "bounces", form) if ours else ("", ""),
        leave=around_token(address, "leave", form) if ours else ("", ""),
        unsubscribe_url=before_token(web, routed.list) if web and whole else "",
        post=post,
    )


def chunk_size(copy: Copy) -> int:
    """How many recipients share a chunk of this copy."""
    return PERSONAL_CHUNK if copy.personal else SHARED_CHUNK


def chunks(
    routed: Routed, recipients: Sequence[Recipient], start: Position, copy: Copy, *, end: bool
) -> Iterator[ChunkQueued]:
    """The chunks these recipients (in order of person) make from `start` on. With `end` the last
    of them is marked as the last of the post."""
    size = chunk_size(copy)
    post = crc32(routed.mail_id.encode())
    for index in range(0, len(recipients), size):
        number = start.chunk + index // size
        part = _by_domain(recipients[index : index + size], post + number)
        yield ChunkQueued(
            mail_id=routed.mail_id,
            list=copy.list,
            chunk=str(number),
            first=start.count + index,
            people=tuple([recipient.person for recipient in part]),
            addresses=tuple([recipient.address for recipient in part]),
            last=end and index + size >= len(recipients),
            as_of=routed.as_of.membership,
            copy=copy,
        )


def _by_domain(recipients: Sequence[Recipient], number: int) -> list[Recipient]:
    """Each domain's in a row. Each chunk, by its number, begins with another domain, so that the
    lanes are not all at the same one at a time, which might be slow."""
    part = sorted(recipients, key=attrgetter("domain"))
    first = int(number * SPREAD % 1.0 * len(part))
    while 0 < first < len(part) and part[first].domain == part[first - 1].domain:
        first += 1
    return part[first:] + part[:first]


def progressed(mail_id: str, list_: str, position: Position) -> FanoutProgressed:
    """The event that lets another process go on from here."""
    return FanoutProgressed(
        mail_id=mail_id,
        list=list_,
        chunk=position.chunk,
        count=position.count,
        person=position.person,
    )
