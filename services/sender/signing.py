"""The signatures of a post's copies: modified first, then DKIM, then ARC (pure).

Every copy has its own DKIM signatures, by each key of the list's domain. The ARC set is one for
all copies with one body, and only on mail that we pass on: our own notices have no history to
attest.
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


class Signing:
    """How the copies of one post are signed: everything but their bodies is looked at once.

    `block` is their header, canonical and not dot-stuffed, `own` the names of signed fields that
    each has of its own. `keeps`: the relay keeps Message-ID and Date.
    """

    def __init__(
        self, signer: Signer, copy: Copy, block: bytes, own: Sequence[str], *, keeps: bool
    ) -> None:
        self._signatures: Sequence[dkim.Signature] = ()
        self._seal: arc.Seal | None = None
        self._unsigned = ""
        if reason := dkim.unfit(block):
            self._unsigned = f"not signed: {reason}"
            return
        message = dkim.Message(block, () if keeps else _BY_RELAY)
        self._signatures = [dkim.Signature.of(key, message, own, signer.at) for key in signer.keys]
        key = next((key for key in signer.keys if key.rsa), None)
        if copy.notice or not signer.seals or key is None:
            return
        results = believed(scan(block)[0].auth_results, copy.authserv_id)
        server = copy.authserv_id.strip().lower()
        if not (results and "." in server and _SERVER.fullmatch(server)):
            server = key.domain  # nobody found anything, or a server without a name did
        self._seal = arc.Seal(key, message, server, results, signer.at)
        self._unsigned = f"not sealed: {self._seal.reason}" if self._seal.reason else ""

    def over(self, body_hash: bytes) -> Signatures:
        """The signatures of copies whose body has this hash (`canonical.BodyHash`)."""
        seal = self._seal.over(body_hash) if self._seal else b""
        made = tuple(each.over(body_hash) for each in self._signatures)
        return Signatures(seal, made, self._unsigned)
