"""The signatures of a post's copies: modified first, then DKIM, then ARC (pure).

Every copy has its own DKIM signatures, by each key of the list's domain. The ARC set is one for
all copies, and only on mail that we pass on: our own notices have no history to attest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from postroad.mail import arc, dkim
from postroad.mail.authentication import believed
from postroad.mail.headers import scan
from schemas.road import Copy

_SERVER = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_BY_RELAY = ("message-id", "date")  # of a relay that does not keep them


@dataclass(frozen=True)
class Signer:
    """The keys of a list's domain, the time in seconds, and whether to seal as well."""

    keys: Sequence[dkim.Key]
    at: int
    seals: bool = True


@dataclass(frozen=True)
class Signatures:
    """What goes on top of each copy. `unsigned` says why there is less than was wanted."""

    seal: bytes = b""
    dkim: Sequence[dkim.Signature] = field(default=())
    unsigned: str = ""

    def on(self, own: bytes = b"") -> bytes:
        """All signatures of the copy whose own fields, relaxed, are these."""
        return b"".join((self.seal, *(each.field(own) for each in self.dkim)))


NONE = Signatures()


def sign(
    signer: Signer | None,
    copy: Copy,
    block: bytes,
    body_hash: bytes,
    own: Sequence[str],
    *,
    keeps: bool,
) -> Signatures:
    """Prepare to sign copies of this header block, canonical and not dot-stuffed, and of the body
    of this hash (`canonical.BodyHash`), with signed fields `own` of each recipient's. `keeps`: the
    relay keeps Message-ID and Date."""
    if signer is None or not signer.keys:
        return NONE
    if reason := dkim.unfit(block):
        return Signatures(unsigned=f"not signed: {reason}")
    message = dkim.Message(block, body_hash, () if keeps else _BY_RELAY)
    made = tuple(dkim.Signature(key, message, own, signer.at) for key in signer.keys)
    key = next((key for key in signer.keys if key.rsa), None)
    if copy.notice or not signer.seals or key is None:
        return Signatures(dkim=made)
    results = believed(scan(block)[0].auth_results, copy.authserv_id)
    server = copy.authserv_id.strip().lower()
    if not (results and "." in server and _SERVER.fullmatch(server)):
        server = key.domain  # nobody found anything, or a server without a name did
    seal, reason = arc.seal(key, message, server, results, signer.at)
    return Signatures(seal, made, f"not sealed: {reason}" if reason else "")
