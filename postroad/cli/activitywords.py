"""The words of what somebody was sent, wrote and did: one line for each row. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from postroad.cli import explanationwords as words
from postroad.cli.analysis.values import visible
from postroad.cli.evidence import Bounce, Change, Decision, Try

R = TypeVar("R", bound=msgspec.Struct)
_HAPPENED = {
    "moved": "changed their address",
    "probed": "was sent a letter to see whether it comes back",
    "warned": "was told that their mail is stopped, for too much of it came back",
}


def told(row: Mapping[str, Any], people: Mapping[str, str], person: str) -> str:
    """A row of the query `activity`, without its nulls, in words. `people` are addresses."""
    by = words.who(row.get("actor", ""), people, person)
    title = f'"{visible(subject)}"' if (subject := row.get("subject")) else ""
    match row["kind"]:
        case "membership":
            return _happened(row, by)
        case "bounce":
            return words.bounced(
                _as(Bounce, row, {"kind": "event", "status": "enhanced", "said": "reply"})
            )
        case "wrote":
            decision = _as(Decision, row, {"kind": "event", "rule": "how"})
            return f"wrote {title or 'a mail'}: {words.decided(decision, by)}"
        case "command":
            why = f" ({row['reason']})" if row.get("reason") else ""
            outcome = str(row.get("how", "")).replace("_", " ")
            return f"command {row['event']} by mail: {outcome}{why}"
        case _:
            sent = words.tried(_as(Try, row, {"outcome": "event"}))
            what = title or ("a letter" if row.get("how") == "letter" else "a mail")
            return f"was sent {what}: {sent}"


def _happened(row: Mapping[str, Any], by: str) -> str:
    if row["event"] in _HAPPENED:
        return _HAPPENED[row["event"]]
    change = _as(Change, row, {})
    if change.event == words.JOINED:
        return words.joined(change, by)
    return words.changed(change, by)


def _as(kind: type[R], row: Mapping[str, Any], named: Mapping[str, str]) -> R:
    """A row as evidence of this kind, whose fields are columns of the same name but for those that
    are `named`; that which only tells its place is empty."""
    moved = {field: row[column] for field, column in named.items() if column in row}
    return msgspec.convert({"seq": 0, "chunk": "", **row, **moved}, kind)
