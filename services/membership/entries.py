"""Settings with several values, as owners type them: addresses, patterns, lists, header matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn

import msgspec

from postroad.mail import addresses, headermatch, patterns, senders
from schemas.lists import ListSettings
from services.membership import partnames

_KEY = re.compile(r"#[0-9a-f]{64}")
_OF_ANYBODY = ("bans", "dmarc_addresses")
_ITEM = re.compile(r"\^\S+|[^\s,]+")  # a pattern may hold commas


def _no_key(_: str) -> NoReturn:
    raise ValueError("an address cannot be named where there is no key of the site")


@dataclass(frozen=True)
class Around:
    """What settings are read in the light of: the `domain` of their list, the addresses of all
    open `lists`, and what gives the `key` of an address."""

    domain: str = ""
    lists: Collection[str] = ()
    key: Callable[[str], str] = _no_key


NOWHERE = Around()
SET = "(set)"  # shown in the place of a secret


def read(name: str, text: str, around: Around) -> tuple[str, ...]:
    """The values of the setting `name` as typed. Raises ValueError with what is wrong with the
    first wrong one."""
    if name == "header_matches":
        return tuple(str(headermatch.parse(line)) for line in text.splitlines() if line.strip())
    if name in partnames.READERS:
        return partnames.READERS[name](text)
    return tuple(_read(name, item.rstrip(","), around) for item in _ITEM.findall(text))


def most(name: str) -> int:
    """How many values this setting may have. Header matches are looked for in every mail; all
    settings of a list must fit one message of the broker (1 MB)."""
    return 50 if name == "header_matches" else 200


def of_senders(settings: ListSettings) -> tuple[str, ...]:
    """Every entry that means senders: those who are banned, and others who are named."""
    return (
        *settings.bans,
        *settings.accept_these_nonmembers,
        *settings.hold_these_nonmembers,
        *settings.reject_these_nonmembers,
        *settings.discard_these_nonmembers,
        *settings.dmarc_addresses,
    )


def shown(settings: ListSettings) -> ListSettings:
    """Settings as they may be shown: whether there is a password, and nothing of it."""
    if not settings.moderator_password:
        return settings
    return msgspec.structs.replace(settings, moderator_password=SET)


def without(name: str, old: tuple[str, ...], text: str, around: Around) -> tuple[str, ...]:
    """The values `old` but for those typed: a header match may be named by its number from 1, an
    address by the first digits of its key as they are shown. Raises as `read` does."""
    if name == "header_matches" and text.strip().isdecimal():
        number = int(text)
        if not 0 < number <= len(old):
            raise ValueError(f"there is no number {number}, there are {len(old)} of them")
        return (*old[: number - 1], *old[number:])
    if re.fullmatch(r"#[0-9a-f]{8,64}", text.strip()):
        return tuple(entry for entry in old if not entry.startswith(text.strip()))
    gone = read(name, text, around)
    return tuple(entry for entry in old if entry not in gone)


def _read(name: str, item: str, around: Around) -> str:
    if item.startswith("^") and name != "also_to":
        return patterns.check(item)
    if item.startswith("@") and name in _OF_ANYBODY:
        return f"@{_address(f'x{item}').removeprefix('x@')}"
    if item.startswith("@") and name.endswith("_these_nonmembers"):
        return _list(item[1:], around)
    if name in _OF_ANYBODY or name.endswith("_these_nonmembers"):
        shown = _KEY.fullmatch(item) is not None  # as `list show --json` shows it
        return item if shown else senders.of_key(around.key(_address(item)))
    return _address(item)


def _list(name: str, around: Around) -> str:
    address = _address(name if "@" in name else f"{name}@{around.domain}")
    if address not in around.lists:
        domain = rf"; everybody at a domain is ^.*@{re.escape(name)}$" if "." in name else ""
        raise ValueError(f"there is no list {address}{domain}")
    return f"@{address}"


def _address(text: str) -> str:
    return addresses.normalise(addresses.validate(text))
