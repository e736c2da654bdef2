"""The questions behind `postroad explain`, `post recipients` and `member activity`.

Each names its post or person by value, so that only rows of these are read, whatever else there is.
"""

from __future__ import annotations

from projections.projection import Projection, Query

FIND = Query(
    name="find_mails",
    about="mails by the first digits of their id or by their Message-ID (without brackets), and "
    "whether each was posted",
    parameters={"text": "varchar"},
    sql="""
        select mail, bool_or(posted) as posted from (
            select mail, false as posted from mails
            where starts_with(mail, $text) or trim(message_id, '<>') = $text
            union all
            select mail, true from routed_posts
            where starts_with(mail, $text) or trim(message_id, '<>') = $text
            union all
            select mail, false from chunks where starts_with(mail, $text) and notice
        ) group by mail order by posted desc, mail limit 6
    """,
)
DECISIONS = Query(
    name="explain_decisions",
    about="what was decided on one mail, in order; of a letter that Postroad wrote, whom it is to",
    parameters={"mail": "varchar"},
    sql="""
        select list, seq, ts, kind, rule, reason, author, actor, subject, message_id
        from routing where mail = $mail
        union all
        select list, seq, ts, 'letter', '', '', person, '', '', ''
        from notices where mail = $mail
        order by ts, seq
    """,
)
POSTS = Query(
    name="explain_posts",
    about="one mail where it went to several: the roster that it was decided by, and its fan-out",
    parameters={"mail": "varchar"},
    sql="""
        select r.list, r.author, coalesce(p.membership_seq, f.membership_seq, 0) as membership_seq,
            f.ts as fanned_out_at, coalesce(f.audience, 0) as audience
        from (select * from routing where mail = $mail and kind in ('post', 'owner')) r
        left join (select * from routed_posts where mail = $mail) p on p.list = r.list
        left join (select * from fanouts where mail = $mail) f on f.list = r.list
        order by r.seq
    """,
)
PERIODS = Query(
    name="explain_periods",
    about="how one person stood on every list, in order",
    parameters={"person": "varchar"},
    sql="select * from memberships where person = $person order by from_seq",
)
CHANGES = Query(
    name="explain_changes",
    about="what happened to one person on every list, in order",
    parameters={"person": "varchar"},
    sql="""
        select list, seq, ts, event, role, delivery_mode, delivery_status, how, reason, actor, since
        from membership_events where person = $person order by seq, nth
    """,
)
QUEUED = Query(
    name="explain_queued",
    about="when the chunks of one mail were queued that one person's copies were in",
    parameters={"mail": "varchar", "person": "varchar"},
    sql="""
        select c.list, c.chunk, min(c.ts) as ts, min(c.attempt) as attempt
        from (select * from chunks where mail = $mail) c
        join (select distinct list, chunk from deliveries where mail = $mail and person = $person) d
        on d.list = c.list and d.chunk = c.chunk
        group by c.list, c.chunk order by ts
    """,
)
WITHHELD = Query(
    name="explain_withheld",
    about="by which wish of theirs one person gets no copy of one mail",
    parameters={"mail": "varchar", "person": "varchar"},
    sql="select list, option from withheld where mail = $mail and person = $person",
)
RECIPIENTS = Query(
    name="recipients_slice",
    about="the last word on the recipients of one post at one list from the person `start` up to, "
    "and without, `stop` (empty: the end), in order of person; with an `outcome` only those",
    parameters={
        "list": "varchar",
        "mail": "varchar",
        "outcome": "varchar",
        "start": "varchar",
        "stop": "varchar",
    },
    sql="""
        select person, outcome, code, enhanced, reply, scope, relay, attempts, doubtful, ts, chunk
        from recipients where list = $list and mail = $mail and person >= $start
        and ($stop = '' or person < $stop) and ($outcome = '' or outcome = $outcome)
        order by person
    """,
)

PROJECTION = Projection(
    name="questions",
    about="what commands ask about one post or one person",
    queries=(FIND, DECISIONS, POSTS, PERIODS, CHANGES, QUEUED, WITHHELD, RECIPIENTS),
)
