"""Requests to membership over NATS micro (`postroad.membership.<command>`) and their answers.

Never stored, so they may change with a release; requests hold addresses, subjects never do.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.membership import DeliveryMode, DeliveryStatus, Moderation, Role
from schemas.road import AsOf


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Base of requests and answers."""


class WhoIs(Command, kw_only=True):
    """Who is this author on this list? Endpoint `whois`."""

    list: str
    address: str  # normalised


class Author(Command, kw_only=True):
    """Answer to WhoIs. `person` is empty where the address is unknown."""

    person: str = ""
    roles: tuple[Role, ...] = ()
    moderation: Moderation = ""
    as_of: AsOf = AsOf()


class CreateList(Command, kw_only=True):
    """Endpoint `list_create`. `settings` as typed: name to text."""

    address: str
    settings: dict[str, str] = {}


class ConfigureList(Command, kw_only=True):
    """Endpoint `list_set`."""

    list: str  # address or slug
    settings: dict[str, str]


class Subscribe(Command, kw_only=True):
    """Endpoint `subscribe`: add a role (and with it the person) to a list."""

    list: str
    address: str
    display_name: str = ""
    role: Role = "member"
    delivery_mode: DeliveryMode = "regular"
    how: str = "command line"


class Unsubscribe(Command, kw_only=True):
    """Endpoint `unsubscribe`: remove a role."""

    list: str
    address: str
    role: Role = "member"
    how: str = "command line"


class ChangeMember(Command, kw_only=True):
    """Endpoint `member_set`."""

    list: str
    address: str
    delivery_mode: DeliveryMode | None = None
    delivery_status: DeliveryStatus | None = None
    moderation_action: Moderation | None = None
    how: str = "command line"


class ImportRow(Command, kw_only=True):
    """One person of an import; `line` is the line of the file, for reports."""

    line: int
    address: str
    display_name: str = ""
    delivery_mode: DeliveryMode = "regular"


class ImportMembers(Command, kw_only=True):
    """Endpoint `import`: at most 1,000 rows at once; all valid rows are stored or none."""

    list: str
    rows: tuple[ImportRow, ...]
    how: str = "import"


class RosterPage(Command, kw_only=True):
    """Endpoint `roster`: members of a list in order of address, `limit` after `after`."""

    list: str
    after: str = ""
    limit: int = 1000


class RosterRow(Command, kw_only=True):
    """One member as `member ls` shows it."""

    address: str
    display_name: str = ""
    role: Role = "member"
    delivery_mode: DeliveryMode = "regular"
    delivery_status: DeliveryStatus = "enabled"
    moderation_action: Moderation = ""
    since: str = ""


class Answer(Command, kw_only=True):
    """The answer to every other command. `changed` counts what is new; 0 means it was so already.

    `refused` is empty on success; else one line saying what is wrong and how to mend it.
    `code` tells callers the family: `unknown_list`, `list_exists`, `bad_address`, ...
    """

    changed: int = 0
    refused: str = ""
    code: Literal[
        "", "unknown_list", "list_exists", "bad_address", "bad_setting", "unknown_member", "closed"
    ] = ""
    bad_rows: tuple[tuple[int, str], ...] = ()  # (line, reason)
    rows: tuple[RosterRow, ...] = ()
    as_of: AsOf = AsOf()
