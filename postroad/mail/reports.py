"""What a delivery report says of a mail of ours (RFC 3464, and what was sent before it).

A report quotes the headers of the mail it is about: as message/rfc822, as text/rfc822-headers,
or in the middle of a letter. Marks that we put on every copy stand among them, so a report finds
its post where the address it came to tells nothing. Forms follow the 117 reports of the dsn
corpus: of the 24 that quote a Message-ID, it is found in all.

Nothing read here is proof but the token of one copy, which carries a MAC.
"""

from __future__ import annotations

import re

import msgspec

from postroad.mail.automatic import answers_by_itself, undelivered
from postroad.mail.fields import fields
from postroad.mail.headers import scan
from postroad.mail.listheaders import COPY, TRACE
from postroad.mail.parts import Part, parts, words_of
from postroad.mail.tokens import VERP_CHARS
from postroad.mail.words import text_of
from schemas.mail import HeaderFacts, Returned

_SAYING = frozenset(  # what a report says itself; other message/* are what it returns
    ("message/delivery-status", "message/disposition-notification", "message/feedback-report")
)
_LEVELS = 3  # of reports on reports
_COPY = re.compile(rf"[a-z2-7]{{{VERP_CHARS}}}")
# A field in a letter: quoted or indented, its value perhaps on the next line.
_IN_TEXT = re.compile(
    rb"^[ \t>|]{0,20}((?:%b|%b|List-Id|Message-ID)[ \t]{0,5}:[^\n]{0,1000})"
    rb"(\n[ \t>|]{1,20}[^\n:]{0,300}$)?" % (TRACE.encode(), COPY.encode()),
    re.IGNORECASE | re.MULTILINE,
)


def is_report(facts: HeaderFacts) -> bool:
    """Whether a mail may be a delivery report or an automatic answer, by its headers alone."""
    return bool(
        answers_by_itself(facts)
        or facts.content_type == "multipart/report"
        or undelivered(facts.subject)
    )


def returned(data: bytes, facts: HeaderFacts) -> Returned | None:
    """The marks of a mail of ours in what `data`, a whole mail with these facts, brings back.

    None where the mail is no report or brings nothing back. Looks at the first MiB; never
    raises. Where no Message-ID is quoted, what the mail answers (In-Reply-To) counts as one.
    """
    if not is_report(facts):
        return None
    found = _found(data, _LEVELS)
    if not found.message_id:
        found = msgspec.structs.replace(found, message_id=facts.in_reply_to)
    return found if found != Returned() else None


def _found(data: bytes, levels: int) -> Returned:
    """The marks in the first header block that is returned as such, else in the letter."""
    all_parts = tuple(parts(data))
    best = Returned()
    for part in all_parts:
        if _is_returned(part):
            marks = _marks(part.body)
            if not marks.trace and levels > 1:
                inner = _found(part.body, levels - 1)  # a report on a report, sent on
                marks = inner if inner.trace else marks
            best = max(best, marks, key=_worth)
    for part in all_parts:
        if not best.trace and part.type.startswith("text/"):
            best = max(best, _quoted(part), key=_worth)
    return best


def _is_returned(part: Part) -> bool:
    if part.type in ("text/rfc822-headers", "text/rfc822"):
        return True
    return part.type.startswith("message/") and part.type not in _SAYING


def _worth(marks: Returned) -> tuple[bool, ...]:
    return bool(marks.trace), bool(marks.copy), bool(marks.message_id), bool(marks.list_id)


def _quoted(part: Part) -> Returned:
    """The marks among header fields that stand in a letter, the first of each."""
    text = words_of(part.text).encode() if part.type == "text/html" else part.body
    lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    block = b"".join(
        first + b" " + more.strip(b" \t>|\n") + b"\n" for first, more in _IN_TEXT.findall(lines)
    )
    return _marks(block)


def _marks(block: bytes) -> Returned:
    """The marks in a header block; of a name that stands twice, the first counts."""
    facts, _ = scan(block)
    copy = ""
    for field in fields(block[:102_400]):
        if field.name.lower() == COPY.lower().encode():
            value = block[field.value_start : min(field.value_end, field.value_start + 200)]
            copy = text_of(value).strip().lower()
            break
    return Returned(
        trace=facts.trace,
        copy=copy if _COPY.fullmatch(copy) else "",
        list_id=facts.list_ids[0] if facts.list_ids else "",
        message_id=facts.message_id,
    )
