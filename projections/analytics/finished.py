"""What is known to be finished, for the janitor: only questions, about the tables of others. Pure.

An id is that of a mail; where it reached several addresses of one list, its decisions have ids
`<mail>-2` and so on. The janitor looks at the streams themselves before it believes any of this.
"""

from __future__ import annotations

from projections.projection import Projection, Query

_SENDINGS = """
    queued as (
        select list, mail, chunk, bool_or(notice) as notice
        from chunks where mail in (select mail from ids) group by all
    ),
    ended as (
        select distinct list, mail, chunk from windows
        where finished and mail in (select mail from ids)
    ),
    fanned as (select distinct list, mail from fanouts where mail in (select mail from ids)),
    sendings as (
        select q.list, q.mail,
            case
                when not bool_or(q.notice) and count(f.mail) = 0 then 'underway'
                when count(*) > count(e.chunk) then 'sending'
                else 'done'
            end as state
        from queued q
        left join ended e using (list, mail, chunk)
        left join fanned f using (list, mail)
        group by q.list, q.mail
    )
"""

PROJECTION = Projection(
    name="finished",
    about="what is finished, for the janitor to ask",
    queries=(
        Query(
            name="finished_sendings",
            about="how the copies of these mails and letters stand: done, underway or sending",
            parameters={"mails": "varchar[]"},
            sql=f"""
                with ids as (select unnest($mails) as mail), {_SENDINGS}
                select list, mail, state from sendings
            """,  # noqa: S608  it is all of this file
        ),
        Query(
            name="finished_mails",
            about="how these mails and letters stand: done, held, undecided, underway or sending",
            parameters={"mails": "varchar[]"},
            sql=f"""
                with asked as (select unnest($mails) as mail),
                decided as (
                    select list, mail as id, split_part(mail, '-', 1) as mail,
                        arg_max(kind, seq) as kind
                    from routing where split_part(mail, '-', 1) in (select mail from asked)
                    group by all
                ),
                ids as (select mail from asked union select id from decided),
                {_SENDINGS},
                answered as (
                    select distinct list, mail from commands where mail in (select mail from ids)
                ),
                standing as (
                    select d.mail,
                        case
                            when d.kind in ('held', 'accepted') then 'held'
                            when d.kind in ('post', 'owner') and f.mail is null then 'underway'
                            when d.kind = 'command' and a.mail is null then 'underway'
                            else 'done'
                        end as state
                    from decided d
                    left join fanned f on f.list = d.list and f.mail = d.id
                    left join answered a on a.list = d.list and a.mail = d.id
                    union all
                    select split_part(mail, '-', 1), state from sendings
                    union all  -- of a letter whose chunk was deleted before the tables were made
                    select mail, 'done' from ended
                    union all
                    select mail, if(refused <> '', 'done', 'undecided') from mails
                    where mail in (select mail from asked)
                        and mail not in (select mail from decided)
                )
                select mail, coalesce(min(state) filter (state <> 'done'), 'done') as state
                from standing group by mail
            """,  # noqa: S608  it is all of this file
        ),
    ),
)
