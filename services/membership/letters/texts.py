"""Texts, filled in: a subject, and the same words as plain text and as HTML. Pure.

There is no template language: a field is replaced by its value once, and a value is never looked
into again. In HTML all of it is escaped; only addresses that we made ourselves become links.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from postroad.mail.addresses import SubAddress, sub_address
from postroad.mail.words import printable
from services.membership.letters.catalog import FIELD, READER, Text, texts
from services.membership.letters.letter import Letter

WIDTH = 72  # columns of plain text
EARLY = 50  # columns: a line was ended on purpose where the next word had room in so many
VALUE = 200  # characters of a value
LONG = {"reason": 500, "other": 320}  # of others; an address is seen to its end
LINES = 250  # of a value that may have several
SEVERAL = ("lists", "failures", "mails", "waiting")  # fields of several lines
GIVEN = (
    "token",
    "days",
    "wish",
    "subject",
    "reason",
    "count",
    "verdict",
    "people",
    "other",
    *SEVERAL,
)
_VERDICT = re.compile(r"(?:accepted|rejected|discarded)\b")
_VERBATIM = "    "
_ITEM = re.compile(r"^- ", re.MULTILINE)


class Value(NamedTuple):
    """What stands for a field, in both kinds of text."""

    plain: str
    html: str


class Page(NamedTuple):
    """A letter's words: `subject` on one line, `plain` with bare LF, `html` a whole document.
    `member` says that the reader is on the list, `language` is that of the first text."""

    subject: str
    plain: str
    html: str
    member: bool
    language: str


def page(letter: Letter) -> Page:
    """The words of a letter. Raises ValueError for a text or field that there is not."""
    names = letter.text.split()
    if not names or any(name not in texts() or name == "sign_off" for name in names):
        raise ValueError(f"there is no text {letter.text!r}")
    first = letter.wording.find(names[0], letter.form)
    language = first.language
    found = [first.text, *(_beside(letter, language, name) for name in names[1:])]
    values = _values(letter, lambda name: letter.wording.phrase(name, language))
    below = _beside(letter, language, "sign_off")
    sign_off = _body(letter, below.text, below.none)
    bodies = [_body(letter, each.text, each.none) for each in found]
    blocks = [block for body in bodies for block in blocks_of(body)]
    blocks = [block for block in blocks if _plain(block, values).strip()]
    plain = [_plain(block, values) for block in blocks]
    html = [_html(block, values) for block in blocks]
    subject = _filled(found[0].subject, lambda name: _value(values, name).plain)
    return Page(
        subject=printable(" ".join(subject.split()), 2 * VALUE),
        plain="\n\n".join((*plain, f"-- \n{_plain(sign_off.strip(), values)}")) + "\n",
        html=_document(
            (*html, f"<p>--<br>\n{_run(sign_off.strip(), values)}</p>"), language=language
        ),
        member=any(each.member for each in found),
        language=language,
    )


def _beside(letter: Letter, language: str, name: str) -> Text:
    return letter.wording.find(name, letter.form, language).text


def _body(letter: Letter, text: str, none: str) -> str:
    return none if letter.form == "none" and none else text


def blocks_of(text: str) -> list[str]:
    """Paragraphs, lists and lines that are kept as they are."""
    return re.split(r"\n\s*\n", text.strip("\n"))


def as_typed(text: str) -> str:
    """A text with its fields, wrapped, as somebody would type it."""
    blocks = (_wrapped_block(block, "{{{}}}".format) for block in blocks_of(text))
    return "\n\n".join(blocks) + "\n"


def _values(letter: Letter, phrase: Callable[[str], str]) -> Mapping[str, Value]:
    """Every field that this letter may use, with phrases in its language."""
    if strange := set(letter.fields) - set(GIVEN):
        raise ValueError(f"a letter has no field {min(strange)!r}")
    values = {}
    for field, value in letter.fields.items():
        if field in SEVERAL:
            lines = [printable(line, 2 * VALUE) for line in value.splitlines()]
            shown = "\n".join(filter(None, lines[:LINES])) or phrase("no_lists")
            values[field] = Value(shown, escape(shown))
        else:
            values[field] = _said(_in_words(field, value, phrase), LONG.get(field, VALUE))
    if not values.get("subject", Value("-", "")).plain:
        values["subject"] = _said(phrase("no_subject"))
    values["name"] = _said(letter.list_name.strip() or letter.list_address)
    values["description"] = _said(letter.list_description)
    values["list"] = _link(letter.list_address)
    values[READER] = _said(letter.to)
    with_subject = phrase("with_subject")
    for sub, words in _COMMANDS.items():
        values[sub] = _way(letter, with_subject, sub, words)
    if token := letter.fields.get("token", ""):
        if not (token.isascii() and token.isalnum()):
            raise ValueError("a token is letters and digits")
        values["confirm"] = _way(letter, with_subject, "confirm", f"confirm {token}", token)
    return values


def _in_words(field: str, value: str, phrase: Callable[[str], str]) -> str:
    """A value that is ours, in the language of its letter; any other as it is."""
    if field == "wish":
        return phrase(value)
    if field == "people" and value.isdecimal():
        number = int(value)
        return phrase("person") if number == 1 else phrase("people").format(count=f"{number:,}")
    if field == "verdict" and (word := _VERDICT.match(value)):
        return f"{phrase(word[0])}{value[word.end() :]}"
    return value


_COMMANDS: dict[SubAddress, str] = {
    "join": "join",
    "leave": "leave",
    "request": "help",
    "owner": "",
}


def _way(letter: Letter, with_subject: str, sub: SubAddress, words: str, token: str = "") -> Value:
    """Where to write for something: its own address, or the list's with a Subject."""
    address = sub_address(letter.list_address, sub, letter.form, token)
    if letter.form != "none" or not words:
        return _link(address, words if token else "")
    said = with_subject.format(address="\0", words=words)
    before, after = (escape(part) for part in said.split("\0"))
    link = _link(address, words)
    return Value(said.replace("\0", link.plain), f"{before}{link.html}{after}")


def _said(value: str, limit: int = VALUE) -> Value:
    """What others may have written, on one line; it turns the direction of no other text."""
    shown = printable(" ".join(value.split()), limit)
    return Value(shown, escape(shown) if shown.isascii() else f"<bdi>{escape(shown)}</bdi>")


def _link(address: str, subject: str = "") -> Value:
    """An address of ours, as a link (RFC 6068)."""
    target = f"mailto:{quote(address, safe='@+')}" + (
        f"?subject={quote(subject)}" if subject else ""
    )
    return Value(address, f'<a href="{escape(target)}">{escape(address)}</a>')


def _filled(text: str, fill: Callable[[str], str], literal: Callable[[str], str] = str) -> str:
    """`text` with its fields filled in, once, and what stands between them made `literal`."""
    parts = FIELD.split(text)
    return "".join(fill(part) if at % 2 else literal(part) for at, part in enumerate(parts))


def _value(values: Mapping[str, Value], field: str) -> Value:
    if field not in values:
        raise ValueError(f"the letter lacks the field {field!r}")
    return values[field]


def _plain(block: str, values: Mapping[str, Value]) -> str:
    """One block as plain text, wrapped; no word is ever broken."""
    return _wrapped_block(block, lambda name: _value(values, name).plain)


def _wrapped_block(block: str, fill: Callable[[str], str]) -> str:
    def run(text: str) -> str:
        return _filled(text, fill)

    if block.startswith(_VERBATIM):
        return "\n".join(_VERBATIM + line for line in run(textwrap.dedent(block)).split("\n"))
    if block.startswith("- "):
        return "\n".join(_wrapped(run(item), "- ", "  ") for item in _items(block))
    return "\n".join(_wrapped(run(line), "", "") for line in _lines(block))


def _lines(block: str) -> Iterator[str]:
    """The lines of a paragraph that somebody ended on purpose, each to be wrapped by itself."""
    line = ""
    for each in block.split("\n"):
        begins = each.lstrip()
        early = len(line.rpartition("\n")[2]) + 1 + len(begins.partition(" ")[0]) <= EARLY
        if line and (early or begins.startswith("- ")):
            yield line
            line = each
        else:
            line = f"{line}\n{each}" if line else each
    yield line


def _wrapped(text: str, first: str, others: str) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _items(block: str) -> list[str]:
    return [item.strip() for item in _ITEM.split(block)[1:]]


def _html(block: str, values: Mapping[str, Value]) -> str:
    if block.startswith(_VERBATIM):
        return f"<pre>{_run(textwrap.dedent(block), values)}</pre>"
    if block.startswith("- "):
        items = "\n".join(f"<li>{_run(item, values)}</li>" for item in _items(block))
        return f"<ul>\n{items}\n</ul>"
    lines = "<br>\n".join(_run(line, values) for line in _lines(block))
    return f"<p>{lines}</p>"


def _run(text: str, values: Mapping[str, Value]) -> str:
    return _filled(text, lambda name: _value(values, name).html, escape)


def _document(blocks: Iterable[str], *, language: str) -> str:
    return "\n".join(
        (
            "<!DOCTYPE html>",
            f'<html lang="{escape(language)}">',
            '<head><meta charset="utf-8"></head>',
            '<body style="font-family: sans-serif; max-width: 40em">',
            *blocks,
            "</body>",
            "</html>",
            "",
        )
    )
