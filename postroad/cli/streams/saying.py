"""A message in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from postroad.cli.output import short
from postroad.cli.streams.naming import parts
from postroad.cli.streams.plain import Message

# said by subject and time, or too long for a line
LEFT_OUT = frozenset({"t", "mail_id", "list", "raw", "facts", "edits", "copy", "body_sha256", "v"})
SIDE_BY_SIDE = frozenset({"people", "addresses"})
LONGEST = 60  # characters of one value


def line(message: Message, person: str = "") -> str:
    """When, where, of which list and mail, and what; for whoever reads along. Of a `person` also
    where among many they stand, and their address, where addresses are shown."""
    _, list_, mail = parts(message.subject)
    what = "; ".join(event(each, person) for each in message.events)
    what = what or message.unknown or "nothing"
    if message.unknown and message.events:
        what = f"{message.unknown}: {what}"
    where = f"{message.stream} {message.seq}"
    about = " ".join(filter(None, (list_, _short(mail))))
    told = (
        f"{message.time[:23].replace('T', ' ')}  {where:<18} {about + '  ' if about else ''}{what}"
    )
    return " ".join(told.splitlines())


def event(plain: Mapping[str, Any], person: str = "") -> str:
    """One event: its name, and what it says in few words."""
    name = str(plain.get("t", "")).replace("_", " ") or "no event"
    at = _place(plain, person)
    told = [said for key, value in plain.items() if (said := _said(key, value, at, person))]
    return f"{name}: {', '.join(told)}" if told else name


def _place(plain: Mapping[str, Any], person: str) -> int:
    """Where this person stands among the people of it; -1 where they do not."""
    people = plain.get("people")
    return people.index(person) if isinstance(people, list) and person in people else -1


def _said(key: str, value: Any, place: int, person: str) -> str:
    match value:
        case _ if key in LEFT_OUT or value in ("", None, False, 0, [], (), {}):
            return ""
        case True:
            return key
        case str() | int() | float():
            text = str(value)
            begin = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
            return f"{key}={begin!r}" if " " in begin else f"{key}={begin}"
        case list() | tuple():
            return f"{key}: {len(value):,}{_one_of(key, value, place)}"
        case dict():
            at = _place(value, person)
            inner = [
                said for name, each in value.items() if (said := _said(name, each, at, person))
            ]
            return f"{key} ({', '.join(inner)})" if inner else ""
        case _:
            return ""


def _one_of(key: str, values: Sequence[Any], place: int) -> str:
    """Who of many it is about: only of people and their addresses, which have the same order."""
    if key not in SIDE_BY_SIDE or not 0 <= place < len(values):
        return ""
    return f" (at {place + 1:,}: {values[place]})"


def _short(mail: str) -> str:
    base, dash, number = mail.partition("-")
    return short(base) + dash + number
