"""What is known of a mail's bytes, as data."""

from __future__ import annotations

from typing import Literal

import msgspec


class Data(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Base of the plain records inside events."""


class RawRef(Data, kw_only=True):
    """Where the bytes of a mail lie in the RAW stream.

    part 0 is the original, part 1 a body the router had to change. `size` in octets,
    `sha256` in hex over exactly those octets, `head` the offset at which the body begins
    (after the empty line; equal to `size` where there is no body).
    """

    mail_id: str
    part: int = 0
    chunks: int
    size: int
    sha256: str
    head: int


class Mailbox(Data, kw_only=True):
    """One address as it stood in a header: normalised address and decoded display name."""

    address: str
    name: str = ""


class HeaderFacts(Data, kw_only=True):
    """What the header scanner found; every field is bounded and safe to print.

    Addresses are normalised by `postroad.mail.addresses.normalise`; what did not parse is not
    in them but is named in `oddities`. `trusted` holds, for each lower-case header name the
    source was told to trust, its addresses from above the first `Received` only.
    """

    message_id: str = ""
    from_: tuple[Mailbox, ...] = ()
    sender: str = ""
    reply_to: tuple[Mailbox, ...] = ()
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    subject: str = ""
    date: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    return_path: str | None = None  # "" is the null sender <>, None is no such header
    list_ids: tuple[str, ...] = ()  # lower case, without brackets and description
    list_posts: tuple[str, ...] = ()  # addresses of List-Post
    been_there: tuple[str, ...] = ()  # X-BeenThere addresses
    trace: str = ""  # X-Postroad-Trace: it was a copy of the mail with this id
    received: int = 0  # Received fields; ours, of what clients bring, is none
    auto_submitted: str = ""  # lower case keyword, without parameters
    precedence: str = ""
    vendor_auto: tuple[str, ...] = ()  # names of vendor auto-reply headers present
    content_type: str = ""  # lower case type/subtype of the whole mail
    report_type: str = ""  # report-type parameter, lower case
    auth_results: tuple[str, ...] = ()
    trusted: dict[str, tuple[str, ...]] = {}
    approval: bool = False  # there is a field for a moderator's password
    oddities: tuple[str, ...] = ()


class Returned(Data, kw_only=True):
    """What a delivery report brings back of a mail of ours: marks from the headers it quotes.

    Nothing here is proof by itself, but for `copy`, which carries a MAC.
    """

    trace: str = ""  # X-Postroad-Trace: the mail id of the post
    copy: str = ""  # X-Postroad-Copy: the VERP token of one recipient's copy
    list_id: str = ""  # List-Id, lower case, without brackets and description
    message_id: str = ""


class HeaderEdit(Data, kw_only=True):
    """One change to a header block, applied in order by `postroad.mail.edits`.

    `remove` deletes every field of that name; where the name ends in `*`, every field whose name
    begins so and is not among the words of the value. `set` replaces the first (keeping its place)
    and deletes the others, adding it on top where there is none; `add` puts a field on top;
    `prefix` puts the value before the text of the first, once (`[Team] `), without touching the
    text; `also` puts more mailboxes before those of an address list, `less` takes out of it those
    that stand in the fields that the value names. `munge` puts the mailbox of the value into From,
    `via` which the author then writes (`postroad.mail.munge`). Edits hold no address of a person.
    """

    op: Literal["add", "remove", "set", "prefix", "also", "less", "munge"]
    name: str
    value: str = ""


class Insertion(Data, kw_only=True):
    """Lines put into the body of every copy, before the octet `at` of the mail as stored, where a
    line begins; `RawRef.size` is its end.

    `pieces` are literal text, ending in CRLF at each of its line ends, and by turns the name of a
    merge field of a person (`postroad.mail.mergefields`) and literal text. Where it is put, text
    is read as `charset`.
    """

    at: int
    pieces: tuple[str, ...]
    charset: Literal["us-ascii", "utf-8"] = "us-ascii"
