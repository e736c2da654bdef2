"""A sample copy, composed and signed as router, membership and sender would; nothing is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from postroad.cli.doctor.judge.broker import List as Known
from postroad.cli.signing import keys_of
from postroad.mail.headers import scan
from postroad.mail.tokens import TokenMaker
from postroad.runtime.config import Config, Domain, Relay
from projections.lists import List
from schemas.commands import Author
from schemas.mail import RawRef
from schemas.road import MailReceived, Origin, PostRouted
from services.membership.fanout import look
from services.router import copies
from services.router.context import Context
from services.sender.compose import prepare
from services.sender.posts import terms
from services.sender.signing import Signer

NAME = "postroad-sample"  # of a list that there is not, where a domain has none
AUTHOR = "ann@author.example"
MAIL_ID = "0" * 32


def sample(
    config: Config, domain: Domain, relay: Relay, lists: Sequence[Known] | None
) -> tuple[str, bytes]:
    """Envelope sender and octets of one member's copy of a post, to the largest list of the domain
    that is known, else to one with default settings. Raises SettingsError for a key that will not
    do, OSError where it cannot be read."""
    own = [each for each in lists or () if each.address.endswith(f"@{domain.name}")]
    chosen = max(own, key=lambda each: each.members, default=Known(f"{NAME}@{domain.name}"))
    known = List(slug="sample", address=chosen.address, settings=chosen.settings)
    raw = _post(chosen.address)
    facts, head = scan(raw)
    ref = RawRef(mail_id=MAIL_ID, chunks=1, size=len(raw), sha256="", head=head)
    mail = MailReceived(mail_id=MAIL_ID, origin=Origin(source="sample"), raw=ref, facts=facts)
    routed = PostRouted(
        mail_id=MAIL_ID,
        list=known.slug,
        raw=ref,
        edits=copies.post_edits(Context(mail, known, Author())),
        personal=known.settings.personalize != "none",
    )
    if copies.has_lines(routed, known):
        routed = copies.decorated(routed, known, raw)
    web = config.site.base_url if config.web is not None else ""
    form = known.settings.sub_address
    copy = look(routed, known.address, form, copies.list_name(known), 1, web)
    keys = keys_of(domain)
    signer = Signer(keys, int(time.time()), domain.arc) if keys else None
    ours = frozenset(each.name for each in config.domain)
    post = prepare(raw, copy, MAIL_ID, TokenMaker(bytes(32)), terms(relay, ours), signer)
    sender, pieces = post.personal(1, "0" * 24) if copy.personal else post.shared()
    octets = b"\r\n" + b"".join(pieces)
    return sender, octets.replace(b"\r\n..", b"\r\n.").removeprefix(b"\r\n")


def _post(address: str) -> bytes:
    """A post with what mail programs do wrong: line ends of two kinds, a line of many octets."""
    head = (
        f"From: Ann <{AUTHOR}>\r\nTo: {address}\r\nSubject: A sample\r\n"
        f"Date: {format_datetime(datetime.now(UTC))}\r\nMessage-ID: <sample@author.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return f"{head}Grüße.\n.\r\nof {'many ' * 400}octets\r\n".encode()
