"""Clients at our sockets: each gets replies, and what is taken is one mail that can be sent on."""

from __future__ import annotations

import re

from postroad.mail.wire import canonical
from services.ingest.smtpd.content import Content
from tests.fuzz.taking import cut, taken
from tests.unit.ingest.smtpclient import spoken

REPLY = re.compile(r"[2-5]\d\d[ -][ -~]*")


def one_input(data: bytes) -> None:
    """Which kind of socket and how the network cuts (a part), and what a client says."""
    how, said = taken(data, 2)
    kind = how[0] if how else 0
    replies, ledger = spoken(
        *cut(said, how[1:]),
        secure=bool(kind & 1),
        lmtp=bool(kind & 2),
        tls=bool(kind & 4),
        login=bool(kind & 8),
        size=1_000,
    )
    assert all(REPLY.fullmatch(reply) for reply in replies)
    assert replies[0].startswith("220 ")
    for envelope, mail in ledger.taken:
        assert envelope.recipients
        assert len(mail) <= 1_000
        assert mail == canonical(mail)
        assert b"\0" not in mail
    assert len(ledger.taken) <= said.count(b"\r\n.\r\n")
    whole, pieces = ended(Content(), said, b""), ended(Content(), said, how)
    assert whole == pieces


def ended(content: Content, data: bytes, sizes: bytes) -> tuple[bytes, bool, bytes, bool]:
    """What is known of octets behind DATA: the mail, whether it ended, what follows, and whether
    it must not be taken."""
    mail, rest = b"", b""
    for piece in cut(data, sizes):
        if content.ended:
            rest += piece
        else:
            mail += content.take(piece)
    if not content.ended:
        return b"", False, b"", False
    fault = bool(content.fault)
    return b"" if fault else mail, True, content.rest + rest, fault
