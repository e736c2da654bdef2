"""What one person was sent, wrote and did, on every list: for `postroad member activity`."""

from __future__ import annotations

from projections.analytics.deliveries import MARK
from projections.projection import Projection, Query

ACTIVITY = Query(
    name="activity",
    about="what one person was sent, wrote and did, the newest `limit` things in order of time: on "
    "one `list` (empty: on all), `since` a time (null: ever). `kind` is membership, bounce, wrote, "
    "command or sent (the last word on each copy); what does not apply to it is null.",
    parameters={
        "person": "varchar",
        "list": "varchar",
        "since": "timestamp",
        "limit": "bigint",
    },
    sql=f"""
        with sent as (
            select list, mail, max(ts) as ts, max_by(outcome, seq) as event,
                max_by(code, seq) as code, max_by(enhanced, seq) as enhanced,
                max_by(reply, seq) as reply, max_by(scope, seq) as scope,
                max_by(relay, seq) as relay, bool_or(doubtful) as doubtful
            from deliveries
            where person = $person and mark = {MARK.format("$person")}
            and ($list::varchar = '' or list = $list::varchar)
            and ($since::timestamp is null or ts >= $since::timestamp)
            group by list, mail
        ),
        titles as (select mail, any_value(subject) as subject from routed_posts group by mail),
        letters as (select distinct mail, 'letter' as how from notices where person = $person),
        things as (
            select 'membership' as kind, list, ts, event, role, delivery_mode, delivery_status,
                how, reason, actor, mail, null::varchar as subject, null::varchar as report
            from membership_events where person = $person and event <> 'bounced'
            union all by name
            select 'bounce' as kind, list, ts, kind as event, mail, report, status as enhanced,
                said as reply, points, score, server, delayed
            from bounces where person = $person
            union all by name
            select 'wrote' as kind, list, ts, kind as event, mail, subject, rule as how, reason,
                actor
            from routing where author = $person and held_seq = 0
            and kind in ('post', 'held', 'rejected', 'discarded')
            union all by name
            select 'command' as kind, list, ts, command as event, mail, outcome as how, reason
            from commands where person = $person
            union all by name
            select 'sent' as kind, sent.*, subject, how
            from sent left join titles using (mail) left join letters using (mail)
        )
        select * from (
            select * from things
            where ($list::varchar = '' or list = $list::varchar)
            and ($since::timestamp is null or ts >= $since::timestamp)
            order by ts desc, kind limit $limit
        ) order by ts, kind
    """,  # noqa: S608  all of it is ours
)

PROJECTION = Projection(
    name="activity", about="what one person was sent, wrote and did", queries=(ACTIVITY,)
)
