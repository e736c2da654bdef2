"""Copies held against their original: what is missing, doubled or altered. Pure.

Headers are read by the standard library here, not by the parser under show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser

import msgspec

LIST_FIELDS = (  # RFC 2369, RFC 2919, RFC 3834
    "List-Id",
    "List-Post",
    "List-Help",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Owner",
    "Precedence",
)
TRACE = "X-Postroad-Trace"
DELIVERY_FIELDS = ("Return-Path", "Delivered-To", "Received")  # the mail server's, on top

_parser = BytesHeaderParser(policy=policy.default)


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One copy in a member's mailbox. `return_path` is its envelope sender; `added` are the
    header fields that the original does not have, but for those of the delivery itself;
    `octets` counts the body."""

    member: str
    return_path: str
    subject: str
    message_id: str
    trace: str
    body_identical: bool
    octets: int
    added: tuple[tuple[str, str], ...]


def examine(member: str, copy: bytes, post: bytes) -> Copy:
    """What one copy is, beside the original in its canonical form (CRLF line ends)."""
    header, original = _parsed(copy), _parsed(post)
    known = {(name, str(value)) for name, value in original.items()}
    fields = [(name, " ".join(str(value).split())) for name, value in header.items()]
    body = _body(copy)
    return Copy(
        member=member,
        return_path=_field(header, "Return-Path").strip("<>"),
        subject=_field(header, "Subject"),
        message_id=message_id(copy),
        trace=_field(header, TRACE),
        body_identical=body == _body(post),
        octets=len(body),
        added=tuple(
            field for field in fields if field not in known and field[0] not in DELIVERY_FIELDS
        ),
    )


def message_id(mail: bytes) -> str:
    """The Message-ID of a mail, in its angle brackets."""
    return _field(_parsed(mail), "Message-ID")


def problems(copies: Mapping[str, Sequence[Copy]], post: bytes, trace: str) -> Iterator[str]:
    """One line for everything that is not as it should be with each member's `copies` of a post
    whose trace is this."""
    wanted = message_id(post)
    for member, own in copies.items():
        if len(own) != 1:
            yield f"{member} has {f'{len(own)} copies' if own else 'no copy'} instead of one"
        for copy in own[:1]:
            yield from (f"the copy of {member} {what}" for what in _faults(copy, wanted, trace))
    yield from _shared(copies, "Return-Path", lambda copy: copy.return_path)
    yield from _shared(copies, "List-Unsubscribe", _way_out)


def _faults(copy: Copy, wanted: str, trace: str) -> Iterator[str]:
    if not copy.body_identical:
        yield "has another body than the post"
    if copy.message_id != wanted:
        yield f"has the Message-ID {copy.message_id or '(none)'} instead of {wanted}"
    if copy.trace != trace:
        yield f"has the {TRACE} {copy.trace or '(none)'} instead of {trace}"
    names = {name for name, _ in copy.added}
    if missing := [name for name in LIST_FIELDS if name not in names]:
        yield f"lacks {', '.join(missing)}"
    if not copy.return_path:
        yield "has no envelope sender"


def _shared(
    copies: Mapping[str, Sequence[Copy]], name: str, value: Callable[[Copy], str]
) -> Iterator[str]:
    """Members whose copies have a field in common that must be each one's own."""
    owner: dict[str, str] = {}
    for member, own in copies.items():
        for copy in own[:1]:
            first = owner.setdefault(value(copy), member)
            if first != member and value(copy):
                yield f"the copies of {first} and {member} have the same {name}"


def _way_out(copy: Copy) -> str:
    return dict(copy.added).get("List-Unsubscribe", "")


def _parsed(mail: bytes) -> EmailMessage:
    return _parser.parsebytes(mail.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")


def _body(mail: bytes) -> bytes:
    return mail.partition(b"\r\n\r\n")[2]


def _field(header: EmailMessage, name: str) -> str:
    return str(header.get(name, "")).strip()
