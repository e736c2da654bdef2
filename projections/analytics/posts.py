"""What became of each post: views over what was decided, queued and recorded."""

from __future__ import annotations

from projections.projection import Projection, Query, View

_OUTCOMES = {
    "accepted": "recipients whose copy was taken",
    "failed": "recipients who finally get none",
    "deferred": "recipients who are tried again",
    "departed": "recipients who had left the list before their copy was due",
    "waiting": "recipients who have no outcome yet or are tried again",
    "doubtful": "recipients who may have two copies",
    "windows": "windows it took",
    "first_accepted_at": "when the first copy was recorded; null: none was",
    "last_accepted_at": "when the last copy was recorded",
}

POSTS = View(
    name="posts",
    about="every post of a list, and how many have it",
    columns={
        "list": "slug of the list",
        "mail": "id of the post",
        "seq": "sequence in ROUTED",
        "routed_at": "when it was decided that it is one",
        "author": "person who wrote it; empty where that is nobody known",
        "subject": "its Subject",
        "message_id": "its Message-ID",
        "parent": "id of the post that it answers; empty for none",
        "thread": "id of the first post of its conversation",
        "audience": "recipients; those queued so far where not all are",
        **_OUTCOMES,
    },
    sql="""
        select p.list, p.mail, p.seq, p.ts as routed_at, p.author, p.subject, p.message_id,
            p.parent, p.thread, coalesce(c.audience, 0) as audience,
            coalesce(c.accepted, 0) as accepted, coalesce(c.failed, 0) as failed,
            coalesce(c.deferred, 0) as deferred, coalesce(c.departed, 0) as departed,
            coalesce(c.waiting, 0) as waiting, coalesce(c.doubtful, 0) as doubtful,
            coalesce(c.windows, 0) as windows, c.first_accepted_at, c.last_accepted_at
        from routed_posts p left join counts c on c.list = p.list and c.mail = p.mail
    """,
)
COUNTS = View(
    name="counts",
    about="how many have each mail that goes to several: posts, mail to owners, letters",
    columns={
        "list": "slug of the list",
        "mail": "id of the mail",
        "audience": "recipients; those queued so far where not all are",
        "chunks": "chunks they were queued in",
        **_OUTCOMES,
        "since": "when the first of it was queued; null where that is kept no more",
        "notice": "whether Postroad wrote it",
    },
    sql="""
        select list, mail, coalesce(f.fanned_out + coalesce(q.more, 0), q.copies, 0) as audience,
            coalesce(f.chunks + coalesce(q.more_chunks, 0), q.chunks, 0) as chunks,
            coalesce(t.accepted, 0) as accepted,
            coalesce(t.failed, 0) as failed, coalesce(t.deferred, 0) as deferred,
            coalesce(t.departed, 0) as departed,
            greatest(0, audience - coalesce(t.accepted, 0) - coalesce(t.failed, 0)
                - coalesce(t.departed, 0)) as waiting,
            coalesce(t.doubtful, 0) as doubtful, coalesce(t.windows, 0) as windows,
            t.first_accepted_at, t.last_accepted_at, coalesce(q.since, f.since) as since,
            coalesce(q.notice, false) as notice
        from tallies t
        full join (
            select list, mail, max(audience) as fanned_out, max(chunks) as chunks, min(ts) as since
            from fanouts group by list, mail
        ) f using (list, mail)
        full join (
            select list, mail, sum(copies)::bigint as copies, count(*) as chunks,
                sum(copies) filter (chunk like 'm%')::bigint as more,
                count(*) filter (chunk like 'm%') as more_chunks,
                min(ts) as since, bool_or(notice) as notice
            from (
                select list, mail, chunk, max(copies) as copies, min(ts) as ts,
                    bool_or(notice) as notice
                from chunks where whole group by list, mail, chunk
            ) group by list, mail
        ) q using (list, mail)
    """,
)
THREADS = View(
    name="threads",
    about="conversations of a list",
    columns={
        "list": "slug of the list",
        "thread": "id of its first post",
        "subject": "Subject of its first post",
        "posts": "how many",
        "authors": "how many persons wrote them",
        "started_at": "when the first was posted",
        "last_at": "when the last was posted",
    },
    sql="""
        select list, thread, min_by(subject, seq) as subject, count(*) as posts,
            count(distinct author) as authors, min(ts) as started_at, max(ts) as last_at
        from routed_posts group by list, thread
    """,
)

PROJECTION = Projection(
    name="posts",
    about="posts and conversations",
    views=(COUNTS, POSTS, THREADS),
    queries=(
        Query(
            name="post_counts",
            about="how many have one mail, at each list it went to",
            parameters={"mail": "varchar"},
            sql="select * from counts where mail = $mail order by list",
        ),
        Query(
            name="post",
            about="one post, at each list it went to",
            parameters={"mail": "varchar"},
            sql="select * from posts where mail = $mail order by list",
        ),
        Query(
            name="posts_of",
            about="the posts of one list, the newest first",
            parameters={"list": "varchar", "limit": "bigint"},
            sql="select * from posts where list = $list order by seq desc limit $limit",
        ),
    ),
)
