"""Recipient truth: which of our lists was this mail sent to? Pure.

The best evidence there is decides, and lesser evidence is not looked at:

1. the envelope, where the source knows one (LMTP, SMTP);
2. the headers the source was told to trust (`recipient_headers`: Delivered-To, X-Original-To,
   ...), counted only above the first Received, so that a sender cannot forge them. The address
   of the mailbox itself says nothing there: it stands on every mail;
3. every list address in To and Cc.

Some providers keep one copy of a mail that was sent to several aliases (`one_copy`); its trusted
headers name one of them, so there To and Cc count beside them. Where a list has the address of the
mailbox itself, what lies in the mailbox and names no other recipient of ours is for that list: a
mail in Bcc only.

A source reaches only the lists it is given: those of its domain, or the one it is bound to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from postroad.mail.addresses import Match, match
from projections.lists import List
from schemas.commands import WhoIs
from schemas.mail import Mailbox
from schemas.road import MailReceived


def recipients(
    mail: MailReceived,
    lists: Mapping[str, str],
    *,
    mailbox: str = "",
    bound: str = "",
    one_copy: bool = False,
) -> tuple[Match, ...]:
    """The list addresses `mail` was sent to, each once, posting addresses first.

    `lists` maps normalised addresses to slugs: all that the source may reach. `mailbox` is the
    user of the source. `bound` is the slug of the only list of a source in single-list mode:
    what names no address of it is a post to it. A match without slug (`bounces+TOKEN@`) is left
    to whoever can read its token.
    """
    if bound:
        lists = {address: slug for address, slug in lists.items() if slug == bound}
    addresses = sent_to(mail, mailbox, one_copy=one_copy)
    found = dict.fromkeys(hit for address in addresses if (hit := match(address, lists)))
    if bound and lists and not found:
        return (Match(slug=bound, sub="", token=""),)
    if not found and not truths(mail, mailbox):
        own = mailbox.casefold()
        return (Match(lists[own]),) if own in lists else ()
    return tuple(sorted(found, key=lambda hit: bool(hit.sub)))


def sent_to(mail: MailReceived, mailbox: str = "", *, one_copy: bool = False) -> tuple[str, ...]:
    """The addresses this mail was sent to, by the best evidence there is."""
    told = truths(mail, mailbox)
    if told and (mail.envelope_to or not one_copy):
        return told
    return told + _addresses(mail.facts.to) + _addresses(mail.facts.cc)


def who_is_asked(mail: MailReceived, known: List) -> WhoIs:
    """What membership is asked of a mail to a list: who its author is, if there is one, and who of
    those whom it names besides the list wants no copy of it."""
    authors = _addresses(mail.facts.from_)
    named = dict.fromkeys(_addresses(mail.facts.to) + _addresses(mail.facts.cc))
    named.pop(known.address, None)
    author = authors[0] if len(authors) == 1 else ""
    return WhoIs(list=known.slug, address=author, recipients=tuple(named))


def truths(mail: MailReceived, mailbox: str) -> tuple[str, ...]:
    """What the envelope says, else the trusted headers but for the mailbox's own address."""
    if mail.envelope_to:
        return mail.envelope_to
    trusted = (address for each in mail.facts.trusted.values() for address in each)
    return tuple(address for address in trusted if not _is_own(address, mailbox))


def _is_own(address: str, mailbox: str) -> bool:
    """Whether this is the mailbox itself; many servers know their users without a domain."""
    mailbox = mailbox.casefold()
    return mailbox in (address, address.rpartition("@")[0])


def _addresses(boxes: Iterable[Mailbox]) -> tuple[str, ...]:
    return tuple(box.address for box in boxes)
