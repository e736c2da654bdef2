"""One member's copy of a post, from the mail to the wire, by the real code and without a broker."""

from __future__ import annotations

from typing import Any

from postroad.mail.addresses import Form, around_token
from postroad.mail.headers import scan
from postroad.mail.leavelink import before_token
from postroad.mail.tokens import TokenMaker
from schemas.mail import RawRef
from schemas.road import Copy, MailReceived, Origin, PostRouted
from services.router import copies
from services.sender.compose import Terms, prepare
from services.sender.signing import Signer
from tests.peers.signingkeys import ed25519_key, rsa_key
from tests.unit.mail.smtpreader import read_data
from tests.unit.router.mails import MEMBER, before, the_list

DOMAIN = "lists.example.org"
KEYS = (rsa_key(DOMAIN, "postroad"), ed25519_key(DOMAIN, "postroad2"))
AT = 1_790_000_000  # seconds


def composed(
    post: bytes,
    *,
    personal: bool,
    signed: bool = False,
    web: bool = True,
    terms: Terms = Terms(),  # noqa: B008  frozen
    munged: bool = False,
    form: Form = "dash",
    address: str = "bob@example.net",
    **settings: Any,
) -> bytes:
    """What one member gets of a post, behind its envelope sender: as the router decides on it and
    the sender composes it, read back from the wire. `settings` are those of the list."""
    known = the_list(sub_address=form, **settings)
    facts, head = scan(post)
    ref = RawRef(mail_id="0" * 32, chunks=1, size=len(post), sha256="", head=head)
    received = MailReceived(
        mail_id=ref.mail_id, origin=Origin(source="office"), raw=ref, facts=facts
    )
    edits = copies.post_edits(before(received, MEMBER, known), munged=munged)
    routed = PostRouted(mail_id=ref.mail_id, list="team", raw=ref, edits=edits)
    if known.settings.header or known.settings.footer:
        routed = copies.decorated(routed, known, post)
    how = Copy(
        raw=ref,
        edits=routed.edits,
        insertions=routed.insertions,
        authserv_id="mx.example.org",
        personal=personal,
        list="team",
        list_address=known.address,
        list_name=copies.list_name(known),
        bounces=around_token(known.address, "bounces", form),
        leave=around_token(known.address, "leave", form),
        unsubscribe_url=before_token(f"https://{DOMAIN}", "team") if web else "",
        post=7,
    )
    signer = Signer(KEYS, AT) if signed else None
    prepared = prepare(post, how, "f" * 32, TokenMaker(b"k" * 32), terms, signer)
    sender, pieces = prepared.personal(3, "a" * 24, address) if personal else prepared.shared()
    return f"MAIL FROM:<{sender}>\r\n".encode() + read_data(b"".join(pieces) + b".\r\n")[0]
