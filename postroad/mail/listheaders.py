"""Headers a list puts on each copy (RFC 2369, 2919, 5064, 8058), and those it takes off first."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from postroad.mail.addresses import Form, SubAddress, parse_address, sub_address
from postroad.mail.edits import edit
from postroad.mail.identity import message_id_hash
from postroad.mail.words import encode_phrase
from schemas.mail import HeaderEdit

TRACE = "X-Postroad-Trace"
COPY = "X-Postroad-Copy"  # the VERP token, where the envelope has no room for it

# Another list's, or a forger's; only ours may stand on our copy. Signatures stay.
LIST_HEADERS = (
    "List-*",
    "X-BeenThere",
    "Archived-At",
    "Message-ID-Hash",
    "X-Message-ID-Hash",
)

# Receipts would tell the author who is a member; passwords and return paths are not for members,
# nor is the mailbox that the lists live in. Postfix, too, refuses what bears Delivered-To of
# whom it is for ("mail forwarding loop"). X-Postroad-* is for us alone to write.
PRIVILEGED_HEADERS = (
    "Disposition-Notification-To",
    "Disposition-Notification-Options",
    "Return-Receipt-To",
    "Return-Receipt-Requested",
    "Read-Receipt-To",
    "X-Confirm-Reading-To",
    "X-Pmrqc",
    "Approved",
    "X-Approved",
    "Approve",
    "X-Approve",
    "Urgent",
    "Errors-To",
    "Return-Path",
    "Delivered-To",
    "X-Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "Bcc",
    "Resent-Bcc",
    "X-Postroad-*",
)

# What is left of a post whose author nobody may know. Everything else goes: a field that we have
# never heard of may name them, and so may a comment in one that we know.
ANONYMOUS_HEADERS = (
    "Subject",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-Language",
)


def list_headers(
    list_address: str,
    description: str,
    form: Form,
    *,
    post_allowed: bool = True,
    links: bool = True,
    web_base: str = "",
) -> tuple[HeaderEdit, ...]:
    """The edits that make a mail this list's: its own List-* in place of any other.

    `description` is the phrase of List-Id, usually the display name; `web_base` is the https
    address of the list's own page without a slash at its end, empty where there is no web. Without
    `links`, List-Id and List-Unsubscribe stand alone: loops are told by the one, and large
    providers take no list mail without the other.
    List-Unsubscribe is the one all members share: `unsubscribe_headers` makes it personal. What
    names a command address that is too long for servers is left out. Raises ValueError where an
    address or the web base could not stand in a header.
    """
    join = [f"<{web_base}/join>"] if web_base else []
    join += _command_links(list_address, "join", form)
    headers = {
        "List-Id": f"{encode_phrase(description)} <{list_id(list_address)}>".strip(),
        "List-Help": "".join(_command_links(list_address, "request", form, "help")),
        "List-Subscribe": ", ".join(join),
        "List-Unsubscribe": "".join(_command_links(list_address, "leave", form)),
        "List-Post": _mailto(list_address) if post_allowed else "NO",
    }
    if form != "none":
        headers["List-Owner"] = "".join(_command_links(list_address, "owner", form))
    if web_base:
        headers["List-Archive"] = f"<{web_base}/archive>"
    if not links:
        headers = {name: headers[name] for name in ("List-Id", "List-Unsubscribe")}
    return (
        *(edit("remove", name) for name in LIST_HEADERS),
        *(edit("add", name, value) for name, value in headers.items() if value),
        edit("set", "Precedence", "list"),
    )


def unsubscribe_headers(
    leave_address: str, url: str = "", *, subject: str = ""
) -> tuple[HeaderEdit, ...]:
    """The edits that put one member's own way out on a copy, instead of the shared one.

    `leave_address` holds the member's token, or `subject` does (`leave TOKEN`) where the list
    has no sub-addresses. With an https `url` one click is enough (RFC 8058); its signature must
    cover both headers.
    """
    mail = _mailto(leave_address, subject)
    if not url:
        return (edit("set", "List-Unsubscribe", mail),)
    return (
        edit("set", "List-Unsubscribe", f"<{url}>, {mail}"),
        edit("set", "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )


def archive_headers(message_id: str, web_base: str = "") -> tuple[HeaderEdit, ...]:
    """The edits that say where this mail is kept (RFC 5064), or would be: the hash alone tells it
    in every archive that goes by it. `message_id` is that of the copies, without brackets."""
    hashed = message_id_hash(message_id)
    where = (edit("add", "Archived-At", f"<{web_base}/archive/{hashed}/>"),) if web_base else ()
    return (*where, edit("add", "Message-ID-Hash", hashed))


@cache
def cleansed() -> tuple[HeaderEdit, ...]:
    """The edits that take off what must not reach members."""
    return tuple(edit("remove", name) for name in PRIVILEGED_HEADERS)


def list_id(list_address: str) -> str:
    """The RFC 2919 identifier of a list, lower case: its address with a dot for the @."""
    return list_address.replace("@", ".").lower()


def _command_links(list_address: str, sub: SubAddress, form: Form, subject: str = "") -> list[str]:
    """A link that sends a command: to its own address, or in a Subject where there is none. None
    where that address would be too long for servers."""
    address = sub_address(list_address, sub, form)
    if parse_address(address) is None:
        return []
    return [_mailto(address, subject or (sub if form == "none" else ""))]


def mailto(address: str, subject: str = "") -> str:
    """An RFC 6068 link."""
    link = quote(address, safe="@+!$'*")
    return f"mailto:{link}?subject={quote(subject)}" if subject else f"mailto:{link}"


def _mailto(address: str, subject: str = "") -> str:
    return f"<{mailto(address, subject)}>"
