"""A list as a Mailman had it: the one form that every reader writes and the import reads.

Settings have Mailman 3's names. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Value = str | bool | int | float | tuple[str, ...]


@dataclass(frozen=True)
class OldPerson:
    """Somebody in one role. `since` is the earliest that is known of them here, None where
    nothing is; options are Mailman 3's words, empty where it told none."""

    address: str
    display_name: str = ""
    role: str = "member"
    delivery_mode: str = ""
    delivery_status: str = ""
    moderation_action: str = ""
    receive_own_postings: bool = True
    receive_list_copy: bool = True
    preferred_language: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class OldList:
    """A list: `bans` are addresses and patterns, `header_matches` are (header, pattern, action).
    `losses` are what the reader could not take, each with why."""

    address: str
    created: datetime | None = None
    settings: Mapping[str, Value] = field(default_factory=dict)
    people: tuple[OldPerson, ...] = ()
    bans: tuple[str, ...] = ()
    header_matches: tuple[tuple[str, str, str], ...] = ()
    losses: tuple[tuple[str, str], ...] = ()


class Unreadable(ValueError):
    """The file is not what it should be; says what is wrong with it."""
