"""How lists grow: who came and went, by day and by month.

A person never joins twice without leaving between: membership stores no event that changes nothing.
So counting events is enough, and a million of them take a moment.
"""

from __future__ import annotations

from projections.projection import Projection, Query, View

GROWTH = View(
    name="growth",
    about="Members of each list by day: a row for each day on which somebody came or went.",
    columns={
        "list": "slug of the list",
        "day": "day (UTC)",
        "joined": "how many became members",
        "gone": "how many were members no more",
        "members": "how many members there were at the end of the day, those whose delivery has "
        "stopped among them",
    },
    sql="""
        with daily as (
            select list, ts::date as day,
                count(*) filter (event = 'subscribed') as joined,
                count(*) filter (event = 'unsubscribed') as gone
            from membership_events
            where role = 'member' and event in ('subscribed', 'unsubscribed')
            group by list, day
        )
        select list, day, joined, gone,
            (sum(joined - gone) over (partition by list order by day))::bigint as members
        from daily
    """,
)

CHURN = View(
    name="churn",
    about="Members of each list by month: who came, who went and how, and which share that is.",
    columns={
        "list": "slug of the list",
        "month": "first day of the month (UTC)",
        "before": "members at the beginning of the month",
        "joined": "how many became members",
        "gone": "how many were members no more",
        "bounced": "of these: removed because their mail came back",
        "erased": "of these: erased at their own wish",
        "after": "members at the end of the month",
        "churn": "gone as a share of those who were there before or joined, 0 to 1; null: nobody",
    },
    sql="""
        with monthly as (
            select list, date_trunc('month', ts)::date as month,
                count(*) filter (event = 'subscribed') as joined,
                count(*) filter (event = 'unsubscribed') as gone,
                count(*) filter (event = 'unsubscribed' and how = 'bounces') as bounced,
                count(*) filter (event = 'unsubscribed' and reason = 'erased') as erased
            from membership_events
            where role = 'member' and event in ('subscribed', 'unsubscribed')
            group by list, month
        ),
        summed as (
            select *, (sum(joined - gone) over (partition by list order by month))::bigint as after
            from monthly
        )
        select list, month, after - joined + gone as before, joined, gone, bounced, erased, after,
            gone / nullif(after + gone, 0) as churn
        from summed
    """,
)

DEPARTURES = View(
    name="departures",
    about="How and why members left, by day.",
    columns={
        "list": "slug of the list",
        "day": "day (UTC)",
        "how": "by which way: mail, web, leave link by mail, command line, bounces, sync, ...",
        "reason": "why, where it was not the member; empty: not said",
        "members": "how many",
    },
    sql="""
        select list, ts::date as day, how, reason, count(*) as members
        from membership_events where event = 'unsubscribed' and role = 'member'
        group by list, day, how, reason
    """,
)

OF_LIST = Query(
    name="growth_of_list",
    about="Growth of a list by day, from a day on (null: from its beginning).",
    parameters={"list": "varchar", "since": "date"},
    sql="""
        select day, joined, gone, members from growth
        where list = $list and ($since::date is null or day >= $since::date) order by day
    """,
)

PROJECTION = Projection(
    name="growth",
    about="how lists grow and shrink",
    views=(GROWTH, CHURN, DEPARTURES),
    queries=(OF_LIST,),
)
