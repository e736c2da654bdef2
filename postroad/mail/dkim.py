"""DKIM signatures (RFC 6376; Ed25519 as in RFC 8463) for copies that differ in a few fields.

The fields that all copies share come first in `h=`, so that their hash is taken once; a copy then
costs one copy of a hash state, its own fields and the signature. No `l=`: what is added to a
signed mail must break it. Fields that decide what a reader sees and whom an answer goes to are
named once more than they stand there, so that nobody can add another ("oversigning").
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from postroad.mail.canonical import relaxed_field
from postroad.mail.fields import fields

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

LASTS = 14 * 86_400  # seconds; retries take 5 days, a relay's queue 5 more, a replay for ever
_ALWAYS = ("from", "subject", "to", "cc", "reply-to")  # signed even where there is none
_PRESENT = (
    *("date", "message-id", "sender", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding"),
    *("list-id", "list-post", "list-help", "list-subscribe", "list-owner", "list-archive"),
    *("list-unsubscribe", "list-unsubscribe-post"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BODY = base64.b64encode(bytes(32))  # in the place of the hash of a body
_RSA = (padding.PKCS1v15(), Prehashed(hashes.SHA256()))
LINE, _B_LINE = 76, 72  # characters


@dataclass(frozen=True)
class Key:
    """A private key, and the name under which DNS has its public half."""

    domain: str
    selector: str
    private: PrivateKey

    @property
    def rsa(self) -> bool:
        """Whether every receiver can verify it; Ed25519 is known to some (RFC 8463)."""
        return isinstance(self.private, rsa.RSAPrivateKey)

    @property
    def bits(self) -> int:
        """Its size."""
        return self.private.key_size if isinstance(self.private, rsa.RSAPrivateKey) else 256

    @property
    def algorithm(self) -> str:
        """As in `a=`."""
        return "rsa-sha256" if self.rsa else "ed25519-sha256"

    @property
    def name(self) -> str:
        """Where the record belongs."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The text of the TXT record to publish."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            form = serialization.PublicFormat.SubjectPublicKeyInfo
            octets = public.public_bytes(serialization.Encoding.DER, form)
        else:
            octets = public.public_bytes_raw()
        kind = "rsa" if self.rsa else "ed25519"
        return f"v=DKIM1; k={kind}; p={base64.b64encode(octets).decode()}"

    @property
    def zone_text(self) -> str:
        """The same as a zone file has it, where a string holds 255 octets at most."""
        record = self.record
        return " ".join(f'"{record[at : at + 255]}"' for at in range(0, len(record), 255))

    def sign(self, digest: bytes) -> bytes:
        """Sign a SHA-256 digest: one core makes 4,100 RSA-2048 signatures a second, 45,000
        Ed25519. In a thread they would not be made beside other work: the GIL is held."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(digest, *_RSA)
        return self.private.sign(digest)


def unfit(block: bytes) -> str:
    """Why a mail with this header block is not signed, "" where it may be.

    We do not vouch for what readers and verifiers read in different ways (RFC 6376 8.15).
    """
    count: Counter[bytes] = Counter()
    end = 0
    for field in fields(block):
        if field.spaced:
            return "a space before a colon in its header"
        count[field.name.lower()] += 1
        end = field.end
    if block[end:] != b"\r\n":
        return "its header has no end"
    if _CONTROL.search(block):
        return "a control character in its header"
    if missing := next((name for name in ("From", "Date") if not count[name.lower().encode()]), ""):
        return f"it has no {missing}"
    twice = next((name for name in (*_ALWAYS, *_PRESENT) if count[name.encode()] > 1), "")
    return f"it has more than one {twice.title()}" if twice else ""


class Message:
    """What signatures of a post are over, but for the body: `block`, which is not `unfit`.
    `left_out` are names, in lower case, of fields that change on the way."""

    def __init__(self, block: bytes, left_out: Collection[str] = ()) -> None:
        self._fields: dict[str, list[bytes]] = {}
        for field in fields(block):
            name = field.name.decode("ascii").lower()
            self._fields.setdefault(name, []).append(block[field.start : field.end])
        wanted = [name for name in _ALWAYS if name not in left_out]
        wanted += [name for name in _PRESENT if name in self._fields and name not in left_out]
        self.names = [each for name in wanted for each in (name,) * (1 + len(self[name]))]
        self.octets = b"".join(relaxed_field(field) for name in wanted for field in self[name])

    def __getitem__(self, name: str) -> Sequence[bytes]:
        """The fields of this name, in lower case, as they stand, from the top."""
        return self._fields.get(name, ())


@dataclass(frozen=True)
class Signature:
    """DKIM-Signature for the copies of one post: the field up to its `b=`, as it is written and as
    it is signed, and the hash of what all copies share."""

    key: Key
    start: bytes
    relaxed: bytes
    state: hashlib._Hash

    @classmethod
    def of(cls, key: Key, message: Message, own: Sequence[str], at: int) -> Signature:
        """For this message, once it is told the body: `over`. `own` are the names of the fields
        that each copy has of its own, `at` is the time in seconds."""
        names = [*message.names, *(each for name in own for each in (name.lower(),) * 2)]
        tags = [("v", "1"), *signing_tags(key, names), ("t", str(at)), ("x", str(at + LASTS))]
        start = tag_field("DKIM-Signature", [*tags, ("b", "")])
        return cls(key, start, relaxed_field(start)[:-2], hashlib.sha256(message.octets))

    def over(self, body_hash: bytes) -> Signature:
        """The same, for copies whose body has this hash."""
        start, relaxed = (over(field, body_hash) for field in (self.start, self.relaxed))
        return Signature(self.key, start, relaxed, self.state)

    def field(self, own: bytes = b"") -> bytes:
        """The field for the copy whose own fields, relaxed, in the order of their names, are
        these: 32,000 a second and core with Ed25519, 3,700 with RSA-2048."""
        state = self.state.copy()
        state.update(own + self.relaxed)
        return signed(self.key, self.start, state.digest())


def signing_tags(key: Key, names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """The tags that DKIM and ARC signatures of a message share, its body left open (`over`)."""
    yield "a", key.algorithm
    yield "c", "relaxed/relaxed"
    yield "d", key.domain
    yield "s", key.selector
    yield "h", ":".join(names)
    yield "bh", _BODY.decode()


def over(field: bytes, body_hash: bytes) -> bytes:
    """A field, or part of one, with this in its `bh=`."""
    return field.replace(_BODY, base64.b64encode(body_hash))


def tag_field(name: str, tags: Iterable[tuple[str, str]]) -> bytes:
    """A field of tags, folded, whose last one, `b=`, is on a line of its own and empty."""
    lines: list[str] = []
    line = f"{name}:"
    for tag, value in tags:
        if tag == "b":
            return "\r\n".join((*lines, line, " b=")).encode("ascii")
        for number, piece in enumerate(re.split(r"(?<=:)", f"{tag}={value};")):
            space = "" if number else " "
            if len(line) + len(space) + len(piece) > LINE:
                lines.append(line)
                line, space = "", " "
            line += space + piece
    raise ValueError("a signature has a b= tag")


def signed(key: Key, start: bytes, digest: bytes) -> bytes:
    """A field of `tag_field` with its signature, folded, ending in CRLF."""
    value = base64.b64encode(key.sign(digest))
    if len(value) <= _B_LINE * 2:
        return b"%b%b\r\n" % (start, value)
    lines = [value[at : at + _B_LINE] for at in range(0, len(value), _B_LINE)]
    return b"%b%b\r\n" % (start, b"\r\n ".join(lines))
