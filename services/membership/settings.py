"""List settings as typed: `name=value` texts to typed values, with Mailman's names.

A wrong name is answered with the nearest right one, a wrong value with the allowed ones. What has
several values can be added to and taken from: `name+=value`, `name-=value`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from postroad.mail import addresses, approval, mergefields
from postroad.mail.footer import fits
from schemas.lists import ListSettings
from services.membership import entries, languages
from services.membership.entries import NOWHERE, Around
from services.membership.refused import Refused

TYPES: dict[str, Any] = get_type_hints(ListSettings)
DEFAULT = ListSettings()
TEXT_LIMIT = 250  # characters of one text: it must fit a header line (RFC 5322, 998 octets)
LINES_LIMIT = 4_000  # characters: it stands in every chunk of every post

SHOWN = 60  # characters of a wrong value

MOST_POINTS = 1_000  # of a spam filter; the mail that it is tested with has so many
LARGEST = (1 << 31) - 1
_INTERVAL = "bounce_you_are_disabled_warnings_interval"
DAYS = ("max_days_to_hold", "bounce_info_stale_after", _INTERVAL)  # `7d` as well, as in Mailman
MOST = {  # decisions are kept 400 days
    "max_days_to_hold": 365,
    "bounce_info_stale_after": 365,
    "bounce_you_are_disabled_warnings": 100,
    _INTERVAL: 365,
}
NOTHING = {  # what a 0 means
    "max_days_to_hold": "never",
    "bounce_score_threshold": "never",
    "bounce_info_stale_after": "never",
    "bounce_you_are_disabled_warnings": "removed at once",
    _INTERVAL: "one day",
    "max_message_size": "no limit",
    "max_num_recipients": "no limit",
    "spam_threshold": "the filter's own",
    "spam_discard_threshold": "off",
}

# Our words for a setting whose Mailman name few people guess: alias -> (name, value -> value).
ALIASES: dict[str, tuple[str, dict[str, str]]] = {
    "mode": ("personalize", {"personal": "individual", "shared": "none"}),
}
OTHER_WORDS = {  # what people call a setting that is spelt otherwise
    "alias": "acceptable_aliases",
    "moderate": "default_member_action",
    "moderated": "default_member_action",
    "moderation": "default_member_action",
}


def parse(
    typed: Mapping[str, str], old: ListSettings = DEFAULT, around: Around = NOWHERE
) -> dict[str, object]:
    """Typed values by setting name, where `old` are the settings so far. Raises Refused
    ("bad_setting") at the first wrong one."""
    found: dict[str, object] = {}
    for word, text in typed.items():
        name = word.strip().rstrip("+-").rstrip()
        sign = word.strip()[-1:]
        if sign in ("+", "-"):
            before = found.get(name, getattr(old, name, None))
            found[name] = _changed(name, sign, text, before, getattr(old, name, ()), around)
        else:
            name, value = _parse(name, text, around)
            found[name] = value
    return found


def _changed(
    name: str, sign: str, text: str, before: object, shown: tuple[str, ...], around: Around
) -> tuple[str, ...]:
    """What the setting is with these values added to it, or taken away. Numbers are of what was
    `shown` before the command."""
    if name not in TYPES:
        raise _unknown(name)
    if not isinstance(before, tuple):
        raise Refused("bad_setting", f"{name}{sign}=: {name} has one value, set it with {name}=")
    if sign == "+":
        return _several(name, lambda: (*before, *entries.read(name, text, around)))

    def left() -> tuple[str, ...]:
        gone = set(entries.meant(name, shown, text, around))
        return tuple(entry for entry in before if entry not in gone)

    return _several(name, left)


def _parse(name: str, text: str, around: Around) -> tuple[str, object]:
    if name in ALIASES:
        real, values = ALIASES[name]
        if text not in values:
            raise _wrong(name, text, f"one of {', '.join(values)}")
        return real, values[text]
    if name not in TYPES:
        raise _unknown(name)
    if name in ("header", "footer", "dmarc_wrapped_message_text"):
        return name, _lines(name, text)
    if name == "reply_to_address":
        return name, _answered(name, text)
    if name == "moderator_password":
        return name, _password(text)
    if name == "preferred_language":
        return name, _language(name, text, around)
    if get_origin(TYPES[name]) is tuple:
        return name, _several(name, lambda: entries.read(name, text, around))
    return name, _value(name, TYPES[name], text)


def _several(name: str, read: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    """The values that `read` gives, each once, and no more than there may be."""
    try:
        found = tuple(dict.fromkeys(read()))
    except ValueError as error:
        raise Refused("bad_setting", f"{name}: {error}") from error
    if len(found) > (most := entries.most(name)):
        raise Refused("bad_setting", f"{name}: at most {most} of them, not {len(found)}")
    return found


def _value(name: str, kind: Any, text: str) -> object:
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        if text not in allowed:
            raise _wrong(name, text, f"one of {', '.join(allowed)}")
        return text
    if name in DAYS:
        text = text.strip().removesuffix("d")
    if kind in (int, float) and not text.strip():
        return getattr(DEFAULT, name)  # as `list set` takes a text back
    if kind in (bool, int, float):
        return _plain(name, kind, text)
    if len(text) > TEXT_LIMIT:
        raise Refused("bad_setting", f"{name}: at most {TEXT_LIMIT} characters")
    if not text.isprintable():
        raise Refused("bad_setting", f"{name}: must be one line without control characters")
    return msgspec.convert(text, kind)


def _plain(name: str, kind: Any, text: str) -> bool | int | float:
    """A truth or a number. Infinite points are none, and so is what is no number at all."""
    most = MOST.get(name, LARGEST) if kind is int else MOST_POINTS
    expected = "true or false"
    if kind is not bool:
        sort = "whole number" if kind is int else "number"
        example = msgspec.structs.asdict(DEFAULT)[name] or "7.5"
        expected = f"a {sort} from 0 ({NOTHING[name]}) to {most:,}, such as {name}={example}"
    try:
        value: bool | int | float = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        raise _wrong(name, text, expected) from None
    if kind is not bool and not 0 <= value <= most:
        raise _wrong(name, text, expected)
    return value


def _wrong(name: str, text: str, expected: str) -> Refused:
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return Refused("bad_setting", f"{name}={shown}: must be {expected}")


def _lines(name: str, text: str) -> str:
    """A header or footer as it is kept: no blanks at line ends (but for `-- `), no empty lines
    around it."""
    lines = [line if line == "-- " else line.rstrip() for line in text.splitlines()]
    kept = "\n".join(lines).strip("\n")
    if len(kept) > LINES_LIMIT:
        raise Refused("bad_setting", f"{name}: at most {LINES_LIMIT:,} characters")
    if not kept.replace("\n", "").isprintable():
        raise Refused("bad_setting", f"{name}: must be text without tabs and control characters")
    try:
        pieces = mergefields.parse(kept)
    except ValueError as error:
        raise Refused("bad_setting", f"{name}: {error}") from error
    if not fits(pieces):
        raise Refused("bad_setting", f"{name}: a line of it is too long; mail takes 998 octets")
    return kept


def _answered(name: str, text: str) -> str:
    """An address for Reply-To, or none."""
    try:
        address = addresses.normalise(addresses.validate(text)) if text.strip() else ""
    except ValueError as error:
        raise Refused("bad_setting", f"{name}: {error}") from error
    if not address.isascii():
        raise Refused("bad_setting", f"{name}: must be ASCII, not every server takes more")
    return address


def _language(name: str, text: str, around: Around) -> str:
    try:
        return languages.check(text, around.languages)
    except ValueError as error:
        raise Refused("bad_setting", f"{name}: {error}") from error


def _password(text: str) -> str:
    """A password comes hashed: whoever typed it did that, so that it is not sent about."""
    if text and not approval.is_hash(text):
        raise Refused("bad_setting", "moderator_password: must be given as its hash")
    return text


def _unknown(name: str) -> Refused:
    known = [*TYPES, *ALIASES]
    meant = OTHER_WORDS.get(name.lower())
    near = [meant] if meant else difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    nearest = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"
    return Refused("bad_setting", f"there is no list setting {name!r}{nearest}")
