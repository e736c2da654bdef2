"""Questions to the analytics with 50 million copies on disk, one thread and 150 MB for DuckDB; with
one million (POSTROAD_BENCH_COPIES) where it must be quick.

The file is made by SQL (`ledgerfile`). Each question is asked about another post and person each
time, large posts and small ones by turns, as the projector asks it, without the way there and back.
What the system keeps of the file in memory is let go before the first, and not between two.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from projections import duckfile
from projections.catalog import queries
from projections.reading import CONFIG
from projections.warehouse import NAME
from tests.bench import ledgerfile
from tests.bench.figures import Figure
from tests.bench.road import BUILD
from tests.bench.yardsticks import Bound

FEW = int(os.environ.get("POSTROAD_BENCH_COPIES", "1000000"))
MANY = 50_000_000
CASES = 10  # posts of each kind
COUNTS = Bound(100)  # ms
EXPLAIN = Bound(200)  # ms
STATS = Bound(5)  # s
# what `postroad explain` asks about one post and one person, and `list stats` about a list
EXPLAINED = (
    "mail",
    "explain_decisions",
    "explain_posts",
    "explain_withheld",
    "bounces_of_person",
    "person_with_post",
    "explain_queued",
    "explain_periods",
    "explain_changes",
)
SINCE, UNTIL = "2025-10-01", "2026-01-31"  # around all of it
STATED = ("list_summary", "list_days", "list_domains", "list_authors", "list_rules")
Case = Mapping[str, Any]


async def of_many() -> AsyncIterator[Figure]:
    """With 50 million copies on disk."""
    for figure in of(MANY):
        yield figure


def of(copies: int) -> Iterator[Figure]:
    """Make a file with so many, then ask."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as place:
        path = Path(place) / NAME
        began = time.monotonic()
        for _ in ledgerfile.make(path, copies):
            pass
        made = time.monotonic() - began
        size = path.stat().st_size / 1e6
        told = f"{copies / 1e6:g}M copies"
        yield Figure.median(f"{told}: the file made by SQL", [made], "s")
        yield Figure.median(f"{told}: the file", [size], "MB")
        forget(path)
        with duckfile.connect(path, {**CONFIG, "access_mode": "read_only"}) as connection:
            yield from _ask(connection, told)


def forget(path: Path) -> None:
    """Have the system forget what it holds of a file."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def _ask(connection: duckdb.DuckDBPyConnection, told: str) -> Iterator[Figure]:
    cases = _cases(connection)
    names: Sequence[str]
    for names, label, need in (
        (["post_counts"], "counts of a post", COUNTS),
        (["person_with_post"], "one person of a post", EXPLAIN),
        (EXPLAINED, "all that explain asks", EXPLAIN),
        (["post_recipients"], "last word on everybody of a post", None),
        (["person_deliveries"], "all that one person was sent", None),
    ):
        times = [_ms(connection, names, case) for case in cases]
        yield Figure.median(f"{told}: {label}", times, "ms", need=need)
    for names, label in (
        (["posts_of"], "posts of a list, with counts"),
        (STATED, "all that list stats asks"),
    ):
        times = [_ms(connection, names, case) / 1000 for case in cases[:3]]
        yield Figure.median(f"{told}: {label}", times, "s", need=STATS)


def _cases(connection: duckdb.DuckDBPyConnection) -> list[Case]:
    """Posts from all over the file, by turns large and small, with somebody who got each."""
    found: list[Case] = []
    for place in range(CASES):
        for size in (ledgerfile.LARGE, ledgerfile.SMALL):
            list_, mail = _row(
                connection,
                f"""select list, mail from fanouts where audience = {size} order by seq
                offset (select count(*) from fanouts where audience = {size}) * {place} // {CASES}
                limit 1""",
            )
            (person,) = _row(
                connection,
                f"select person from deliveries where mail = ? limit 1 offset {size // 2}",
                mail,
            )
            about = {"list": list_, "mail": mail, "person": person, "limit": 10_000}
            found.append({**about, "since": SINCE, "until": UNTIL})
    return found


def _row(connection: duckdb.DuckDBPyConnection, sql: str, *values: str) -> tuple[Any, ...]:
    row = connection.execute(sql, values).fetchone()
    assert row is not None
    return row


def _ms(connection: duckdb.DuckDBPyConnection, names: Sequence[str], case: Case) -> float:
    """How long these questions take about one post and person."""
    began = time.perf_counter()
    for name in names:
        query = queries()[name]
        connection.execute(query.sql, {each: case.get(each) for each in query.parameters})
        connection.fetchall()
    return (time.perf_counter() - began) * 1000
