"""What the projector is asked, over NATS micro, and how it answers."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named query with its parameters. With `after`, it is answered once these streams, by name,
    are folded up to these sequences."""

    name: str
    parameters: dict[str, Any] = {}
    after: dict[str, int] = {}


class Piece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an answer: several come to one question, in order, up to the one that is `last`.
    `columns` is name to SQL type, in the first alone; `refused` says why there is no answer."""

    rows: list[list[Any]] = []
    columns: dict[str, str] = {}
    last: bool = False
    refused: str = ""


class Refreshed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When the copies for analysts were made (RFC 3339), and whether just now; or why not."""

    as_of: str = ""
    made: bool = False
    refused: str = ""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """These projections are to be folded anew."""

    names: tuple[str, ...]


class Progress(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far a rebuild is, in messages; `error` says why it `failed`, and `refused` why there is
    none. `aside` is where a file lies that could not be gone on with."""

    names: tuple[str, ...] = ()
    state: Literal["running", "done", "failed"] = "running"
    events: int = 0
    total: int = 0
    rows: int = 0
    failed: int = 0  # events that a projection could not fold
    seconds: float = 0.0
    aside: str = ""
    error: str = ""
    refused: str = ""


class Span(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which rows of a table are to be summed: of messages `first` to `last`, stored at `since` or
    later (microseconds since the epoch). `kept` are the ranges of sequences that the stream has
    (first and last of each, one behind the other), nothing for all; `omit` are sequences to leave
    out.

    By `day`, there is a sum for each list and day; by `message` one for each of a `list` and `day`;
    by `row` each row of the messages `only` has its own. Without a table it is asked how far each
    stream is folded, and what made the tables.
    """

    table: str = ""
    first: int = 0
    last: int = 0
    since: int = 0
    kept: tuple[int, ...] = ()
    omit: tuple[int, ...] = ()
    by: Literal["day", "message", "row"] = "day"
    list: str = ""
    day: str = ""
    only: tuple[int, ...] = ()
