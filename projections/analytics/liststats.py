"""How one list is doing since a time: for `postroad list stats`."""

from __future__ import annotations

from projections.projection import Projection, Query
from projections.quantiles import WITHIN

_SINCE = {"list": "varchar", "since": "timestamp"}

SUMMARY = Query(
    name="list_summary",
    about="one list since a time, in numbers: members then and now, mail, copies, and the seconds "
    "within which 50, 95 and 99 of 100 copies were taken",
    parameters=_SINCE,
    sql=f"""
        with gone as (
            select ts, case event when 'subscribed' then 1 else -1 end as step
            from membership_events
            where list = $list and role = 'member' and event in ('subscribed', 'unsubscribed')
        ),
        came as (
            select p.mail, coalesce(min(m.ts), min(p.ts)) as came, any_value(p.author) as author
            from (select mail, ts, author from routed_posts where list = $list and ts >= $since) p
            left join mails m on m.mail = split_part(p.mail, '-', 1)
            group by p.mail
        ),
        taken as (
            select w.accepted + w.late as copies,
                (epoch_us(w.ts) - epoch_us(c.came)) / 1e6 as seconds
            from (select mail, ts, accepted, late from windows
                where list = $list and ts >= $since and accepted + late > 0) w
            join came c on c.mail = w.mail
        ),
        ordered as (
            select *, sum(copies) over (order by seconds) as so_far, sum(copies) over () as total
            from taken
        ),
        took as (select {WITHIN} from ordered)
        select
            (select coalesce(sum(step), 0)::bigint from gone where ts < $since) as members_before,
            (select coalesce(sum(step), 0)::bigint from gone) as members,
            (select count(*) from gone where ts >= $since and step > 0) as joined,
            (select count(*) from gone where ts >= $since and step < 0) as gone,
            (select count(*) from came) as posts,
            (select count(distinct nullif(author, '')) from came) as writers,
            (select coalesce(sum(copies), 0)::bigint from taken) as accepted,
            (select coalesce(sum(failed), 0)::bigint from windows
                where list = $list and ts >= $since) as failed,
            (select coalesce(sum(deferred), 0)::bigint from windows
                where list = $list and ts >= $since) as deferred,
            (select count(*) from bounces where list = $list and ts >= $since) as bounces,
            (select p50 from took) as p50, (select p95 from took) as p95,
            (select p99 from took) as p99
    """,  # noqa: S608  it is ours
)
DAYS = Query(
    name="list_days",
    about="one list day by day, from that of a time on up to that of `until`: members at the end "
    "of each, who came and went, posts, copies, and times to deliver",
    parameters={**_SINCE, "until": "timestamp"},
    sql="""
        with days as (
            select unnest(generate_series($since::timestamp::date, $until::timestamp::date,
                interval 1 day))::date as day
        ),
        moves as (
            select day, joined, gone, members from growth where list = $list
        ),
        posted as (
            select ts::date as day, count(*) as posts from routed_posts
            where list = $list and ts >= $since::timestamp::date group by all
        ),
        sent as (
            select day, accepted, failed, deferred from delivery_by_day
            where list = $list and day >= $since::timestamp::date
        ),
        times as (
            select day, p50, p95 from time_to_deliver
            where list = $list and day >= $since::timestamp::date
        )
        select d.day, coalesce(l.members, 0) as members, coalesce(m.joined, 0) as joined,
            coalesce(m.gone, 0) as gone, coalesce(p.posts, 0) as posts,
            coalesce(s.accepted, 0) as accepted, coalesce(s.failed, 0) as failed,
            coalesce(s.deferred, 0) as deferred, t.p50, t.p95
        from days d
        asof left join moves l on d.day >= l.day
        left join moves m on m.day = d.day
        left join posted p on p.day = d.day
        left join sent s on s.day = d.day
        left join times t on t.day = d.day
        order by d.day
    """,
)
DOMAINS = Query(
    name="list_domains",
    about="where copies of one list failed, or were put off, since a time: by the domain of the "
    "recipient's address, the most first",
    parameters={**_SINCE, "limit": "bigint"},
    sql="""
        with d as materialized (
            select person, outcome, code, enhanced, reply from deliveries
            where list = $list and ts >= $since and outcome in ('failed', 'deferred')
        )
        select coalesce(p.domain, '') as domain,
            count(*) filter (d.outcome = 'failed') as failed,
            count(*) filter (d.outcome = 'deferred') as deferred,
            count(distinct d.person) as people,
            mode(trim(concat_ws(' ', nullif(d.code, 0), d.enhanced, d.reply))) as most
        from d
        left join (
            select person, arg_max(domain, seq) filter (not coalesce(secondary, false)) as domain
            from addresses where person in (select person from d) group by person
        ) p on p.person = d.person
        group by 1 order by failed desc, deferred desc, domain limit $limit
    """,
)
AUTHORS = Query(
    name="list_authors",
    about="who wrote the most posts of one list since a time, and when last",
    parameters={**_SINCE, "limit": "bigint"},
    sql="""
        select author as person, count(*) as posts, max(ts) as last_at,
            count(distinct thread) as threads
        from routed_posts where list = $list and ts >= $since
        group by author order by posts desc, author limit $limit
    """,
)
RULES = Query(
    name="list_rules",
    about="what each rule caught at one list since a time, and how much of it was let through",
    parameters=_SINCE,
    sql="""
        select rule, kind, sum(mails)::bigint as mails, sum(posted)::bigint as posted
        from rules_caught where list = $list and day >= $since::timestamp::date
        group by rule, kind order by mails desc, rule, kind
    """,
)

PROJECTION = Projection(
    name="liststats",
    about="how one list is doing",
    queries=(SUMMARY, DAYS, DOMAINS, AUTHORS, RULES),
)
