"""Address lists in headers: `From`, `To`, `Cc`, ... (RFC 5322 3.4 and its obsolete forms).

Linear in the length of the value, bounded, and never raises. Every mailbox stands or falls by
itself: one that cannot be read in exactly one way is left out and named among the oddities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from postroad.mail.addresses import Address, make_address
from postroad.mail.words import decode, encode_phrase, text_of
from schemas.mail import Mailbox

OCTETS = 102_400
MAILBOXES = 1_000
_NAME = 200  # characters of a display name that are kept
_KEPT = 1_000  # octets of a list that is remembered

_TOKEN = re.compile(
    r"""(?P<gap>[ \t\r\n]++)
    | (?P<quoted>"[^"\\]*+(?>(?:\\.[^"\\]*+)*)")
    | (?P<literal>\[[^\[\]\\]*+\])
    | (?P<special>[()<>\[\]:;@\\,."])
    | (?P<atom>[^ \t\r\n()<>\[\]:;@\\,."]++)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_PIECE = re.compile(r"\\.|[()]", re.DOTALL)
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)


class _UnclosedError(Exception):
    """A quote or comment has no end: nothing after its start can be trusted."""


Token = tuple[str, str]  # kind, text
_AT = ("special", "@")


@dataclass(slots=True)
class _Element:
    """What stands between two commas: `phrase <inner> after`, or an address alone."""

    outer: list[Token] = field(default_factory=list)
    inner: list[Token] | None = None
    after: list[Token] = field(default_factory=list)
    open: bool = False  # inside the angle brackets
    wrong: str = ""
    comment: str = ""

    def add(self, token: Token) -> None:
        if self.inner is None:
            self.outer.append(token)
        elif self.open:
            self.inner.append(token)
        else:
            self.after.append(token)

    def bracket(self, text: str) -> None:
        if text == "<":
            if self.inner is not None:
                self.wrong = "two addresses without a comma between"
            self.inner, self.open = [], True
        elif self.open:
            self.open = False
        else:
            self.wrong = self.wrong or "a stray bracket"


def parse_mailboxes(
    value: bytes | str, *, cut: bool = False
) -> tuple[tuple[Mailbox, ...], tuple[str, ...]]:
    """The mailboxes of a header value (folded or not), and what was odd about it.

    Addresses are in normal form, names decoded. At most 1,000 mailboxes from the first 100 KiB;
    `cut` says that the caller cut the value already, so that its last address may be half an
    address and is left out. Oddities repeat nothing of the value.
    """
    return (_parse if len(value) > _KEPT else _parse_kept)(value, cut=cut)


def _parse(value: bytes | str, *, cut: bool) -> tuple[tuple[Mailbox, ...], tuple[str, ...]]:
    reading = _List()
    if len(value) > OCTETS:
        value, cut = value[:OCTETS], True
    try:
        for kind, text in _tokens(text_of(value) if isinstance(value, bytes) else value):
            reading.take(kind, text)
            if len(reading.found) == MAILBOXES:
                reading.odd[f"list cut at {MAILBOXES} addresses"] = None
                break
        else:
            reading.end(cut=cut)
    except _UnclosedError as unclosed:
        reading.odd[str(unclosed)] = None
    return tuple(reading.found), tuple(reading.odd)


_parse_kept = lru_cache(1024)(_parse)  # a list and its authors stand in one mail after another


def write_mailboxes(boxes: Iterable[Mailbox]) -> str:
    """Mailboxes as they stand in an address list, their names quoted or encoded as need be. An
    address that is not ASCII stays so, which not every server takes (RFC 6532)."""
    return ", ".join(
        f"{encode_phrase(box.name)} <{box.address}>" if box.name else f"<{box.address}>"
        for box in boxes
    )


class _List:
    """An address list as far as it has been read."""

    def __init__(self) -> None:
        self.found: list[Mailbox] = []
        self.odd: dict[str, None] = {}
        self.element = _Element()
        self.grouped = False

    def take(self, kind: str, text: str) -> None:
        """One more token."""
        element = self.element
        if kind == "comment":
            element.comment = element.comment or text
            element.add(("gap", " "))
        elif kind != "special":
            element.add((kind, text))
        elif element.open and text != ">":
            if text == "<":
                element.wrong = "a bracket inside brackets"
            element.add((kind, text))
        elif text in "<>":
            element.bracket(text)
        elif text == ":":
            self._colon()
        elif text in ",;":
            self._separator(text)
        else:
            element.add((kind, text))

    def end(self, *, cut: bool) -> None:
        """No more tokens."""
        if cut:
            self.odd["list cut"] = None
            return
        self._finish()
        if self.grouped:
            self.odd["group without an end"] = None

    def _colon(self) -> None:
        if self.grouped or self.element.inner is not None or _AT in self.element.outer:
            self.element.wrong = "a stray colon"
        else:  # what stood before is the name of a group
            self.grouped = True
            self.element = _Element()

    def _separator(self, text: str) -> None:
        self._finish()
        if text == ";":
            if not self.grouped:
                self.odd["semicolon between addresses"] = None
            self.grouped = False

    def _finish(self) -> None:
        element, self.element = self.element, _Element()
        if element.inner is None and not _stripped(element.outer) and not element.wrong:
            return  # an empty element: obsolete, and harmless
        try:
            self.found.append(_mailbox(element, self.odd))
        except ValueError as error:
            self.odd[f"address left out: {error}"] = None


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while match := _TOKEN.match(text, at):
        kind = match.lastgroup or ""
        if match[0] == "(" and kind == "special":
            end = _comment_end(text, match.end())
            yield "comment", text[at + 1 : end - 1]
            at = end
        elif match[0] == '"':
            raise _UnclosedError("quotation mark without an end")
        else:
            yield kind, match[0]
            at = match.end()


def _comment_end(text: str, at: int) -> int:
    depth = 1
    for piece in _COMMENT_PIECE.finditer(text, at):
        if piece[0] == "(":
            depth += 1
        elif piece[0] == ")":
            depth -= 1
            if not depth:
                return piece.end()
    raise _UnclosedError("comment without an end")


def _mailbox(element: _Element, odd: dict[str, None]) -> Mailbox:
    if element.wrong:
        raise ValueError(element.wrong)
    if element.inner is None:
        name = element.comment
        address = _addr_spec(element.outer, odd)
    else:
        if element.open:
            raise ValueError("bracket without an end")
        if _stripped(element.after):
            raise ValueError("text after the closing bracket")
        name = _phrase(element.outer)
        address = _addr_spec(_less_route(element.inner, odd), odd)
        # "ada@good <eve@evil>": some read the first. Harmless only where both are the same.
        ambiguous = _AT in element.outer
        if ambiguous and _addr_spec(element.outer, odd).key != address.key:
            raise ValueError("a second address before the brackets")
    return Mailbox(address=address.key, name=decode(name, _NAME))


def _less_route(tokens: list[Token], odd: dict[str, None]) -> list[Token]:
    """The tokens after a source route (`@relay1,@relay2:`), which RFC 5321 says to ignore."""
    tokens = _stripped(tokens)
    if tokens[:1] == [_AT] and ("special", ":") in tokens:
        odd["source route"] = None
        return tokens[tokens.index(("special", ":")) + 1 :]
    return tokens


def _addr_spec(tokens: list[Token], odd: dict[str, None]) -> Address:
    """local-part "@" domain, where gaps may stand around dots and the @ only (obsolete)."""
    tokens = _stripped(tokens)
    if not tokens:
        raise ValueError("nothing in the brackets")
    parts: list[list[str]] = [[]]  # words of the local part, then of the domain
    word_expected = True
    for kind, text in tokens:
        if kind == "gap":
            odd["space or comment inside an address"] = None
        elif word_expected and (kind == "atom" or (kind == "quoted" and len(parts) == 1)):
            parts[-1].append(_UNESCAPE.sub(r"\1", text[1:-1]) if kind == "quoted" else text)
            word_expected = False
        elif word_expected and kind == "literal" and len(parts) == 2 and not parts[1]:
            parts[1].append(text)
            word_expected = False
        elif not word_expected and text == "." and kind == "special":
            word_expected = True
        elif not word_expected and text == "@" and kind == "special" and len(parts) == 1:
            parts.append([])
            word_expected = True
        else:
            raise ValueError("it is not of the form name@domain")
    if word_expected or len(parts) != 2:
        raise ValueError("it is not of the form name@domain")
    return make_address(".".join(parts[0]), ".".join(parts[1]))


def _phrase(tokens: list[Token]) -> str:
    return "".join(
        " " if kind == "gap" else _UNESCAPE.sub(r"\1", text[1:-1]) if kind == "quoted" else text
        for kind, text in tokens
    ).strip()


def _stripped(tokens: list[Token]) -> list[Token]:
    start, end = 0, len(tokens)
    while start < end and tokens[start][0] == "gap":
        start += 1
    while end > start and tokens[end - 1][0] == "gap":
        end -= 1
    return tokens[start:end]
