"""From as others will take it, with the author named and still answerable (pure).

`munge_from` is the one way in which a From is written anew: `"Ann via Team" <team@...>`. Two ask
for it. The router, by the edit `munge`, where the author's domain tells receivers to refuse mail
that the list has changed (DMARC), or always does; and the sender, where a relay would refuse it:
mailboxes at a provider send as themselves only, others for their verified domains only (`munge`).

Ann goes where an answer finds her: into Reply-To; or, where answers are to go elsewhere (the mail
has a Reply-To, of its own or of the list), into Cc, which then keeps an answer to all what it was.
What stood in From is kept in X-Original-From.

Mail that speaks for the list (a notice of ours, or From the list itself or one of its
sub-addresses) has no "via", and what was its From becomes its Reply-To: a plain answer to a
confirmation must come back to the address with the token.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from postroad.mail.addresses import match, parse_address
from postroad.mail.fields import fields
from postroad.mail.headers import scan
from postroad.mail.mailboxes import parse_mailboxes, write_mailboxes
from postroad.mail.words import printable, text_of
from schemas.mail import HeaderEdit, HeaderFacts, Mailbox
from schemas.road import Copy

ORIGINAL = "X-Original-From"
_NAME = 100  # characters of a display name that are kept
_VALUE = 2_000  # characters of an original From
_AUTHORS = 10  # of a From with several, who are put into Reply-To


def munged(block: bytes, mailbox: str) -> tuple[HeaderEdit, ...]:
    """The edits that put a list's mailbox into From of this header block; none where the text is no
    mailbox."""
    facts, _ = scan(block)
    found, _ = parse_mailboxes(mailbox)
    written = _joined(_values(block, "from"))
    return munge_from(facts, found[0].address, found[0].name, written=written) if found else ()


def munge_from(
    facts: HeaderFacts, new: str, list_name: str, *, written: str, ours: bool = False
) -> tuple[HeaderEdit, ...]:
    """The edits that put the address `new` into From for those who stand there, and keep them
    within reach. `facts` are those of the header as it is when the edits are made. `list_name`
    names the list, `ours` says that the mail speaks for it, and `written` is what stood in From.

    An author's address that is not ASCII is not put where the mail had no such address yet: not
    every server takes it. It stays in X-Original-From only.
    """
    authors = facts.from_[:_AUTHORS]
    list_name = _plain(list_name) or _local(new)
    name = _own_name(authors, list_name) if ours else _via(authors, list_name)
    edits = [
        _edit("set", "From", write_mailboxes((Mailbox(address=new, name=name),))),
        _edit("remove", "Sender"),
        _edit("set", ORIGINAL, _kept(written)),
    ]
    named = {box.address for box in (*facts.reply_to, *facts.to, *facts.cc)}
    reachable = [author for author in authors if author.address.isascii()]
    missing = [author for author in reachable if author.address not in named]
    if reachable and not facts.reply_to:
        edits.append(_edit("set", "Reply-To", _mailboxes(reachable)))
    elif missing and not ours:
        edits.append(_edit("also", "Cc", _mailboxes(missing)))
    return tuple(edits)


def munge(
    block: bytes, copy: Copy, takes: str, domains: Collection[str] = ()
) -> tuple[HeaderEdit, ...]:
    """The edits that make the relay take this mail; none where it takes it as it is.

    `block` is the header block as it would leave (other edits made). `takes` is what the relay
    accepts as From: "any", "own_domain" (one of `domains`, lower case; else the list's address)
    or the one address.
    """
    if takes == "any":
        return ()
    facts, _ = scan(block)
    only = "" if takes == "own_domain" else _key(takes)
    written = _values(block, "from")
    authors = facts.from_
    sound = len(written) == len(authors) == 1 and not parse_mailboxes(written[0])[1]
    if sound and _taken(authors[0].address, only, domains):
        foreign = any(_values(block, "sender")) and not _taken(facts.sender, only, domains)
        return (_edit("remove", "Sender"),) if foreign else ()
    new = takes if only else copy.list_address
    ours = copy.notice or (bool(authors) and all(_speaks_for(copy, each) for each in authors))
    name = _plain(copy.list_name) or _local(copy.list_address)
    edits = munge_from(facts, new, name, ours=ours, written=_joined(written))
    if ours and any(_values(block, ORIGINAL)):  # munged before: it names the author
        edits = tuple(each for each in edits if each.name != ORIGINAL)
    nobody = not (facts.reply_to or any(each.name == "Reply-To" for each in edits))
    if nobody and _key(new) != _key(copy.list_address):
        edits = (*edits, _edit("set", "Reply-To", f"<{copy.list_address}>"))
    return edits


def _edit(op: Literal["set", "remove", "also"], name: str, value: str = "") -> HeaderEdit:
    return HeaderEdit(op=op, name=name, value=value)  # checked when it is made


def _kept(written: str) -> str:
    """What stood in From, for a field that servers know nothing of. A name that is not ASCII would
    be encoded in its quotation marks, where encoded words are letters (RFC 2047 section 5)."""
    if not written.isascii():
        boxes, odd = parse_mailboxes(written)
        if boxes and not odd and all(box.address.isascii() for box in boxes):
            written = write_mailboxes(boxes)
    return printable(written, _VALUE)


def _taken(address: str, only: str, domains: Collection[str]) -> bool:
    return address == only if only else address.rpartition("@")[2] in domains


def _speaks_for(copy: Copy, author: Mailbox) -> bool:
    return match(author.address, {_key(copy.list_address): copy.list}) is not None


def _key(address: str) -> str:
    found = parse_address(address)
    return found.key if found else address


def _via(authors: Sequence[Mailbox], list_name: str) -> str:
    who = [_name(author, author.address) for author in authors]
    if not who:
        return list_name
    people = who[0] if len(who) == 1 else f"{who[0]} and {who[1] if len(who) == 2 else 'others'}"
    return f"{people.removesuffix(via := f' via {list_name}')}{via}"


def _own_name(authors: Sequence[Mailbox], list_name: str) -> str:
    return (_name(authors[0], "") if authors else "") or list_name


def _name(box: Mailbox, otherwise: str) -> str:
    """The display name; where there is none, the local part of `otherwise`."""
    return _plain(box.name) or _local(otherwise)


def _plain(name: str) -> str:
    """A name without addresses in it: readers and filters take a second @ for a disguise."""
    words = printable(name, _NAME).split()
    return " ".join(word for word in words if not any(sign in word for sign in "@\uff20\ufe6b"))


def _local(address: str) -> str:
    return _plain(address.rpartition("@")[0].strip('"'))


def _mailboxes(boxes: Iterable[Mailbox]) -> str:
    return write_mailboxes(Mailbox(address=box.address, name=_plain(box.name)) for box in boxes)


def _values(block: bytes, name: str) -> list[str]:
    """What stands in the fields of this name, each on one line."""
    wanted = name.lower().encode()
    return [
        " ".join(text_of(block[field.value_start : field.value_end]).split())
        for field in fields(block)
        if field.name.lower() == wanted
    ]


def _joined(values: Iterable[str]) -> str:
    return ", ".join(filter(None, values))
