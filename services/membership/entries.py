"""Settings with several values, as owners type them: addresses, patterns, lists, header matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import NoReturn

import msgspec

from postroad.mail import addresses, headermatch, patterns, senders
from schemas.lists import ListSettings
from services.membership import languages, partnames

_KEY = re.compile(r"#[0-9a-f]{64}")
_OF_ANYBODY = ("bans", "dmarc_addresses")
_ITEM = re.compile(r"\^\S+|[^\s,]+")  # a pattern may hold commas
_PREFIX = re.compile(r"#[0-9a-f]{8,64}")  # of a key, as much as `list show` shows
_FILE = re.compile(r".+\.(?:txt|csv|tsv|lst|list|conf|dat)", re.IGNORECASE)  # no domain ends so
_FOR_EVERYBODY = {  # what does what a pattern that means everybody would do
    "bans": "for mail of everybody there are default_member_action and default_nonmember_action",
    "dmarc_addresses": "for everybody there is dmarc_mitigate_unconditionally=true",
    "acceptable_aliases": "to take any address there is require_explicit_destination=false",
}
_FOR_STRANGERS = "for every stranger there is default_nonmember_action"


def _no_key(_: str) -> NoReturn:
    raise ValueError("an address cannot be named where there is no key of the site")


@dataclass(frozen=True)
class Around:
    """What settings are read in the light of: the `domain` of their list, the addresses of all
    open `lists`, what gives the `key` of an address, and in which `languages` letters are."""

    domain: str = ""
    lists: Collection[str] = ()
    key: Callable[[str], str] = _no_key
    languages: Collection[str] = languages.BUILT_IN


NOWHERE = Around()
SET = "(set)"  # shown in the place of a secret


def read(name: str, text: str, around: Around) -> tuple[str, ...]:
    """The values of the setting `name` as typed. Raises ValueError with what is wrong with the
    first wrong one."""
    if name == "header_matches":
        return tuple(str(headermatch.typed(line)) for line in _items(name, text))
    if name in partnames.READERS:
        return partnames.READERS[name](text)
    return tuple(_read(name, item, around) for item in _items(name, text))


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


def meant(name: str, shown: tuple[str, ...], text: str, around: Around) -> Iterator[str]:
    """Which values are typed to be taken away, of those `shown` before the command: a header match
    may be named by its number from 1, an address by the first digits of its key. Raises as `read`
    does."""
    for item in _items(name, text):
        if name == "header_matches" and item.isdecimal():
            yield _numbered(shown, int(item))
        elif _PREFIX.fullmatch(item):
            yield from (entry for entry in shown if entry.startswith(item))
        elif item in shown:  # an older release may have taken what `read` refuses
            yield item
        else:
            yield from read(name, item, around)


def _numbered(shown: tuple[str, ...], number: int) -> str:
    if not 0 < number <= len(shown):
        raise ValueError(
            f"there is no number {number}; `postroad list show` numbers them from 1 to {len(shown)}"
            if shown
            else f"there is no number {number}: there are none"
        )
    return shown[number - 1]


def _items(name: str, text: str) -> list[str]:
    """The values as typed, one by one."""
    if name == "header_matches":
        return [line.strip() for line in text.splitlines() if line.strip()]
    return [item.rstrip(",") for item in _ITEM.findall(text)]


def _read(name: str, item: str, around: Around) -> str:
    if item.startswith("^") and name != "also_to":
        return _pattern(name, item)
    if item.startswith("@") and _FILE.fullmatch(item):
        raise ValueError(
            f"{item} would be a domain or a list; to read a file, write a path with a slash: "
            f"{name}=@./{item[1:]}"
        )
    if item.startswith("@") and name in _OF_ANYBODY:
        return f"@{_address(f'x{item}').removeprefix('x@')}"
    if item.startswith("@") and name.endswith("_these_nonmembers"):
        return _list(item[1:], around)
    if name in _OF_ANYBODY or name.endswith("_these_nonmembers"):
        shown = _KEY.fullmatch(item) is not None  # as `list show --json` shows it
        return item if shown else senders.of_key(around.key(_address(item)))
    return _address(item)


def _pattern(name: str, item: str) -> str:
    if senders.means_everybody(patterns.check(item)):
        instead = _FOR_EVERYBODY.get(name, _FOR_STRANGERS)
        raise ValueError(f"the pattern {item} is found in every address; {instead}")
    return item


def _list(name: str, around: Around) -> str:
    address = _address(name if "@" in name else f"{name}@{around.domain}")
    if address not in around.lists:
        domain = rf"; everybody at a domain is ^.*@{re.escape(name)}$" if "." in name else ""
        raise ValueError(f"there is no list {address}{domain}")
    return f"@{address}"


def _address(text: str) -> str:
    return addresses.normalise(addresses.validate(text))
