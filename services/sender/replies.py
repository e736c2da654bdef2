"""What a refusal means, and when to try again. The knowledge is data: replies.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import msgspec

from services.sender.answers import Reply

Scope = Literal["recipient", "message", "relay"]
Kind = Literal["deferred", "failed"]
Command = Literal["MAIL", "RCPT", "DATA", "."]

FIRST_RETRY = 300.0  # seconds; the longest is 48 times as much: 4 h


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a refusal is about, whether another try may help, and the row that says so.

    `lasting` of a relay: not before somebody has acted, or a day has passed."""

    scope: Scope
    kind: Kind
    name: str
    lasting: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of replies.toml, which says what its fields mean."""

    name: str
    code: tuple[str, ...] = ()
    enhanced: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    command: tuple[Command, ...] = ()
    scope: Scope
    kind: Kind
    lasting: bool = False
    example: tuple[Command, str]

    def fits(self, reply: Reply) -> bool:
        """Whether this row is about such a reply."""
        return (
            (not self.command or reply.command in self.command)
            and (not self.code or str(reply.code).startswith(self.code))
            and (not self.enhanced or any(_covers(e, reply.enhanced) for e in self.enhanced))
            and (not self.text or any(words in reply.text.lower() for words in self.text))
        )


def classify(reply: Reply) -> Verdict:
    """What this refusal means: the first row that fits. Raises ValueError where none was."""
    if reply.accepted:
        raise ValueError(f"a {reply.code} is no refusal")
    row = next(row for row in ROWS if row.fits(reply))
    lasting = row.scope == "relay" and (row.lasting or row.kind == "failed")
    return Verdict(row.scope, row.kind, row.name, lasting)


def retry_after(attempt: int, jitter: float, first: float = FIRST_RETRY) -> float:
    """Seconds until the `attempt`-th retry (from 1); `jitter` in [0, 1) spreads them.

    From `first` seconds, twice as long each time, up to 48 times as long: 5 minutes to 4 hours.
    """
    return first * 2.0 ** min(attempt - 1, 5) * (1.0 + jitter / 2)


def _covers(pattern: str, enhanced: str) -> bool:
    wanted, parts = pattern.split("."), enhanced.split(".")
    return len(parts) == 3 and all(w in ("*", p) for w, p in zip(wanted, parts, strict=True))


def _rows() -> tuple[Row, ...]:
    data = resources.files(__package__).joinpath("replies.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(data)["reply"], tuple[Row, ...])


ROWS = _rows()
