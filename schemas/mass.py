"""Requests to membership about many people at once; every event of them names one command.

Never stored, as those of schemas.commands.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from schemas.commands import Change, Command
from schemas.membership import DeliveryMode, DeliveryStatus, Moderation, Role

MassAction = Literal["add", "set", "remove"]


class ImportRow(Command, kw_only=True):
    """One person of an import; `line` is the line of the file, for reports. An option that is None
    is not told: as usual for somebody new, as it is for somebody who is there. `since` is when they
    came onto the list where it was before."""

    line: int
    address: str
    display_name: str = ""
    role: Role = "member"
    delivery_mode: DeliveryMode | None = None
    delivery_status: DeliveryStatus | None = None
    moderation_action: Moderation | None = None
    receive_own_postings: bool | None = None
    receive_list_copy: bool | None = None
    preferred_language: str | None = None
    since: datetime | None = None


class ImportMembers(Change, kw_only=True):
    """Endpoint `import`: at most 1,000 rows at once; all valid rows are stored or none. With
    `more` to come the answer does not wait for the roster, which folds while the next come.

    `action` is what becomes of the rows: `add` gives the role to whoever has it not, but those who
    lost it here since and whom only `back` takes back; `set` gives its holders the options told,
    `remove` takes it away. With `seen`, a sequence of MEMBERSHIP, it is refused where
    anybody else came or left after it; the answer's `after` is the next one to give. `command` is
    the id of the whole, in every event; asked `again` because no answer came, what it did already
    counts as changed. A `dry` one only counts."""

    list: str
    rows: tuple[ImportRow, ...]
    action: MassAction = "add"
    more: bool = False
    how: str = "import"
    back: bool = False
    seen: int = 0
    command: str = ""
    again: bool = False
    dry: bool = False


class UndoChange(Change, kw_only=True):
    """Endpoint `undo`: put everybody whom the command `undo` changed, after the time `since`
    (RFC 3339) if there is one, back to how they stood before. Answers for some hundred people from
    the sequence `after` on, and tells how to go on. `command`, `again` and `dry` are as those of an
    import."""

    list: str
    undo: str
    command: str = ""
    since: str = ""
    after: int = 0
    again: bool = False
    dry: bool = False
