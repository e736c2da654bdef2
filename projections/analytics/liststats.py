"""How one list is doing since a time: for `postroad list stats`."""

from __future__ import annotations

from projections.projection import Projection, Query
from projections.quantiles import CAME, WITHIN

_SINCE = {"list": "varchar", "since": "timestamp"}

SUMMARY = Query(
    name="list_summary",
    about="one list since a time, in numbers: members then and now, posts, what became of their "
    "copies, and the seconds within which 50, 95 and 99 of 100 were taken",
    parameters=_SINCE,
    sql=f"""
        with gone as (
            select ts, case event when 'subscribed' then 1 else -1 end as step
            from membership_events
            where list = $list and role = 'member' and event in ('subscribed', 'unsubscribed')
        ),
        came as ({CAME.format(where="where p.list = $list and p.ts >= $since")}),
        sent as (
            select sum(accepted)::bigint as accepted, sum(failed)::bigint as failed,
                sum(departed)::bigint as departed, sum(waiting)::bigint as waiting
            from posts where list = $list and routed_at >= $since
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
            (select count(*) from came where author = '') as by_strangers,
            (select coalesce(accepted, 0) from sent) as accepted,
            (select coalesce(failed, 0) from sent) as failed,
            (select coalesce(departed, 0) from sent) as departed,
            (select coalesce(waiting, 0) from sent) as waiting,
            (select count(*) from bounces where list = $list and ts >= $since) as bounces,
            (select p50 from took) as p50, (select p95 from took) as p95,
            (select p99 from took) as p99
    """,  # noqa: S608  it is ours
)
DAYS = Query(
    name="list_days",
    about="one list since a time day by day, up to that of `until`: members at the end of each, "
    "who came and went, posts, copies of these by the day they were taken or failed, and times "
    "to deliver",
    parameters={**_SINCE, "until": "timestamp"},
    sql="""
        with days as (
            select unnest(generate_series($since::timestamp::date, $until::timestamp::date,
                interval 1 day))::date as day
        ),
        lived as (select day, members from growth where list = $list),
        moves as (
            select ts::date as day, count(*) filter (event = 'subscribed') as joined,
                count(*) filter (event = 'unsubscribed') as gone
            from membership_events
            where list = $list and role = 'member' and ts >= $since
                and event in ('subscribed', 'unsubscribed')
            group by all
        ),
        posted as (
            select ts::date as day, count(*) as posts from routed_posts
            where list = $list and ts >= $since group by all
        ),
        sent as (
            select ts::date as day, sum(accepted + late)::bigint as accepted,
                sum(failed)::bigint as failed
            from windows where list = $list and ts >= $since and mail in (
                select mail from routed_posts where list = $list and ts >= $since
            ) group by all
        ),
        times as (
            select day, p50, p95 from time_to_deliver
            where list = $list and day >= $since::timestamp::date
        )
        select d.day, coalesce(l.members, 0) as members, coalesce(m.joined, 0) as joined,
            coalesce(m.gone, 0) as gone, coalesce(p.posts, 0) as posts,
            coalesce(s.accepted, 0) as accepted, coalesce(s.failed, 0) as failed,
            t.p50, t.p95
        from days d
        asof left join lived l on d.day >= l.day
        left join moves m on m.day = d.day
        left join posted p on p.day = d.day
        left join sent s on s.day = d.day
        left join times t on t.day = d.day
        order by d.day
    """,
)
# a try that was put off without a reply code was not asked of any server: its domain was slow
DOMAINS = Query(
    name="list_domains",
    about="where copies of the posts of one list since a time failed, were put off by a server "
    "(`put_off`, whatever came after), or wait, by the domain of the recipient's address, the most "
    "first; `most` is what was said most of those that failed, else of the others",
    parameters={**_SINCE, "limit": "bigint"},
    sql="""
        with d as materialized (
            select mail, person, max_by(outcome, 2 * seq + late::integer) as outcome,
                bool_or(outcome = 'deferred' and code > 0) as put_off,
                coalesce(
                    max_by(said, seq) filter (outcome = 'failed'),
                    max_by(said, seq) filter (outcome = 'deferred' and code > 0),
                    max_by(said, seq) filter (outcome = 'deferred')
                ) as said
            from (
                select *, trim(concat_ws(' ', nullif(code, 0), enhanced, reply)) as said
                from deliveries
                where list = $list and ts >= $since
                    and (outcome in ('failed', 'deferred') or again)
                    and mail in (
                        select mail from routed_posts where list = $list and ts >= $since
                    )
            ) group by mail, person
        )
        select coalesce(p.domain, '') as domain,
            count(*) filter (d.outcome = 'failed') as failed,
            count(*) filter (d.put_off) as put_off,
            count(*) filter (d.outcome = 'deferred') as waiting,
            count(distinct d.person) as people,
            coalesce(mode(d.said) filter (d.outcome = 'failed'), mode(d.said)) as most
        from d
        left join (
            select person, arg_max(domain, seq) filter (not coalesce(secondary, false)) as domain
            from addresses where person in (select person from d) group by person
        ) p on p.person = d.person
        where d.outcome in ('failed', 'deferred') or d.put_off
        group by 1 order by failed desc, waiting desc, put_off desc, domain limit $limit
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
        select r.rule, r.kind, count(*) as mails, count(*) filter (v.kind = 'accepted') as posted
        from routing r
        left join routing v on v.held_seq = r.seq and v.list = r.list and v.mail = r.mail
        where r.list = $list and r.ts >= $since and r.held_seq = 0
            and r.kind in ('held', 'rejected', 'discarded')
        group by r.rule, r.kind order by mails desc, r.rule, r.kind
    """,
)

PROJECTION = Projection(
    name="liststats",
    about="how one list is doing",
    queries=(SUMMARY, DAYS, DOMAINS, AUTHORS, RULES),
)
