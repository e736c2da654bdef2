"""Header edits applied to bytes: what no edit names stays as it is, octet for octet, in its place.

`prefix` and `also` put text before what stands in a field, and leave that as it is, whatever its
charset and folding. What is put in is checked again here, whoever made the edit: no control
character, no line end, ever gets into a field. Text that is not ASCII leaves as RFC 2047 encoded
words; lines are folded at 78 characters where there is a space and never pass 998 (RFC 5322
2.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from postroad.mail.fields import fields, first_field
from postroad.mail.mailboxes import parse_mailboxes, write_mailboxes
from postroad.mail.munge import munged
from postroad.mail.subjectline import prefixed
from postroad.mail.words import FORBIDDEN, encode, encode_unstructured
from schemas.mail import HeaderEdit, Mailbox

Op = Literal["add", "remove", "set", "prefix", "also", "less", "munge"]

_is_name = lru_cache(1024)(re.compile(r"[!-9;-~]{1,76}").fullmatch)
_PIECE = re.compile(r"[ \t]*[^ \t]+")
_SOFT, _LONGEST_WORD = 78, 900
_KEPT = 1_000  # characters of a field that is kept for the next post
_MAILBOXES = ("from", "reply-to", "to", "cc", "x-beenthere")


def edit(op: Op, name: str, value: str = "") -> HeaderEdit:
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
        _make(block, change)
    return block.octets()


def _make(block: _Block, change: HeaderEdit) -> None:
    if change.op == "remove":  # most are; and nothing is put in
        block.remove(change.name, keeping=change.value)
        return
    _check(change.name, change.value)
    match change.op:
        case "add":
            block.add(change.name, field_bytes(change.name, change.value))
        case "set":
            block.set(change.name, field_bytes(change.name, change.value))
        case "prefix":
            if made := prefixed(block.first(change.name), change.value):
                block.set(change.name, _led(field_bytes(change.name, made[0]), made[1]))
        case "also":
            block.set(change.name, _also(change, block.all(change.name)))
        case "less":
            _take_out(block, change)
        case "munge":
            for each in munged(block.octets(), change.value):
                _make(block, each)


def field_bytes(name: str, value: str) -> bytes:
    """One field, encoded, folded and ending in CRLF. Raises ValueError for what cannot be one.

    In a list of mailboxes only addresses can be other than ASCII, which stay so (RFC 6532): names
    are encoded by who writes them (`mailboxes.write_mailboxes`).
    """
    return _field(name, value) if len(value) > _KEPT else _kept_field(name, value)


def _field(name: str, value: str) -> bytes:
    _check(name, value)
    lines: list[str] = []
    line = f"{name}:"
    value = value.strip()
    for piece in _PIECE.findall(f" {value if name.lower() in _MAILBOXES else _encoded(value)}"):
        if len(line) + len(piece) > _SOFT and line != f"{name}:":
            lines.append(line)
            line = ""
        line += piece
    return "".join(f"{each}\r\n" for each in (*lines, line)).encode()


_kept_field = lru_cache(1024)(_field)  # the fields of a list are the same in each of its posts


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

    def all(self, name: str) -> list[bytes]:
        """The values of the fields of this name, with their folding, without blanks around."""
        cells = self._places.get(name.lower(), ())
        return [cell[0].partition(b":")[2].strip(b" \t\r\n") for cell in cells]

    def first(self, name: str) -> bytes:
        """The first of them; empty where there is none."""
        return next(iter(self.all(name)), b"")

    def add(self, name: str, octets: bytes) -> None:
        """Put a field on top, below those put in before it: what stands there is read by
        everybody, however long the author's header is, our own scanner included."""
        self._put(self._new, name, octets)

    def _put(self, where: list[list[bytes]], name: str, octets: bytes) -> None:
        cell = [octets]
        self._places.setdefault(name.lower(), []).append(cell)
        where.append(cell)

    def remove(self, name: str, *, keeping: str = "") -> None:
        """Take off every field of this name; where it ends in `*`, of every name that begins so
        and is not among the words of `keeping`."""
        names = [name.lower()]
        if name.endswith("*"):
            kept, start = keeping.lower().split(), names[0][:-1]
            names = [each for each in self._places if each.startswith(start) and each not in kept]
        for each in names:
            for cell in self._places.pop(each, ()):
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
        left = b"".join(cell[0] for cell in (*self._new, *self._old)) + self._rest
        return left or b"\r\n"  # where every field went as well


def _check(name: str, value: str) -> None:
    if not _is_name(name):
        raise ValueError("a header name is 1 to 76 printable ASCII characters without colon")
    if FORBIDDEN.search(value):
        raise ValueError(f"the value for {name} has a control character or line end in it")


def _encoded(value: str) -> str:
    value = encode_unstructured(value)
    if len(value) <= _LONGEST_WORD:
        return value
    return " ".join(
        encode(word) if len(word) > _LONGEST_WORD else word for word in value.split(" ")
    )


def _also(change: HeaderEdit, there: list[bytes]) -> bytes:
    """What the change names, and behind it the members of the address list that was there. In
    front, because what stands there may have a quotation mark without an end."""
    theirs = b",\r\n ".join(filter(None, there))
    return _led(field_bytes(change.name, change.value + "," * bool(theirs)), theirs)


def _take_out(block: _Block, change: HeaderEdit) -> None:
    """Take mailboxes out of an address list; where none of them stands there, it stays as it is."""
    there = _mailboxes(block, change.name)
    away = {box.address for name in change.value.split() for box in _mailboxes(block, name)}
    rest = [box for box in there if box.address not in away]
    if len(rest) == len(there):
        return
    if rest:
        block.set(change.name, field_bytes(change.name, write_mailboxes(rest)))
    else:
        block.remove(change.name)


def _mailboxes(block: _Block, name: str) -> list[Mailbox]:
    return [box for value in block.all(name) for box in parse_mailboxes(value)[0]]


def _led(field: bytes, rest: bytes) -> bytes:
    """A field that goes on with octets of another, which stay as they are with their folding."""
    if not rest:
        return field
    start = field.removesuffix(b"\r\n")
    on_this_line = len(start) - start.rfind(b"\n") + len(rest.partition(b"\r\n")[0]) <= _SOFT
    return start + (b" " if on_this_line else b"\r\n ") + rest + b"\r\n"
