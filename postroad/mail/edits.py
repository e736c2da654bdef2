"""Header edits applied to bytes: what no edit names stays as it is, octet for octet, in its place.

What is put in is checked again here, whoever made the edit: no control character, no line end,
ever gets into a field. Text that is not ASCII leaves as RFC 2047 encoded words; lines are
folded at 78 characters where there is a space and never pass 998 (RFC 5322 2.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from postroad.mail.fields import fields, first_field
from postroad.mail.words import decode, encode, encode_unstructured, text_of
from schemas.mail import HeaderEdit

_NAME = re.compile(r"[!-9;-~]{1,76}")
# C0 but for TAB, DEL, C1, and what Unicode calls a line end.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_PIECE = re.compile(r"[ \t]*[^ \t]+")
_SOFT, _LONGEST_WORD = 78, 900
# What mail programs put before the subject of an answer, and the tags of other lists.
_LEAD = re.compile(
    r"\s*+(?:(?:re|r|ref|aw|antw|sv|vs|odp|tr|rif|fwd?|wg|enc|rv|回复|答复|转发)\s*+"
    r"(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*+[:：]|\[[^\[\]]{0,80}\])",
    re.IGNORECASE,
)


def edit(op: Literal["add", "remove", "set", "prefix"], name: str, value: str = "") -> HeaderEdit:
    """A checked edit. Raises ValueError where name or value could not stand in a header."""
    made = HeaderEdit(op=op, name=name, value=value)
    _check(made.name, made.value)
    return made


def apply(header_block: bytes, edits: Iterable[HeaderEdit]) -> bytes:
    """A header block with `edits` made, in order.

    `header_block` is the canonical mail up to its body (`wire.canonical(data[:head])`), with
    the empty line if the mail has one; a mail without it gets none, so that its body stays
    where every reader finds it now. A leading mbox `From ` line is no field and goes. Raises
    ValueError for an edit that could not stand in a header, whatever the block is.
    """
    block = _Block(header_block)
    for change in edits:
        _check(change.name, change.value)
        match change.op:
            case "remove":
                block.remove(change.name)
            case "add":
                block.add(change.name, field_bytes(change.name, change.value))
            case "set":
                block.set(change.name, field_bytes(change.name, change.value))
            case "prefix":
                value = _prefixed(block.first(change.name), change.value)
                if value is not None:
                    block.set(change.name, field_bytes(change.name, value))
    return block.octets()


@lru_cache(1024)  # the fields of a list are the same in each of its posts
def field_bytes(name: str, value: str) -> bytes:
    """One field, encoded, folded and ending in CRLF. Raises ValueError for what cannot be one."""
    _check(name, value)
    lines: list[str] = []
    line = f"{name}:"
    for piece in _PIECE.findall(" " + _encoded(value.strip())):
        if len(line) + len(piece) > _SOFT and line != f"{name}:":
            lines.append(line)
            line = ""
        line += piece
    return "".join(f"{each}\r\n" for each in (*lines, line)).encode("ascii")


class _Block:
    """A header block under edit: its fields in order, and where each name stands."""

    def __init__(self, block: bytes) -> None:
        self._new: list[list[bytes]] = []  # fields put in; each in a cell, to be changed there
        self._old: list[list[bytes]] = []
        self._places: dict[str, list[list[bytes]]] = {}
        end = first_field(block)
        for field in fields(block):
            name = field.name.decode("ascii")
            self._put(self._old, name, block[field.start : field.end])
            end = field.end
        # Where there is no header at all, what follows is body and must stay body.
        self._rest = block[end:] if self._old or end < len(block) else b"\r\n"

    def first(self, name: str) -> bytes | None:
        """The value of the first field of this name."""
        places = self._places.get(name.lower())
        return places[0][0].partition(b":")[2] if places else None

    def add(self, name: str, octets: bytes) -> None:
        """Put a field on top, below those put in before it: what stands there is read by
        everybody, however long the author's header is, our own scanner included."""
        self._put(self._new, name, octets)

    def _put(self, where: list[list[bytes]], name: str, octets: bytes) -> None:
        cell = [octets]
        self._places.setdefault(name.lower(), []).append(cell)
        where.append(cell)

    def remove(self, name: str) -> None:
        for cell in self._places.pop(name.lower(), ()):
            cell[0] = b""

    def set(self, name: str, octets: bytes) -> None:
        places = self._places.get(name.lower())
        self.remove(name)
        if places:
            places[0][0] = octets
            self._places[name.lower()] = places[:1]
        else:
            self.add(name, octets)

    def octets(self) -> bytes:
        return b"".join(cell[0] for cell in (*self._new, *self._old)) + self._rest


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("a header name is 1 to 76 printable ASCII characters without colon")
    if _FORBIDDEN.search(value):
        raise ValueError(f"the value for {name} has a control character or line end in it")


def _encoded(value: str) -> str:
    value = encode_unstructured(value)
    if len(value) <= _LONGEST_WORD:
        return value
    return " ".join(
        encode(word) if len(word) > _LONGEST_WORD else word for word in value.split(" ")
    )


def _prefixed(raw: bytes | None, prefix: str) -> str | None:
    """The value of a field with `prefix` before its text; None where nothing is to be done.

    The text, with its encoded words, stays as it was; only its folding is made anew, and
    control characters, which no field may hold, go.
    """
    prefix = prefix.strip()
    if not prefix:
        return None
    text = _FORBIDDEN.sub("", text_of(raw or b"")).strip()
    if _stands_already(prefix.casefold(), decode(text, 1_000).casefold()):
        return None
    return f"{prefix} {text or '(no subject)'}"


def _stands_already(prefix: str, text: str) -> bool:
    """Whether the prefix leads `text`, or comes right after its "Re:" and "[tags]"."""
    at = 0
    while True:
        if text.startswith(prefix, at):
            return True
        lead = _LEAD.match(text, at)
        if lead is None:
            return False
        at = lead.end() + len(text[lead.end() :]) - len(text[lead.end() :].lstrip())
