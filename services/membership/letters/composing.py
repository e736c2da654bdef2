"""A letter as bytes, the same for the same letter: what is stored twice is stored once. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from postroad.mail.addresses import parse_address, read_address, sub_address
from postroad.mail.edits import field_bytes
from postroad.mail.listheaders import list_headers, unsubscribe_headers
from postroad.mail.words import encode_phrase
from services.membership.letters.letter import Letter
from services.membership.letters.texts import Page, page

_ID = re.compile(r"[!-;=?-~]{1,250}")  # a Message-ID that stands on one line
_LINE = 998  # octets, RFC 5322 2.1.1


def compose(letter: Letter) -> bytes:
    """The mail: text/plain and an HTML twin that says the same, with CRLF.

    Its headers ask all robots for silence (RFC 3834, `Precedence`, `X-Auto-Response-Suppress`)
    and name the list, so that members can filter it and the router stops it where it comes round.
    From and Reply-To are one address, so that a plain Reply does the right thing even where a
    relay writes From anew. Raises ValueError for a text, field or address there cannot be.
    """
    words = page(letter)
    head = b"".join(field_bytes(name, value) for name, value in _headers(letter, words))
    body = EmailMessage(policy=SMTP)
    body.set_content(words.plain, cte=_encoding(words.plain))
    body.add_alternative(words.html, subtype="html", cte=_encoding(words.html))
    body.set_boundary(f"=_{hashlib.sha256(letter.message_id.encode()).hexdigest()[:32]}")
    return head + body.as_bytes()


def _headers(letter: Letter, words: Page) -> Iterator[tuple[str, str]]:
    # A list older than our care for long names: what a sub-address has no room for comes to it.
    answered = parse_address(_answered_at(letter))
    reply_to = str(answered or read_address(letter.list_address))
    yield "From", f"{encode_phrase(_name(letter))} <{reply_to}>"
    yield "Reply-To", reply_to
    yield "To", str(read_address(letter.to))
    yield "Subject", _subject(letter, words)
    yield "Date", format_datetime(letter.date)
    yield "Message-ID", f"<{letter.message_id}>"
    if _ID.fullmatch(letter.answering):
        yield "In-Reply-To", f"<{letter.answering}>"
        yield "References", f"<{letter.answering}>"
    yield "Auto-Submitted", "auto-replied" if letter.answering else "auto-generated"
    yield "X-Auto-Response-Suppress", "All"
    yield "Precedence", "bulk"
    yield from _list_headers(letter, member=words.member)


def _list_headers(letter: Letter, *, member: bool) -> Iterator[tuple[str, str]]:
    edits = list_headers(letter.list_address, _name(letter), letter.form)
    ours = {each.name: each.value for each in edits if each.op == "add"}
    names = ["List-Id", "List-Help"]
    if member and not letter.leave_token:
        names.append("List-Unsubscribe")
    yield from ((name, ours[name]) for name in names if name in ours)
    if member and letter.leave_token:
        address = sub_address(letter.list_address, "leave", letter.form, letter.leave_token)
        words = f"leave {letter.leave_token}" if letter.form == "none" else ""
        for each in unsubscribe_headers(address, subject=words):
            yield each.name, each.value


def _name(letter: Letter) -> str:
    return letter.list_name[:200] or letter.list_address


def _answered_at(letter: Letter) -> str:
    """Where a plain Reply goes: back with the token, or to people."""
    if token := letter.fields.get("token", ""):
        return sub_address(letter.list_address, "confirm", letter.form, token)
    return sub_address(letter.list_address, "owner", letter.form)


def _subject(letter: Letter, words: Page) -> str:
    """Where a list has no sub-addresses, only the Subject can bring a token back."""
    token = letter.fields.get("token", "")
    return f"confirm {token}" if token and letter.form == "none" else words.subject


def _encoding(text: str) -> str:
    short = all(len(line) <= _LINE for line in text.split("\n"))
    return "7bit" if text.isascii() and short else "quoted-printable"
