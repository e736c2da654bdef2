"""What a fold wants done to the tables: data, so that folds stay free of I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One INSERT, UPDATE, DELETE or MERGE over many rows at once.

    `sql` reads the rows from the table `appender_data`, whose `columns` are name to SQL type. Where
    it `finds` rows of a table by them, no two rows may find the same.
    """

    sql: str
    columns: dict[str, str]
    rows: Sequence[tuple[Any, ...]]
    finds: bool = False
