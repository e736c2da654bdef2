"""The addresses around a list: `team-owner@`, `team-bounces+TOKEN@`, and who is meant by one.

Two forms are written and both are always read: `dash` as Mailman has it (`team-join@`,
`team-bounces+TOKEN@`) and `plus` for servers that deliver no other (`team+join@`,
`team+bounces-TOKEN@`). A list set to `none` has no sub-addresses; its tokens stand in Subjects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from postroad.mail.addresses import normalise

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
_LOCAL_OCTETS = 64
_TOKEN_OCTETS = 32  # of the longest token, see postroad.mail.tokens


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
