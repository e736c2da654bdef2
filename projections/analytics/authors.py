"""Who writes to lists."""

from __future__ import annotations

from projections.projection import Projection, Query, View

AUTHORS = View(
    name="authors",
    about="Who has posted to each list, and how much: a row for each author that is known. Authors "
    "are told by their random id alone.",
    columns={
        "list": "slug of the list",
        "person": "random id of the author",
        "posts": "how many posts of theirs",
        "answers": "how many of these answer another post",
        "threads": "in how many conversations they wrote",
        "first_at": "when the first was posted",
        "last_at": "when the last was posted",
    },
    sql="""
        select list, author as person, count(*) as posts,
            count(*) filter (parent <> '') as answers, count(distinct thread) as threads,
            min(ts) as first_at, max(ts) as last_at
        from routed_posts where author <> '' group by list, author
    """,
)

MOST_ACTIVE = Query(
    name="most_active",
    about="The authors of a list with the most posts since a time (null: ever), at most `limit`.",
    parameters={"list": "varchar", "since": "timestamp", "limit": "bigint"},
    sql="""
        select author as person, count(*) as posts, count(*) filter (parent <> '') as answers,
            max(ts) as last_at
        from routed_posts where list = $list and author <> ''
        and ($since::timestamp is null or ts >= $since::timestamp)
        group by author order by posts desc, person limit $limit
    """,
)

PROJECTION = Projection(
    name="authors", about="who writes to lists", views=(AUTHORS,), queries=(MOST_ACTIVE,)
)
