"""Mail addresses: the strict grammar of RFC 5321 and RFC 6531, and the normal form.

Nothing here guesses. What two honest readers could read as two different mailboxes is no
address at all: look-alike characters that Unicode calls equal to others, encoded words inside
a local part, anything after the domain. Of the categories of the isemail suite, VALID and
DNSWARN are addresses, and of RFC5321 the quoted local parts, address literals and single-label
domains; numeric top-level domains, empty local parts, comments, folding white space (CFWS),
obsolete forms (DEPREC) and what only RFC 5322 allows are not. Address lists in headers are
read more widely, by `postroad.mail.mailboxes`.

Around a list there are sub-addresses. Two forms are written and both are always read: `dash` as
Mailman has it (`team-join@`, `team-bounces+TOKEN@`) and `plus` for servers that deliver no
other (`team+join@`, `team+bounces-TOKEN@`). A list set to `none` has none; its tokens stand in
Subjects.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from postroad.mail.domains import normalise_domain, refuse_look_alikes
from postroad.mail.words import ENCODED_WORD, printable

_ATEXT = r"A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\U0010ffff"
_DOT_ATOM = re.compile(rf"[{_ATEXT}]++(?>(?:\.[{_ATEXT}]++)*)")
_QUOTED = re.compile(r'"((?>(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*))"')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LOCAL_OCTETS = 64  # RFC 5321 4.5.3.1.1
_OCTETS = 254  # a path of 256 less its brackets

SubAddress = Literal["owner", "bounces", "join", "leave", "confirm", "request"]
Form = Literal["dash", "plus", "none"]

# Every name seen in the field, and what it means here. Those of mlmmj that carry an option
# (`team+subscribe-digest@`) are read as the plain one with the option as token.
MEANINGS: dict[str, str] = {
    "owner": "owner",
    "editor": "owner",  # Sympa: the moderators
    "bounces": "bounces",
    "join": "join",
    "subscribe": "join",
    "leave": "leave",
    "unsubscribe": "leave",
    "confirm": "confirm",
    "request": "request",
    "help": "help",
    "faq": "help",
    "get": "get",
}
_TOKEN_OCTETS = 32  # of the longest token, see postroad.mail.tokens


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox. `local` is as meant (no quotes), `domain` in normal form.

    `str()` is the form to send to, `key` the form to compare by.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{_quote(self.local)}@{self.domain}"

    @property
    def key(self) -> str:
        """The normal form: `str()` with the local part case-folded.

        Folding never turns another character into an ASCII one, so it can never make the
        address of one person out of the address of another.
        """
        return f"{_quote(_fold(self.local))}@{self.domain}"


def parse_address(text: str) -> Address | None:
    """The address `text` is, or None."""
    try:
        return read_address(text)
    except ValueError:
        return None


def normalise(address: str) -> str:
    """The normal form of an address: what people and lists are looked up by.

    Domain in lower-case A-labels, local part case-folded, needless quotes gone. Raises
    ValueError with the reason, which does not repeat the address.
    """
    return read_address(address).key


def validate(address: str) -> str:
    """An address typed by a person, ready to send to: local part as typed, domain in A-labels.

    White space around it is dropped. Raises ValueError naming the input and what is wrong.
    """
    text = address.strip()
    try:
        found = read_address(text)
        if "." not in found.domain and found.domain != "localhost" and found.domain[0] != "[":
            raise ValueError("the domain has no dot in it")
    except ValueError as error:
        shown = printable(text, 80)
        raise ValueError(
            f"'{shown}' is no mail address: {error}; it should look like name@example.org"
        ) from None
    return str(found)


def read_address(text: str) -> Address:
    """The address `text` is. Raises ValueError with the reason (without the address)."""
    if not text:
        raise ValueError("it is empty")
    if len(text) > 4 * _OCTETS:
        raise ValueError("it is too long")
    if quoted := _QUOTED.match(text):
        local, end = re.sub(r"\\(.)", r"\1", quoted[1]), quoted.end()
    elif atom := _DOT_ATOM.match(text):
        local, end = atom[0], atom.end()
    else:
        raise ValueError("there is no name before the @" if text[0] == "@" else _bad_start(text))
    if text[end : end + 1] != "@":
        raise ValueError(_bad_end(text, end))
    if len(text[:end].encode("utf-8", "replace")) > _LOCAL_OCTETS:
        raise ValueError(f"the part before the @ is longer than {_LOCAL_OCTETS} octets")
    return make_address(local, text[end + 1 :])


def make_address(local: str, domain: str) -> Address:
    """The address of these two parts, checked. Raises ValueError with the reason."""
    address = Address(_local(local), normalise_domain(domain))
    if len(str(address).encode()) > _OCTETS:
        raise ValueError(f"it is longer than {_OCTETS} octets")
    return address


@dataclass(frozen=True, slots=True)
class Match:
    """What a recipient means. `sub` is empty for the list itself, else a value of `MEANINGS`.

    `slug` is empty where only the token can tell the list (`bounces+TOKEN@`, used by lists
    whose names leave no room for a token).
    """

    slug: str
    sub: str = ""
    token: str = ""


def sub_address(list_address: str, sub: SubAddress, form: Form, token: str = "") -> str:
    """The address of `sub` of this list. With form `none`, the address of the list."""
    if not token:
        local, at, domain = list_address.rpartition("@")
        joint = {"dash": f"-{sub}", "plus": f"+{sub}", "none": ""}[form]
        return f"{local}{joint}{at}{domain}"
    before, after = around_token(list_address, sub, form)
    return f"{before}{token}{after}" if after else before


def around_token(list_address: str, sub: SubAddress, form: Form) -> tuple[str, str]:
    """What stands before and after a token: `("team-bounces+", "@example.org")`.

    With form `none` the second is empty, and no token may be put after the first. Where list
    name and token together pass 64 octets, the name is left out: `("bounces+", "@example.org")`.
    """
    if form == "none":
        return list_address, ""
    local, at, domain = list_address.rpartition("@")
    before = f"{local}-{sub}+" if form == "dash" else f"{local}+{sub}-"
    if len(before.encode()) + _TOKEN_OCTETS > _LOCAL_OCTETS:
        before = f"{sub}+"
    return before, at + domain


def match(recipient: str, lists: Mapping[str, str]) -> Match | None:
    """Which of `lists` (normal address to slug) a recipient means, and what it wants of it.

    The full address comes first, so that a list named `team-request` keeps its mail; then
    sub-addresses in both forms, the list with the longest name first; then the address less its
    `+tag`. Upper and lower case are the same. Mailman's classic `team-bounces+ada=example.com@`
    matches with `ada=example.com` as token. None where no list is meant, or `recipient` is no
    address.
    """
    try:
        address = normalise(recipient)
    except ValueError:
        return None
    if (slug := lists.get(address)) is not None:
        return Match(slug)
    local, _, domain = address.rpartition("@")
    for name, tail in _cuts(local):
        if tail and (slug := lists.get(f"{name}@{domain}")) is not None:
            sub, token = _named(tail)
            return Match(slug, sub, token) if sub else Match(slug)
        base, _, word = name.rpartition("-")
        slug = lists.get(f"{base}@{domain}")
        if slug is not None and (sub := MEANINGS.get(word, "")):
            return Match(slug, sub, tail)
    sub, _, token = local.partition("+")
    if sub in ("bounces", "leave", "confirm") and token and _is_ours(domain, lists):
        return Match("", sub, token)
    return None


def _bad_start(text: str) -> str:
    if text[0] == '"':
        return "the quoted part does not end well"
    return "it starts with a dot" if text[0] == "." else "it starts with a character not allowed"


def _bad_end(text: str, end: int) -> str:
    if "@" not in text:
        return "there is no @ in it"
    if text[end : end + 1] == ".":
        return "there is a dot too many before the @"
    return "there is a character not allowed before the @"


def _local(local: str) -> str:
    if not local:
        raise ValueError("there is no name before the @")
    if ENCODED_WORD.search(local):
        raise ValueError("there is an encoded word before the @")
    if _CONTROL.search(local):
        raise ValueError("there is a control character before the @")
    if not local.isascii():
        refuse_look_alikes(local)
        local = unicodedata.normalize("NFC", local)
    if len(_quote(local).encode()) > _LOCAL_OCTETS:
        raise ValueError(f"the part before the @ is longer than {_LOCAL_OCTETS} octets")
    return local


def _quote(local: str) -> str:
    if _DOT_ATOM.fullmatch(local):
        return local
    return '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


def _fold(local: str) -> str:
    if local.isascii():
        return local.lower()
    return unicodedata.normalize("NFC", "".join(map(_fold_char, local)))


def _fold_char(char: str) -> str:
    if char.isascii():
        return char.lower()
    folded = char.casefold()
    return folded if len(folded) == 1 and not folded.isascii() else char


def _cuts(local: str) -> Iterator[tuple[str, str]]:
    """`local` whole, then cut at each of its plus signs, from the right."""
    yield local, ""
    at = local.rfind("+")
    while at > 0:
        yield local[:at], local[at + 1 :]
        at = local.rfind("+", 0, at)


def _named(tail: str) -> tuple[str, str]:
    """`bounces-TOKEN`, `owner` or `subscribe-digest` as meaning and token; a mere tag as empty."""
    word, _, token = tail.partition("-")
    return MEANINGS.get(word, ""), token


def _is_ours(domain: str, lists: Mapping[str, str]) -> bool:
    return any(address.endswith(f"@{domain}") for address in lists)
