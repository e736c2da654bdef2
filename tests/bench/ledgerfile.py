"""An analytics file as years of lists leave it, made by SQL in a few minutes.

Ten lists of 100,000 members, a tenth of all persons each. Of 125,000 copies 100,000 are of one
post to a list, 25,000 of fifty posts to 500 people. Copies go in windows of 16, in order of person,
as a fan-out has it; three of a hundred are not taken at once. Of those who were deferred each has a
second try among the copies of later posts, so that no part of the file holds one post alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from projections import duckfile, layout
from projections.analytics.deliveries import MARK
from projections.catalog import projections
from projections.reading import CONFIG

PERSONS = 1_000_000
LISTS = 10
LARGE = 100_000  # recipients of a post to a whole list
SMALL = 500
ROUND = 125_000  # copies of one large post and the small ones behind it
POSTS = 1 + (ROUND - LARGE) // SMALL  # in a round
WINDOW = 16
AFTER = 5 * ROUND  # copies behind the first try the second one stands
AT_A_TIME = 2_000_000

_MACROS = f"""
    create temp macro mail_of(n) as
        printf('%012x', 1767225600000 + n * 100000) || '7' || left(md5(n::varchar), 19);
    create temp macro person_of(n) as
        printf('%06x', (n * 16)::integer) || left(md5(n::varchar), 18);
    create temp macro list_of(r) as 'list-' || (r % {LISTS}) || '-example-org';
    create temp macro time_of(n) as make_timestamp(1767225600000000 + n * 800);
    create temp macro kind_of(n) as case
        when hash(n) % 1000 < 970 then 'accepted' when hash(n) % 1000 < 985 then 'deferred'
        when hash(n) % 1000 < 997 then 'failed' else 'departed' end;
"""
# n: the copy, r: its round, k: its place in the post, p: the number of the post
_COPIES = f"""
    select n, n // {ROUND} as r,
        case when n % {ROUND} < {LARGE} then n % {ROUND}
            else (n % {ROUND} - {LARGE}) % {SMALL} end as k,
        n // {ROUND} * {POSTS} + case when n % {ROUND} < {LARGE} then 0
            else 1 + (n % {ROUND} - {LARGE}) // {SMALL} end as p,
        kind_of(n) as kind
"""
_SAID = """
    case kind when 'accepted' then 250 when 'deferred' then 450 when 'failed' then 550 else 0 end
        as code,
    case kind when 'deferred' then '4.2.2' when 'failed' then '5.1.1' else '' end as enhanced,
    case kind when 'accepted' then '2.0.0 Ok: queued as ' || left(md5(seq::varchar), 11)
        when 'deferred' then 'mailbox full, try again later'
        when 'failed' then 'no such user here' else 'left the list' end as reply,
    case kind when 'accepted' then '' else 'recipient' end as scope
"""
_DELIVERIES = f"""
    insert into deliveries by name
    with first as (
        select *, n // {WINDOW} * 2 as seq, time_of(n) as ts, k // 128 as c, '' as suffix,
            0 as attempt
        from ({_COPIES} from range($start, $stop) t(n))
    ), again as (
        select * replace ('accepted' as kind),
            (n + {AFTER}) // {WINDOW} * 2 + 1 as seq,
            time_of(n + {AFTER}) as ts, k // 128 as c, 'r1' as suffix, 1 as attempt
        from ({_COPIES} from range($start - {AFTER}, $stop - {AFTER}) t(n))
        where n >= 0 and kind = 'deferred'
    )
    select seq, ts, list_of(r) as list, mail_of(p) as mail,
        person_of(case when n % {ROUND} < {LARGE} then k * {LISTS} + r % {LISTS}
            else k * {PERSONS // SMALL} + r % {LISTS} end) as person,
        c::varchar || suffix as chunk, attempt, kind as outcome, {_SAID},
        'out' || seq % 4 // 2 as relay, hash(n) % 997 = 1 as doubtful, false as late,
        attempt > 0 as again, {MARK.format("person")} as mark
    from (from first union all by name from again) order by seq
"""
_WINDOWS = """
    insert into windows by name
    select seq, min(ts) as ts, list, mail, chunk, attempt, 0 as start, count(*) as stop,
        any_value(relay) as relay, '' as destination, 'service:sender/1' as worker, 250 as code,
        '2.0.0 Ok: queued as ' || left(md5(seq::varchar), 11) as reply,
        count(*) filter (outcome = 'accepted') as accepted,
        count(*) filter (outcome = 'deferred') as deferred,
        count(*) filter (outcome = 'failed') as failed,
        count(*) filter (outcome = 'departed') as departed,
        count(*) filter (doubtful) as doubtful, 0 as late, 0 as cleared,
        (hash(seq) % 200)::integer as ms, true as finished, false as split,
        if(attempt > 0, 'deferred', '') as again, '' as parents
    from deliveries group by seq, list, mail, chunk, attempt order by seq
"""
_PEOPLE = f"""
    insert into addresses by name
    select n as seq, time_of(n) as ts, person_of(n) as person, md5(n::varchar) as key,
        case when n % 3 = 0 then 'gmail.com' else 'domain' || n % 5000 || '.example' end as domain,
        false as secondary, 'known' as state
    from range({PERSONS}) t(n);
    insert into membership_events by name
    select n as seq, time_of(n) as ts, list_of(n) as list, person_of(n) as person,
        'subscribed' as event, 'member' as role, 'regular' as delivery_mode,
        'enabled' as delivery_status, '' as moderation, 'import' as how, '' as reason,
        'operator' as actor, 'c' || n // 1000 as correlation, 0 as nth
    from range({PERSONS}) t(n);
"""
_POSTS = f"""
    insert into mails by name
    select p as seq, ts, mail, 'box' as source, 'INBOX' as folder, p as uid, 4000 as size,
        '<' || mail || '@example.net>' as message_id, 'Post ' || p as subject,
        'example.net' as from_domain, '' as refused
    from posts;
    insert into routing by name
    select 2 * p as seq, ts, list, mail, 'post' as kind, 'member' as rule, '' as reason,
        person_of(p % 1000) as author, 1 as settings_seq, 'service:router' as actor,
        'Post ' || p as subject, '<' || mail || '@example.net>' as message_id, 0 as held_seq
    from posts;
    insert into routed_posts by name
    select 2 * p as seq, ts, list, mail, person_of(p % 1000) as author, 'Post ' || p as subject,
        '<' || mail || '@example.net>' as message_id, true as personal, '' as parent,
        mail as thread, {PERSONS} as membership_seq, 1 as settings_seq, 0 as withheld
    from posts;
    insert into fanouts by name
    select 2 * p + 1 as seq, ts, list, mail, size as audience, 1 + size // 128 as chunks,
        {PERSONS} as membership_seq
    from posts;
    insert into chunks by name
    select p as seq, ts, list, mail, c::varchar as chunk, 'bulk' as lane,
        least(128, size - c * 128) as copies, 0 as attempt, false as notice, true as personal,
        {PERSONS} as membership_seq, 2 * p as post_seq, '' as person, '' as cause, true as whole
    from posts, range((size + 127) // 128) u(c);
"""
_OF_POSTS = f"""
    create temp table posts as
    select p, list_of(p // {POSTS}) as list, mail_of(p) as mail,
        time_of(p // {POSTS} * {ROUND}) as ts,
        if(p % {POSTS} = 0, {LARGE}, {SMALL}) as size
    from range($copies // {ROUND} * {POSTS}) t(p)
"""


def make(path: Path, copies: int) -> Iterator[str]:
    """Begin the file and fill it with `copies` and what goes with them, in whole rounds; says what
    it is at."""
    config = {**CONFIG, "threads": 2, "memory_limit": "2GB", "checkpoint_threshold": "1GB"}
    with duckfile.connect(path, config | {"preserve_insertion_order": True}) as connection:
        for own in layout.OWN:
            connection.execute(f"create table {own}")
        for projection in projections():
            for table in projection.tables:
                connection.execute(layout.create(table))
        views = layout.in_order(view for each in projections() for view in each.views)
        for view in views:
            connection.execute(f"create view {view.name} as {view.sql}")
        connection.execute(_MACROS)
        copies -= copies % ROUND
        yield from _fill(connection, copies)


def _fill(connection: duckdb.DuckDBPyConnection, copies: int) -> Iterator[str]:
    for start in range(0, copies, AT_A_TIME):
        yield f"{start:,} of {copies:,} copies"
        connection.execute(_DELIVERIES, {"start": start, "stop": min(copies, start + AT_A_TIME)})
    yield "windows"
    connection.execute(_WINDOWS)
    yield "posts and people"
    connection.execute(_OF_POSTS, {"copies": copies})
    for statement in (*_POSTS.split(";"), *_PEOPLE.split(";")):
        if statement.strip():
            connection.execute(statement)
    connection.execute("checkpoint")
