"""A mail as a hook rewrote it: another Subject and text under the header that it came with. Pure.

The rest of its header is not for a hook to change: it tells who wrote the mail, where it has been,
and whether it goes round in circles.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from postroad.mail.fields import fields
from postroad.mail.headers import scan
from postroad.mail.opening import opening
from schemas.road import MailReceived

ROOM = 1 << 20  # octets that a mail may grow by


def rewritten(came: bytes, wanted: bytes) -> bytes:
    """The mail that came with Subject, MIME-Version, Content-* and the body of the one that is
    wanted. Raises ValueError for one that is not worth it."""
    if len(wanted) > len(came) + ROOM:
        raise ValueError("it makes a mail larger by more than 1 MB")
    head = b"".join((*_fields(came, theirs=False), *_fields(wanted, theirs=True)))
    return head + b"\r\n" + wanted[scan(wanted)[1] :]


def told_anew(mail: MailReceived, data: bytes) -> MailReceived:
    """What is known of a mail, with the facts of these bytes, which lie nowhere yet, in place of
    its own. It stays known by what it came as: by its id, and the digest of its body."""
    facts, head = scan(data)
    facts = msgspec.structs.replace(facts, trusted=mail.facts.trusted)
    raw = msgspec.structs.replace(mail.raw, part=1, size=len(data), head=head)
    return msgspec.structs.replace(mail, raw=raw, facts=facts, opening=opening(data, facts.subject))


def _fields(data: bytes, *, theirs: bool) -> Iterator[bytes]:
    """The fields that a hook may change, or all others, each with an end."""
    for field in fields(data):
        name = field.name.lower()
        may = name in (b"subject", b"mime-version") or name.startswith(b"content-")
        if may is theirs:
            whole = data[field.start : field.end]
            yield whole if whole.endswith((b"\n", b"\r")) else whole + b"\r\n"
