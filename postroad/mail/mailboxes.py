"""Address lists in headers: `From`, `To`, `Cc`, ... (RFC 5322 3.4 and its obsolete forms).

Linear in the length of the value, bounded, and never raises. Every mailbox stands or falls by
itself: one that cannot be read in exactly one way is left out and named among the oddities.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from postroad.mail.addresses import Address, make_address
from postroad.mail.words import decode, text_of
from schemas.mail import Mailbox

OCTETS = 102_400
MAILBOXES = 1_000
_NAME = 200  # characters of a display name that are kept

_TOKEN = re.compile(
    r"""(?P<gap>[ \t\r\n]++)
    | (?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*+")
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


def parse_mailboxes(value: bytes | str) -> tuple[tuple[Mailbox, ...], tuple[str, ...]]:
    """The mailboxes of a header value (folded or not), and what was odd about it.

    Addresses are in normal form, names decoded. At most 1,000 mailboxes from the first 100 KiB.
    Oddities repeat nothing of the value.
    """
    found: list[Mailbox] = []
    odd: dict[str, None] = {}
    if len(value) > OCTETS:
        odd["list cut at 100 KiB"] = None
        value = value[:OCTETS]
    text = text_of(value) if isinstance(value, bytes) else value
    element = _Element()
    grouped = False
    try:
        for kind, token in _tokens(text):
            if kind == "comment":
                element.comment = element.comment or token
                element.add(("gap", " "))
            elif (element.open and token != ">") or kind != "special":
                if token == "<" and kind == "special":
                    element.wrong = "a bracket inside brackets"
                element.add((kind, token))
            elif token == "<":
                if element.inner is not None:
                    element.wrong = "two addresses without a comma between"
                element.inner, element.open = [], True
            elif token == ">":
                element.wrong = element.wrong or ("" if element.open else "a stray bracket")
                element.open = False
            elif token == ":":
                if grouped or element.inner is not None or ("special", "@") in element.outer:
                    element.wrong = "a stray colon"
                else:
                    grouped = True
                    element = _Element()
            elif token in ",;":
                _finish(element, found, odd)
                element = _Element()
                if token == ";":
                    if not grouped:
                        odd["semicolon between addresses"] = None
                    grouped = False
                if len(found) >= MAILBOXES:
                    odd[f"list cut at {MAILBOXES} addresses"] = None
                    return tuple(found), tuple(odd)
            else:
                element.add((kind, token))
        _finish(element, found, odd)
        if grouped:
            odd["group without an end"] = None
    except _UnclosedError as unclosed:
        odd[str(unclosed)] = None
    return tuple(found), tuple(odd)


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


def _finish(element: _Element, found: list[Mailbox], odd: dict[str, None]) -> None:
    """Adds the mailbox of an element to `found`, or what is wrong with it to `odd`."""
    if element.inner is None and not _stripped(element.outer) and not element.wrong:
        return  # an empty element: obsolete, and harmless
    try:
        found.append(_mailbox(element, odd))
    except ValueError as error:
        odd[f"address left out: {error}"] = None


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
        ambiguous = ("special", "@") in element.outer
        if ambiguous and _addr_spec(element.outer, odd).key != address.key:
            raise ValueError("a second address before the brackets")
    return Mailbox(address=address.key, name=decode(name, _NAME))


def _less_route(tokens: list[Token], odd: dict[str, None]) -> list[Token]:
    """The tokens after a source route (`@relay1,@relay2:`), which RFC 5321 says to ignore."""
    tokens = _stripped(tokens)
    if tokens[:1] == [("special", "@")] and ("special", ":") in tokens:
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
