"""How two files of the same tables are compared, in SQL: counts of rows, and sums of their digests,
which no order changes (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from projections.projection import Projection, Table
from schemas.questions import Span

STEP = 100_000  # messages that are summed at once
RANGES = 10_000  # of sequences that a stream has, in one question
STANDING = """
    select 'stream' as kind, stream as name, seq::varchar as value from checkpoint
    union all select 'projection', name, version from projection
"""
_LOST = """
    with kept as (
        select unnest($firsts::ubigint[]) as first, unnest($lasts::ubigint[]) as last
    ),
    lost as (
        select there.seq from (
            select distinct seq from {table} where seq between $first and $last
        ) there asof left join kept on there.seq >= kept.first
        where kept.last is null or there.seq > kept.last
    )
"""
_WHERE = "seq between $first and $last and ts >= make_timestamp($since)"
JOINS = """
    select list, mail, chunk, seq, start, before from (
        select list, mail, chunk, seq, start,
            lag(stop, 1, 0) over (partition by list, mail, chunk order by seq) as before
        from windows where stop > start and seq not in (select unnest($omit::ubigint[]))
    ) where start <> before order by seq limit $limit
"""


def table(name: str, projections: Sequence[Projection]) -> Table | None:
    """A table of some projection."""
    return next((t for each in projections for t in each.tables if t.name == name), None)


def statement(of: Table, span: Span) -> tuple[str, Mapping[str, Any]]:
    """The query and its parameters. By `day` its columns are list ("" where there is none), day,
    whether the stream has the messages no more, rows and sum; by `message` sequence, rows and sum;
    by `row` sequence, digest and how often it is there."""
    parameters: dict[str, Any] = {"first": span.first, "last": span.last, "since": span.since}
    where, head, lost = _WHERE, "", "false"
    list_ = "coalesce(list, '')" if "list" in of.columns else "''"
    digest = f"hash({', '.join(of.columns)})"
    whole = not span.kept or (span.kept[0] <= span.first and span.kept[1] >= span.last)
    if not whole:
        head = _LOST.format(table=of.name)
        lost = "seq in (select seq from lost)"
        parameters |= {"firsts": list(span.kept[::2]), "lasts": list(span.kept[1::2])}
    if span.omit:
        where += " and seq not in (select unnest($omit::ubigint[]))"
        parameters["omit"] = list(span.omit)
    if span.by == "day":
        select = f"""
            {list_} as list, ts::date::varchar as day, {lost} as lost, count(*) as rows,
            sum({digest})::varchar as sum
        """
        return f"{head} select {select} from {of.name} where {where} group by all", parameters  # noqa: S608
    if not whole:
        where += f" and not ({lost})"
    if span.by == "message":
        where += f" and {list_} = $list and ts::date::varchar = $day"
        parameters |= {"list": span.list, "day": span.day}
        select = f"seq, count(*) as rows, sum({digest})::varchar as sum"
    else:
        where += " and seq in (select unnest($only::ubigint[]))"
        parameters["only"] = list(span.only)
        select = f"seq, {digest}::varchar as digest, count(*) as times"
    return f"{head} select {select} from {of.name} where {where} group by all", parameters  # noqa: S608


def spans(
    first: int, last: int, kept: Sequence[tuple[int, int]]
) -> Sequence[tuple[int, int, tuple[int, ...]]]:
    """Pieces of a stream that are summed one by one: first, last, and the ranges that it has of
    these, one behind the other."""
    pieces: list[tuple[int, int, tuple[int, ...]]] = []
    at = 0
    while first <= last:
        end = min(last, first + STEP - 1)
        some: list[int] = []
        while at < len(kept) and kept[at][0] <= end:
            if len(some) == 2 * RANGES:
                end = kept[at][0] - 1
                break
            some += (max(kept[at][0], first), min(kept[at][1], end))
            if kept[at][1] > end:
                break
            at += 1
        pieces.append((first, end, tuple(some)))
        first = end + 1
    return pieces
