"""The header scanner: bytes in, header facts out. Never raises, whatever the bytes are.

Our own, because the parser of the standard library raises or hangs on hostile mail. Bounds:
100 KiB of headers and 1,000 fields are considered, 64 KiB of one field; what is cut is named
among the oddities. Time is linear in the header block (10 MB in one line: 10 ms).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote

from postroad.mail.addresses import parse_address
from postroad.mail.automatic import ANSWERING, QUIET, SENDING
from postroad.mail.fields import Field, body_offset, fields, fields_end
from postroad.mail.mailboxes import parse_mailboxes
from postroad.mail.words import decode, printable, text_of
from schemas.mail import HeaderFacts, Mailbox

HEADER_OCTETS = 102_400
FIELDS = 1_000
FIELD_OCTETS = 65_536
SUBJECT = 1_000  # characters
VALUE = 2_000  # characters
MESSAGE_ID = 998  # characters
_CUT_FIELDS = f"header fields after the first {FIELDS} ignored"
_CUT_OCTETS = f"headers after the first {HEADER_OCTETS} octets ignored"
_ODDITIES = 32
_REFERENCES = 100
_AUTH_RESULTS = 20

APPROVAL = ("approved", "approve", "x-approved", "x-approve")
VENDOR_AUTO = (*ANSWERING, *SENDING, *QUIET)
_ONCE = (  # RFC 5322 3.6: at most one of each
    *("from", "sender", "reply-to", "to", "cc", "message-id"),
    *("in-reply-to", "references", "subject", "date"),
)
_ID = re.compile(r"<([^<>]{1,998})>")
_KEYWORD = re.compile(r"[\s\"]*+([A-Za-z0-9_-]+)")
_COMMENT = re.compile(r"\([^()]*+\)")
_MEDIA_TYPE = re.compile(r"\s*+([\w!#$&^.+-]{1,127})\s*+/\s*+([\w!#$&^.+-]{1,127})", re.ASCII)
_REPORT_TYPE = re.compile(r";\s*+report-type\s*+=\s*+\"?([\w-]{1,64})", re.ASCII | re.IGNORECASE)
_NULL_PATHS = ("", "mailer-daemon", "#@[]")  # what servers write for the null sender
_TRACE = re.compile(r"[0-9a-f]{32}")
_MAILTO = re.compile(r"(?:<|\A|,)\s*+mailto:([^<>?,\s]{1,998})", re.IGNORECASE)
_UNFOLD = re.compile(rb"[\r\n]++")


def scan(data: bytes, trusted: Sequence[str] = ()) -> tuple[HeaderFacts, int]:
    """The facts in the header block of a mail, and the offset at which its body begins.

    `trusted` names headers a source may be believed about recipients; only those above the
    first `Received` count. The offset is into `data` as given, and equals its length where
    there is no body. Any bytes will do.
    """
    block = _Block(data)
    mailboxes = block.mailboxes
    sender = mailboxes("sender")
    return HeaderFacts(
        message_id=_message_id(block.text("message-id")),
        from_=mailboxes("from"),
        sender=sender[0].address if sender else "",
        reply_to=mailboxes("reply-to"),
        to=mailboxes("to"),
        cc=mailboxes("cc"),
        subject=decode(block.text("subject"), SUBJECT),
        date=printable(block.text("date"), 100),
        in_reply_to=next(iter(_ids(block.text("in-reply-to"))), ""),
        references=tuple(_ids(block.text("references"))[-_REFERENCES:]),
        return_path=_return_path(block),
        list_ids=tuple(filter(None, map(_list_id, block.texts("list-id")))),
        list_posts=tuple(key for text in block.texts("list-post") for key in _mailto(text)),
        been_there=(
            *(box.address for box in mailboxes("x-beenthere")),
            *(address for text in block.texts("x-beenthere") for address in _encoded(text)),
        ),
        trace=_trace(block.text("x-postroad-trace")),
        received=len(block.found.get("received", ())),
        auto_submitted=_auto_submitted(block.texts("auto-submitted")),
        precedence=_keyword(block.text("precedence")),
        vendor_auto=tuple(
            name for name in VENDOR_AUTO if any(_marks(name, text) for text in block.texts(name))
        ),
        content_type=_media_type(block.text("content-type")),
        report_type=_report_type(block.text("content-type")),
        auth_results=tuple(
            printable(text, 2_000) for text in block.texts("authentication-results")[:_AUTH_RESULTS]
        ),
        trusted=block.trusted(trusted),
        approval=any(name in block.found for name in APPROVAL),
        oddities=tuple(block.odd)[:_ODDITIES],
    ), block.body


def decoded_fields(data: bytes) -> tuple[tuple[str, str], ...]:
    """Every field that `scan` considers, in order: its name in lower case, and its value decoded
    and printable, at most 2,000 characters of it. Any bytes will do."""
    found: list[tuple[str, str]] = []
    for field in islice(fields(data), FIELDS):
        if field.start >= HEADER_OCTETS:
            break
        end = min(field.value_end, field.value_start + FIELD_OCTETS, HEADER_OCTETS)
        value = _unfolded(data[field.value_start : end])
        found.append((field.name[:100].decode("ascii").lower(), decode(value, VALUE)))
    return tuple(found)


class _Value(NamedTuple):
    raw: bytes
    start: int  # of its field
    cut: bool


class _Block:
    """The fields that are considered, by lower-case name, and what was odd about them."""

    def __init__(self, data: bytes) -> None:
        self.odd: dict[str, None] = {}
        self.found: dict[str, list[_Value]] = {}
        self.first_received: int | None = None
        self.body = self._read(data)

    def _read(self, data: bytes) -> int:
        end = count = 0
        for field in fields(data):
            if count == FIELDS or field.start >= HEADER_OCTETS:
                self.odd[_CUT_FIELDS if count == FIELDS else _CUT_OCTETS] = None
                end = fields_end(data, field.end)
                break
            count += 1
            end = field.end
            self._add(field, data)
        body = body_offset(data, end)
        if not count:
            self.odd["no header fields"] = None
        elif body == end:
            self.odd["no empty line after the headers"] = None
        self._name_octets(data[: min(body, HEADER_OCTETS)])
        for name in _ONCE:
            if len(self.found.get(name, ())) > 1:
                self.odd[f"more than one {name}"] = None
        return body

    def _add(self, field: Field, data: bytes) -> None:
        name = field.name[:100].decode("ascii").lower()
        if name == "received" and self.first_received is None:
            self.first_received = field.start
        if field.spaced:
            self.odd["space before a colon"] = None
        if field.value_end - field.value_start > FIELD_OCTETS:
            self.odd[f"a field longer than {FIELD_OCTETS} octets cut"] = None
        if field.value_end > HEADER_OCTETS:
            self.odd[_CUT_OCTETS] = None
        end = min(field.value_end, field.value_start + FIELD_OCTETS, HEADER_OCTETS)
        value = _Value(data[field.value_start : end], field.start, end < field.value_end)
        self.found.setdefault(name, []).append(value)

    def _name_octets(self, head: bytes) -> None:
        line_ends = head.count(b"\r\n")
        if head.count(b"\r") > line_ends:
            self.odd["bare CR in the headers"] = None
        if head.count(b"\n") > line_ends:
            self.odd["bare LF in the headers"] = None
        if b"\0" in head:
            self.odd["NUL in the headers"] = None
        if not head.isascii():
            self.odd["8-bit octets in the headers"] = None

    def texts(self, name: str) -> list[str]:
        """Every value of this field, unfolded."""
        return [_unfolded(value.raw) for value in self.found.get(name, ())]

    def text(self, name: str) -> str:
        """The first value of this field, unfolded, or an empty string."""
        present = self.found.get(name)
        return _unfolded(present[0].raw) if present else ""

    def mailboxes(self, name: str) -> tuple[Mailbox, ...]:
        """The mailboxes of all fields of this name: a second From must not hide."""
        return self._mailboxes(name, self.found.get(name, ()))

    def trusted(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Addresses by lower-case name of the headers in `names` above the first Received."""
        found: dict[str, tuple[str, ...]] = {}
        for name in dict.fromkeys(name.lower() for name in names):
            above = [
                value
                for value in self.found.get(name, ())
                if self.first_received is None or value.start < self.first_received
            ]
            if above:
                found[name] = tuple(box.address for box in self._mailboxes(name, above))
        return found

    def _mailboxes(self, name: str, present: Sequence[_Value]) -> tuple[Mailbox, ...]:
        found: list[Mailbox] = []
        for value in present:
            mailboxes, odd = parse_mailboxes(value.raw, cut=value.cut)
            found += mailboxes
            self.odd |= {f"{name}: {what}": None for what in odd}
        return tuple(found)


def _unfolded(value: bytes) -> str:
    return text_of(_UNFOLD.sub(b"", value)).strip()


def _ids(text: str) -> list[str]:
    return [printable(found, MESSAGE_ID) for found in _ID.findall(text)]


def _message_id(text: str) -> str:
    """As written, without its brackets; what stands in none is taken whole."""
    ids = _ids(text)
    return ids[0] if ids else printable(text.strip("<> \t"), MESSAGE_ID)


def _return_path(block: _Block) -> str | None:
    if "return-path" not in block.found:
        return None
    if block.text("return-path").strip("<> \t").lower() in _NULL_PATHS:
        return ""
    mailboxes = block.mailboxes("return-path")
    return mailboxes[0].address if mailboxes else None


def _trace(text: str) -> str:
    return text.lower() if _TRACE.fullmatch(text.lower()) else ""


def _list_id(text: str) -> str:
    """RFC 2919: what stands in the last brackets, or, in old forms, all of it."""
    text = decode(text, FIELD_OCTETS)
    return printable(text.rpartition("<")[2].partition(">")[0], 255).lower()


def _encoded(text: str) -> list[str]:
    """The addresses in encoded words, where none may be (RFC 2047 section 5)."""
    if "=?" not in text:
        return []
    mailboxes, _ = parse_mailboxes(decode(text, FIELD_OCTETS).encode("utf-8", "replace"))
    return [box.address for box in mailboxes]


def _mailto(text: str) -> list[str]:
    """RFC 2369; some write the links without brackets, or in encoded words."""
    text = decode(text, FIELD_OCTETS)
    addresses = (parse_address(unquote(found)) for found in _MAILTO.findall(text))
    return [address.key for address in addresses if address]


def _keyword(text: str) -> str:
    """The first word, in lower case; comments (RFC 5322 3.2.2) and a quote before it are not."""
    text = text[:200]
    while (less := _COMMENT.sub(" ", text)) != text:
        text = less
    match = _KEYWORD.match(text)
    return match[1].lower() if match else ""


def _auto_submitted(texts: list[str]) -> str:
    """Of several fields, one that says that no person sent the mail."""
    words = [_keyword(text) for text in texts]
    return next((word for word in words if word not in ("", "no")), next(iter(words), ""))


def _marks(name: str, text: str) -> bool:
    """Whether this value means anything; of what a mail asks of readers, only `All`, in
    whichever place."""
    if name == "x-auto-response-suppress":
        return "all" in map(_keyword, text[:200].split(","))
    if name == "x-precedence":
        return _keyword(text) in ("bulk", "junk", "list")
    return _keyword(text) not in ("no", "false")


def _media_type(text: str) -> str:
    match = _MEDIA_TYPE.match(text[:1_000])
    return f"{match[1]}/{match[2]}".lower() if match else ""


def _report_type(text: str) -> str:
    match = _REPORT_TYPE.search(text[:4_000])
    return match[1].lower() if match else ""
