"""The copies of a post, as bytes: composed once, then one small piece for each recipient (pure).

The edits are made to the header block once; the body is never looked into and never copied. It
leaves as it came but for CRLF line ends, and so does every header field no edit names. A mail
whose header breaks off, or that has none, keeps its bytes in their order: the fields put in
come before the break, and before the body there is an empty line where it had no header.
"""

from __future__ import annotations

from collections.abc import Sequence

from postroad.mail import wire
from postroad.mail.edits import apply, edit, field_bytes
from postroad.mail.fields import fields
from postroad.mail.listheaders import TRACE, unsubscribe_headers
from postroad.mail.tokens import LEAVE_CHARS, TokenMaker, bounce_sender
from schemas.mail import HeaderEdit
from schemas.road import Copy

_TOKEN = "0" * LEAVE_CHARS  # stands for a leave token, whose base32 has no 0
_OUR_OWN = ("List-Unsubscribe", "List-Unsubscribe-Post")


class Prepared:
    """A post ready to be copied: 70,000 personal copies a second.

    Pieces are canonical and dot-stuffed, and together end in CRLF, without the final dot. All
    but the first of a personal copy are the same objects in each.
    """

    def __init__(
        self, head: bytes, body: bytes, own: bytes, copy: Copy, tokens: TokenMaker
    ) -> None:
        self._pieces = (head, body)
        self._own = own  # the fields of one recipient, around _TOKEN
        self._copy = copy
        self._tokens = tokens

    @property
    def size(self) -> int:
        """Octets held."""
        return sum(map(len, self._pieces))

    def shared(self) -> tuple[str, Sequence[bytes]]:
        """Envelope sender and pieces of the copy that is the same for everybody."""
        return _without_token(self._copy.bounces), self._pieces

    def personal(self, number: int, person: str) -> tuple[str, Sequence[bytes]]:
        """Envelope sender and pieces of one recipient's copy; `number` is the recipient's
        within the post. Raises ValueError where `person` is no person id."""
        copy = self._copy
        sender = bounce_sender(copy.bounces, self._tokens.verp_token(copy.list, copy.post, number))
        if not self._own:
            return sender, self._pieces
        token = self._tokens.leave_token(copy.list, person)
        return sender, (self._own.replace(_TOKEN.encode(), token.encode()), *self._pieces)


def prepare(raw: bytes, copy: Copy, trace: str, tokens: TokenMaker) -> Prepared:
    """Compose a post from its bytes as stored, `copy.raw.head` octets of which are header.

    Adds X-Postroad-Trace, and a Message-ID made of the mail id where there is none. Raises
    ValueError for an edit that could not stand in a header; never for what the mail is.
    """
    block = wire.canonical(raw[: copy.raw.head])
    body = wire.canonical(raw[copy.raw.head :])
    edits = [*copy.edits, edit("set", TRACE, trace)]
    if not _has_message_id(block):
        domain = copy.list_address.rpartition("@")[2]
        edits.append(edit("set", "Message-ID", f"<{copy.raw.mail_id}@{domain}>"))
    way_out = _way_out(copy)
    own = b""
    if way_out:
        edits += [edit("remove", name) for name in _OUR_OWN]
        if copy.personal:
            own = b"".join(field_bytes(each.name, each.value) for each in way_out)
        else:
            edits += way_out
    return Prepared(wire.dot_stuff(apply(block, edits)), wire.dot_stuff(body), own, copy, tokens)


def _way_out(copy: Copy) -> Sequence[HeaderEdit]:
    """The List-Unsubscribe fields; without any token, hence by mail only, where all share them."""
    before, after = copy.leave
    if not before:
        return ()
    if not copy.personal:
        return unsubscribe_headers(_without_token(copy.leave), subject="" if after else "leave")
    url = f"{copy.unsubscribe_url}{_TOKEN}" if copy.unsubscribe_url else ""
    if not after:  # no sub-addresses: the token stands in the Subject
        return unsubscribe_headers(before, url, subject=f"leave {_TOKEN}")
    return unsubscribe_headers(f"{before}{_TOKEN}{after}", url)


def _without_token(around: tuple[str, str]) -> str:
    before, after = around
    return before.removesuffix("+").removesuffix("-") + after if after else before


def _has_message_id(block: bytes) -> bool:
    return any(
        field.name.lower() == b"message-id"
        and block[field.value_start : field.value_end].strip(b"<> \t\r\n")
        for field in fields(block)
    )
