"""What an alarm is, for a handler of yours. docs/operators/alarm.md tells how to plug one in.

A handler is a function `(notice) -> None`, named by an entry point in the group `postroad.alarms`,
and asked where `[alarm] handlers` names it. All of this is stable: fields are added, none is
changed or taken away.
"""

from __future__ import annotations

from typing import Literal

import msgspec

GROUP = "postroad.alarms"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person must mend (`raised`, and again where its reason changes), or need not
    any more (`cleared`). A webhook is posted this as JSON; a command gets `text` as its input.

    `alarm` is its name in the table of alarms, `page` the page of the guide for operators that
    leads back to health. `kind` and `name` say of what: `source` and `gmail`. `text` is one line,
    with no address, token or secret in it. `time` is ISO 8601.
    """

    state: Literal["raised", "cleared"]
    alarm: str = ""
    service: str = ""
    kind: str
    name: str
    text: str
    time: str
    page: str = ""
