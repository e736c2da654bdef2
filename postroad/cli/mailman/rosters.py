"""Texts of Mailman 2: what `list_members` writes, and its log of who joined. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from postroad.cli.mailman.form import OldPerson
from postroad.cli.people import named

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Jan 05 12:13:14 2019 (4711) staff: new "Ann Archer" <ann@example.net>, via web
_NEW = re.compile(
    r"(\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4}) \(\d+\) ([^:\s]+): new (?:\(\w+\) )?(.*),"
)


@dataclass(frozen=True)
class Joined:
    """When somebody joined last: by list name and lower-case address."""

    dates: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)

    def of(self, name: str) -> Mapping[str, datetime]:
        """The dates of one list."""
        return self.dates.get(name.lower(), {})


def people(text: str, role: str = "member") -> Iterator[OldPerson]:
    """One person a line: `ann@example.net`, or `Ann Archer <ann@example.net>` as `-f` writes.
    Empty lines and those that begin with # are passed over."""
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            name, address = named(line)
            yield OldPerson(address=address, display_name=name, role=role)


def joined(logs: Iterable[str]) -> Joined:
    """The log `subscribe` of a Mailman 2 and its older parts, in any order. Its times are the
    server's and do not say of which zone: they are read as UTC."""
    found: dict[str, dict[str, datetime]] = {}
    for log in logs:
        for line in log.splitlines():
            if (entry := _NEW.match(line)) is not None and (at := _at(entry)) is not None:
                dates = found.setdefault(entry[7].lower(), {})
                address = named(entry[8].strip())[1].lower()
                dates[address] = max(at, dates.get(address, at))
    return Joined(found)


def _at(entry: re.Match[str]) -> datetime | None:
    day, hour, minute, second, year = map(int, entry.group(2, 3, 4, 5, 6))
    try:
        month = MONTHS.index(entry[1]) + 1
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
