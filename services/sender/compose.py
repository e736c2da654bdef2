"""The copies of a post, as bytes: composed once, then one small piece for each recipient (pure).

The edits are made to the header block once; the body is never looked into and never copied. It
leaves as it came but for CRLF line ends, lines too long for SMTP, and what the router has put in
(`body`), and so does every header field no edit names. A mail whose header breaks off, or that has
none, keeps its bytes in their order: the fields put in come before the break, and before the body
there is an empty line where it had no header.

What the relay will not take is changed here as well, once for each post and relay: see `Terms`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from postroad.mail import wire
from postroad.mail.addresses import Form, sub_address
from postroad.mail.authentication import without_forged
from postroad.mail.canonical import relaxed_field
from postroad.mail.edits import apply, edit, field_bytes
from postroad.mail.fields import fields
from postroad.mail.headers import scan
from postroad.mail.identity import made_message_id
from postroad.mail.listheaders import COPY, TRACE, mailto, unsubscribe_headers
from postroad.mail.munge import munge
from postroad.mail.tokens import LEAVE_CHARS, VERP_CHARS, TokenMaker, bounce_sender
from schemas.mail import HeaderEdit
from schemas.road import Copy
from services.sender.body import Body, body
from services.sender.signing import NONE, Signer, Signing

# These stand for a leave and a VERP token, whose base32 has neither 8 nor 9. No 0: a token may
# stand after a space, which a link has as %20.
_LEAVE = b"8" * LEAVE_CHARS
_VERP = b"9" * VERP_CHARS
_OUR_OWN = ("List-Unsubscribe", "List-Unsubscribe-Post")
ORIGINAL_ID = "X-Original-Message-ID"


@dataclass(frozen=True)
class Terms:
    """What a relay takes; by default, everything. `takes` as `munge` has it, `domains` are ours.
    `envelope` is the only envelope sender it takes, "" where each copy may have its own."""

    takes: str = "any"
    domains: frozenset[str] = frozenset()
    envelope: str = ""
    null_sender: bool = True
    keeps_message_id: bool = True


ANY = Terms()


class Prepared:
    """A post ready to be copied: 70,000 personal copies a second.

    Pieces are canonical and dot-stuffed, and together end in CRLF, without the final dot. All
    but the first of a personal copy, and its own footer, are the same objects in each. With a
    signature for each, they are as many as the key can make (`dkim.Key.sign`); where each has its
    own footer, a third of that with RSA, because each has its own seal.
    """

    def __init__(
        self,
        head: bytes,
        body: Body,
        own: bytes,
        sender: str | None,
        copy: Copy,
        tokens: TokenMaker,
        signing: Signing | None,
    ) -> None:
        shared = _values(copy)
        signatures = signing.over(body.digest(shared)) if signing else NONE
        if not own and not body.merges:  # one copy for everybody, signed once
            head = signatures.on() + head
        self._head = wire.dot_stuff(head)
        self._pieces = (self._head, *body.stuffed(shared))
        self._body = body
        self._signing = signing
        self._own = own  # the fields of one recipient, around the places of tokens
        self._named = _VERP in own
        self._signed = _relaxed(own, _OUR_OWN) if signatures.dkim else b""
        self._signatures = signatures
        self._sender = sender  # of every copy; None: each has its own
        self._copy = copy
        self._tokens = tokens

    @property
    def unsigned(self) -> str:
        """Why copies bear less signatures than they were meant to, or ""."""
        return self._signatures.unsigned

    @property
    def costly(self) -> bool:
        """Whether each copy takes a while of its own to make: 0.25 ms with an RSA key."""
        return bool(self._own) and any(each.key.rsa for each in self._signatures.dkim)

    @property
    def size(self) -> int:
        """Octets held."""
        return len(self._head) + self._body.size

    def shared(self) -> tuple[str, Sequence[bytes]]:
        """Envelope sender and pieces of the copy that is the same for everybody."""
        if self._sender is None:
            return _without_token(self._copy.bounces), self._pieces
        return self._sender, self._pieces

    def personal(self, number: int, person: str, address: str = "") -> tuple[str, Sequence[bytes]]:
        """Envelope sender and pieces of one recipient's copy; `number` is the recipient's
        within the post, `address` may stand in the footer. Raises ValueError where `person` is no
        person id."""
        copy, own, sender = self._copy, self._own, self._sender
        if sender is None or self._named:
            verp = self._tokens.verp_token(copy.list, copy.post, number)
            if sender is None:
                sender = bounce_sender(copy.bounces, verp)
            if self._named:
                own = own.replace(_VERP, verp.encode())
        if not own and not self._body.merges:
            return sender, self._pieces
        signed, token = self._signed, ""
        if copy.leave[0]:
            token = self._tokens.leave_token(copy.list, person)
            own = own.replace(_LEAVE, token.encode())
            signed = signed.replace(_LEAVE, token.encode())
        signatures, pieces = self._signatures, self._pieces
        if self._body.merges:
            values = _values(copy, token, address)
            pieces = (self._head, *self._body.stuffed(values))
            if self._signing:
                signatures = self._signing.over(self._body.digest(values))
        if signatures.dkim:
            own = signatures.on(signed) + own
        return sender, (own, *pieces)


def prepare(
    raw: bytes,
    copy: Copy,
    trace: str,
    tokens: TokenMaker,
    terms: Terms = ANY,
    signer: Signer | None = None,
) -> Prepared:
    """Compose a post from its bytes as stored, `copy.raw.head` octets of which are header.

    Adds X-Postroad-Trace, and a Message-ID made of the mail id where there is none; with a
    `signer`, signatures over all that is known to stay as it is. Raises ValueError for an edit
    that could not stand in a header; never for what the mail is.
    """
    block = wire.folded(wire.canonical(raw[: copy.raw.head]))
    edits = [*copy.edits, edit("remove", COPY), edit("set", TRACE, trace)]
    if not _has_message_id(block):
        own_id = made_message_id(copy.raw.mail_id, copy.list_address)
        edits.append(edit("set", "Message-ID", f"<{own_id}>"))
    sender = _sender(copy, terms)
    own: list[HeaderEdit] = []
    if way_out := _way_out(copy):
        edits += [edit("remove", name) for name in _OUR_OWN]
        if copy.personal:
            own += way_out
        else:
            edits += way_out
    if copy.personal and copy.bounces[0] and not (sender is None and copy.bounces[1]):
        # a bounce that quotes this field tells whose copy it was
        own.append(edit("set", COPY, _VERP.decode()))
    block = apply(block, edits)
    if changes := munge(block, copy, terms.takes, terms.domains):
        block = apply(block, changes)
    if not terms.keeps_message_id:
        block = apply(block, _kept_ids(block))
        if copy.personal and copy.bounces[0]:
            # Exchange takes a second mail with one id for a double: 554 DuplicateDelivery
            block = apply(block, [edit("remove", "Message-ID")])
            domain = copy.list_address.rpartition("@")[2]
            own.append(edit("set", "Message-ID", f"<{_VERP.decode()}.{trace}@{domain}>"))
    block = without_forged(block, copy.authserv_id)
    fields_of_one = b"".join(field_bytes(each.name, each.value) for each in own)
    signed = [each.name for each in own if each.name in _OUR_OWN]
    signing = None
    if signer is not None:
        signing = Signing(signer, copy, block, signed, keeps=terms.keeps_message_id)
    made = body(raw, copy, _values(copy), hashed=signing is not None)
    return Prepared(block, made, fields_of_one, sender, copy, tokens, signing)


def _values(copy: Copy, token: str = "", address: str = "") -> Mapping[str, str]:
    """The values of a recipient's merge fields; without a token, those that serve everybody."""
    before, after = copy.leave
    link = ""
    if copy.unsubscribe_url and token:
        link = f"{copy.unsubscribe_url}{token}"
    elif before and not after:  # no sub-addresses: the token stands in the Subject
        link = mailto(before, f"leave {token}".rstrip())
    elif before:
        link = mailto(f"{before}{token}{after}" if token else _without_token(copy.leave))
    return {"unsubscribe": link, "user_email": address or copy.list_address}


def _relaxed(block: bytes, names: Collection[str]) -> bytes:
    wanted = [name.lower().encode() for name in names]
    return b"".join(
        relaxed_field(block[field.start : field.end])
        for field in fields(block)
        if field.name.lower() in wanted
    )


def _sender(copy: Copy, terms: Terms) -> str | None:
    """The envelope sender of every copy, None where each has its own."""
    if copy.bounces != ("", ""):
        return terms.envelope or None
    if terms.null_sender:
        return ""
    # A copy does not tell its list's form; of two lists in one mailbox, each is a sub-address.
    form: Form = "plus" if "+" in copy.list_address else "dash"
    return terms.envelope or sub_address(copy.list_address, "bounces", form)


def _kept_ids(block: bytes) -> Iterator[HeaderEdit]:
    """What keeps threads together where the relay writes each copy a Message-ID of its own.

    An answer names the id of the one copy its author got, which nobody else has seen. But it
    takes over References too, and every copy has the original id there: so each reader's
    program finds an id that is common to the post and to all answers.
    """
    facts, _ = scan(block)
    original = facts.message_id
    if not original.isascii() or " " in original:
        return
    yield edit("set", ORIGINAL_ID, f"<{original}>")
    before = facts.references or ((facts.in_reply_to,) if facts.in_reply_to else ())
    ids = [each for each in before if each.isascii() and each != original]
    yield edit("set", "References", " ".join(f"<{each}>" for each in (*ids, original)))


def _way_out(copy: Copy) -> Sequence[HeaderEdit]:
    """The List-Unsubscribe fields; without any token, hence by mail only, where all share them."""
    before, after = copy.leave
    if not before:
        return ()
    if not copy.personal:
        return unsubscribe_headers(_without_token(copy.leave), subject="" if after else "leave")
    token = _LEAVE.decode()
    url = f"{copy.unsubscribe_url}{token}" if copy.unsubscribe_url else ""
    if not after:  # no sub-addresses: the token stands in the Subject
        return unsubscribe_headers(before, url, subject=f"leave {token}")
    return unsubscribe_headers(f"{before}{token}{after}", url)


def _without_token(around: tuple[str, str]) -> str:
    before, after = around
    return before.removesuffix("+").removesuffix("-") + after if after else before


def _has_message_id(block: bytes) -> bool:
    return any(
        field.name.lower() == b"message-id"
        and block[field.value_start : field.value_end].strip(b"<> \t\r\n")
        for field in fields(block)
    )
