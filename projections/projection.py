"""What a projection is: one stream, the tables its events become, and what can be asked of them.

Each is one file in `projections/analytics`, with a `PROJECTION`; nothing else names it. Rows are
only ever added: each comes from one message, and from what `carry` says of messages before it. What
changes with time (who is on a list, whether a copy arrived) is a view over them. So rows older than
what a stream keeps stay true, a rebuild gives the same rows in whatever pieces it is folded, and
two files are compared by sums of digests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from schemas import codec

Row = tuple[Any, ...]
Rows = Mapping[str, Sequence[Row]]  # by table
Carry = Mapping[str, Any]  # plain data, stored as JSON beside the rows


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message of a stream, decoded. `us`: when the broker stored it, in microseconds since the
    epoch; `body` is what the projection's `decode` made of it."""

    subject: str
    seq: int
    us: int
    body: Any


class Column(msgspec.Struct, frozen=True):
    """SQL type and meaning of a column; docs/analytics.md is made from these. Times are UTC.

    What is `personal` is null unless `[analytics] addresses` allows it: the file sees to that, so
    that no fold needs to know of settings. What is `sought` is stored without compression: DuckDB
    compares long texts in a fourth of the time then, in twice the room."""

    type: str
    about: str
    personal: bool = False
    sought: bool = False


SEQ = Column("ubigint", "sequence of the message in its stream")
TS = Column("timestamp", "when the broker stored the message")
LIST = Column("varchar", "slug of the list; `none` for mail that is for no list")


def of_mail(mail: str) -> dict[str, Column]:
    """The first columns of a table about mails at lists; `mail` says what its id is the id of."""
    return {"seq": SEQ, "ts": TS, "list": LIST, "mail": Column("varchar", mail)}


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table. Its first columns are `seq` and `ts`.

    A fold gives each row as a tuple in the order of `columns`, and a timestamp as microseconds
    since the epoch (None for null). Where one tuple stands for many rows, `given` says what the
    tuples hold instead (name to SQL type; timestamps as `bigint`), and `select` makes the rows of
    them: a select list, in the order of `columns`, over the table `given`.

    `forgets` names the column by whose values an erasure takes rows out again (`Folded.forget`):
    those of earlier messages alone, before the rows of the same fold go in.
    """

    name: str
    about: str
    columns: dict[str, Column]
    given: dict[str, str] | None = None
    select: str = ""
    forgets: str = ""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A view over tables and views, those of other projections too; `sql` is its SELECT."""

    name: str
    about: str
    columns: dict[str, str]  # name to meaning
    sql: str


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A question that the projector answers from what it has just folded. `sql` takes
    `$name` for each of `parameters`, which are name to SQL type."""

    name: str
    about: str
    parameters: dict[str, str]
    sql: str


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """What messages, in order, become. `carry` goes to the next fold of this projection; `forget`
    are rows to take out again, by table: values of its `forgets` column."""

    rows: Rows
    carry: Carry = msgspec.field(default_factory=dict)
    forget: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)


Fold = Callable[[Carry, Sequence[Message]], Folded]


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of `stream` under `subjects` as rows of `tables`.

    Another `version` has its tables folded anew. `decode` raises UnknownEvent for what this release
    does not know: that is counted and passed over. One without a stream has only views and queries.
    `carries`: rows of a message rest on messages before it on its subject; where a stream keeps
    those no more, the rows that were made of it before are better than any that could be made.
    """

    name: str
    about: str
    version: int = 1
    stream: str = ""
    subjects: str = ""
    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    queries: tuple[Query, ...] = ()
    fold: Fold | None = None
    carries: bool = False
    decode: Callable[[bytes], Any] = codec.decode
