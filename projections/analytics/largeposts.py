"""What `postroad post show` tells of a large post that is done, without reading its ledger."""

from __future__ import annotations

from projections.projection import Projection, Query
from projections.quantiles import CAME, WITHIN

_POST = {"list": "varchar", "mail": "varchar"}

WINDOWS = Query(
    name="large_windows",
    about="the first windows of one post at one list, and when the last was",
    parameters={**_POST, "limit": "bigint"},
    sql="""
        select ts, chunk, relay, accepted, deferred, failed, departed, doubtful,
            (select max(ts) from windows where list = $list and mail = $mail and stop > start)
                as last_at
        from windows where list = $list and mail = $mail and stop > start
        order by seq limit $limit
    """,
)
AGAIN = Query(
    name="large_again",
    about="the chunks of one post at one list that were tried again, the first of them",
    parameters={**_POST, "limit": "bigint"},
    sql="""
        select chunk, min(ts) as ts, max(copies) as copies from chunks
        where list = $list and mail = $mail and (attempt > 0 or starts_with(chunk, 'f'))
        group by chunk order by ts limit $limit
    """,
)
TROUBLES = Query(
    name="large_troubles",
    about="who finally has no copy of one post at one list, and the last word on each",
    parameters=_POST,
    sql="""
        select person, code, enhanced, reply, scope, relay, ts from recipients
        where list = $list and mail = $mail and outcome = 'failed' order by seq, person
    """,
)
BOUNCES = Query(
    name="bounces_of_post",
    about="whose copies of one post at one list came back, and by which report",
    parameters=_POST,
    sql="select person, report from bounces where list = $list and mail = $mail order by seq",
)
TOOK = Query(
    name="large_took",
    about="seconds since one post came in, or was let through at one list, within which 50, 95 and "
    "99 of 100 copies there were taken",
    parameters=_POST,
    sql=f"""
        with ordered as (
            select seconds, sum(copies) over (order by seconds) as so_far,
                sum(copies) over () as total
            from (
                select (epoch_us(w.ts) - epoch_us(p.came)) / 1e6 as seconds,
                    w.accepted + w.late as copies
                from windows w, ({CAME.format(where="where p.list = $list and p.mail = $mail")}) p
                where w.list = $list and w.mail = $mail and w.accepted + w.late > 0
            )
        )
        select {WITHIN}
        from ordered
    """,  # noqa: S608  it is ours
)

PROJECTION = Projection(
    name="largeposts",
    about="large posts that are done",
    queries=(WINDOWS, AGAIN, TROUBLES, BOUNCES, TOOK),
)
