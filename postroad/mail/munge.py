"""From as a relay will take it, with the author named and still answerable (pure).

Mailboxes at a provider send as themselves only, others for their verified domains only; sent as
anybody else, a mail is refused, or its From is overwritten and the author forgotten. So the From
becomes `"Ann via Team" <what the relay takes>`, and Ann goes where an answer finds her: into
Reply-To; or, where the mail has a Reply-To of its own, which keeps its meaning, into Cc. What
stood in From is kept in X-Original-From. A mail whose From the relay takes is not touched.

Mail that speaks for the list (a notice of ours, or From the list itself or one of its
sub-addresses) has no "via", and what was its From becomes its Reply-To: a plain answer to a
confirmation must come back to the address with the token.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from postroad.mail.addresses import match, parse_address
from postroad.mail.edits import edit
from postroad.mail.fields import fields
from postroad.mail.headers import scan
from postroad.mail.mailboxes import OCTETS, parse_mailboxes
from postroad.mail.words import encode_phrase, printable, text_of
from schemas.mail import HeaderEdit, Mailbox
from schemas.road import Copy

ORIGINAL = "X-Original-From"
_NAME = 100  # characters of a display name that are kept
_VALUE = 2_000  # characters of an original From
_AUTHORS = 10  # of a From with several, who are put into Reply-To


def munge(
    block: bytes, copy: Copy, takes: str, domains: Collection[str] = ()
) -> tuple[HeaderEdit, ...]:
    """The edits that make the relay take this mail; none where it takes it as it is.

    `block` is the header block as it would leave (other edits made). `takes` is what the relay
    accepts as From: "any", "own_domain" (one of `domains`, lower case; else the list's address)
    or the one address. An author's address that is not ASCII cannot be put into a field that
    every server carries; it stays in X-Original-From only.
    """
    if takes == "any":
        return ()
    facts, _ = scan(block)
    only = "" if takes == "own_domain" else _key(takes)
    written = _values(block, "from")
    read = [parse_mailboxes(value) for value in written]
    authors = tuple(author for found, _ in read for author in found)
    plain = len(written) == len(authors) == 1 and not read[0][1]
    if plain and _taken(authors[0].address, only, domains):
        foreign = any(_values(block, "sender")) and not _taken(facts.sender, only, domains)
        return (edit("remove", "Sender"),) if foreign else ()
    new = takes if only else copy.list_address
    authors = authors[:_AUTHORS]
    ours = copy.notice or (bool(authors) and all(_speaks_for(copy, each) for each in authors))
    name = _own_name(authors, copy) if ours else _via(authors, copy)
    edits = [
        edit("set", "From", _mailbox(name, new)),
        edit("remove", "Sender"),
        edit("set", ORIGINAL, printable(_joined(written), _VALUE)),
    ]
    reachable = tuple(author for author in authors if author.address.isascii())
    if not facts.reply_to:
        if not reachable and _key(new) != _key(copy.list_address):
            reachable = (Mailbox(address=copy.list_address),)
        if reachable:
            edits.append(edit("set", "Reply-To", _mailboxes(reachable)))
    elif not ours:
        named = {box.address for box in (*facts.reply_to, *facts.to, *facts.cc)}
        missing = [author for author in reachable if author.address not in named]
        if missing:
            # in front: what stands there may have a quotation mark without an end
            others = printable(_joined(_values(block, "cc")), OCTETS)
            edits.append(edit("set", "Cc", _joined((_mailboxes(missing), others))))
    return tuple(edits)


def _taken(address: str, only: str, domains: Collection[str]) -> bool:
    return address == only if only else address.rpartition("@")[2] in domains


def _speaks_for(copy: Copy, author: Mailbox) -> bool:
    return match(author.address, {_key(copy.list_address): copy.list}) is not None


def _key(address: str) -> str:
    found = parse_address(address)
    return found.key if found else address


def _via(authors: Sequence[Mailbox], copy: Copy) -> str:
    who = [_name(author, author.address) for author in authors]
    if not who:
        return _list_name(copy)
    people = who[0] if len(who) == 1 else f"{who[0]} and {who[1] if len(who) == 2 else 'others'}"
    return f"{people} via {_list_name(copy)}"


def _own_name(authors: Sequence[Mailbox], copy: Copy) -> str:
    return (_name(authors[0], "") if authors else "") or _list_name(copy)


def _list_name(copy: Copy) -> str:
    return _plain(copy.list_name) or _local(copy.list_address)


def _name(box: Mailbox, otherwise: str) -> str:
    """The display name; where there is none, the local part of `otherwise`."""
    return _plain(box.name) or _local(otherwise)


def _plain(name: str) -> str:
    """A name without addresses in it: readers and filters take a second @ for a disguise."""
    words = printable(name, _NAME).split()
    return " ".join(word for word in words if not any(sign in word for sign in "@\uff20\ufe6b"))


def _local(address: str) -> str:
    return _plain(address.rpartition("@")[0].strip('"'))


def _mailbox(name: str, address: str) -> str:
    return f"{encode_phrase(name)} <{address}>" if name else f"<{address}>"


def _mailboxes(boxes: Iterable[Mailbox]) -> str:
    return ", ".join(_mailbox(_plain(box.name), box.address) for box in boxes)


def _values(block: bytes, name: str) -> list[str]:
    """What stands in the fields of this name, each on one line."""
    wanted = name.encode()
    return [
        " ".join(text_of(block[field.value_start : field.value_end]).split())
        for field in fields(block)
        if field.name.lower() == wanted
    ]


def _joined(values: Iterable[str]) -> str:
    return ", ".join(filter(None, values))
