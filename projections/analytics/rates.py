"""How well and how soon mail is delivered: views over the ledger."""

from __future__ import annotations

from projections.projection import Projection, Query, View
from projections.quantiles import CAME, WITHIN

_COUNTS = {
    "tries": "copies whose turn came: those put off count once more with every turn, also where "
    "their domain had to wait and no relay was asked",
    "accepted": "of these, taken by the relay, at once or late",
    "deferred": "of these, put off to another turn",
    "failed": "of these, finally refused or given up",
    "departed": "recipients who had left the list before",
    "rate": "share of what was taken among what was decided (taken or failed), 0 to 1",
}
_BY_WINDOW = """
    sum(stop - start - departed)::bigint as tries, sum(accepted + late)::bigint as accepted,
    sum(deferred - late)::bigint as deferred, sum(failed)::bigint as failed,
    sum(departed)::bigint as departed,
    sum(accepted + late) / nullif(sum(accepted + late) + sum(failed), 0) as rate
"""
# each person's copies are counted first: a million persons are joined sooner than 50 million copies
_BY_DOMAIN = """
    select coalesce(a.domain, '') as domain, sum(tries)::bigint as tries,
        sum(accepted)::bigint as accepted, sum(deferred)::bigint as deferred,
        sum(failed)::bigint as failed, sum(departed)::bigint as departed,
        sum(accepted) / nullif(sum(accepted) + sum(failed), 0) as rate
    from (
        select person, count(*) filter (not late and outcome <> 'departed') as tries,
            count(*) filter (outcome = 'accepted') as accepted,
            count(*) filter (outcome = 'deferred') - count(*) filter (late) as deferred,
            count(*) filter (outcome = 'failed') as failed,
            count(*) filter (outcome = 'departed') as departed
        from deliveries {where} group by person
    ) d
    left join (
        select person, arg_max(domain, seq) filter (not coalesce(secondary, false)) as domain
        from addresses group by person
    ) a on a.person = d.person
    group by all
"""

PROJECTION = Projection(
    name="rates",
    about="delivery rates and times",
    views=(
        View(
            name="delivery_by_day",
            about="copies by list and day, those of letters and of mail for owners too",
            columns={"list": "slug of the list", "day": "day, UTC", **_COUNTS},
            sql=f"select list, ts::date as day, {_BY_WINDOW} from windows group by all",  # noqa: S608
        ),
        View(
            name="delivery_by_relay",
            about="copies by relay and day",
            columns={
                "relay": "name of the `[[relay]]`",
                "day": "day, UTC",
                **_COUNTS,
                "ms": "milliseconds that windows took, the median",
            },
            sql=f"""
                select relay, ts::date as day, {_BY_WINDOW},
                    median(ms) filter (stop > start) as ms
                from windows where not split group by all
            """,  # noqa: S608
        ),
        View(
            name="delivery_by_domain",
            about="copies by the domain of the recipient's address",
            columns={"domain": "domain; empty where it is known no more", **_COUNTS},
            sql=_BY_DOMAIN.format(where=""),
        ),
        View(
            name="time_to_deliver",
            about="seconds from a mail's coming in, or being let through where it was held or "
            "stopped, to its copies being taken, by list and day",
            columns={
                "list": "slug of the list",
                "day": "day the mail came in, or was let through, UTC",
                "copies": "copies taken",
                "p50": "seconds within which half of them were",
                "p95": "seconds within which 95 of 100 were",
                "p99": "seconds within which 99 of 100 were",
                "slowest": "seconds of the last",
            },
            sql=f"""
                select list, day, sum(copies)::bigint as copies,
                    {WITHIN},
                    max(seconds) as slowest
                from (
                    select *, sum(copies) over (partition by list, day order by seconds) as so_far,
                        sum(copies) over (partition by list, day) as total
                    from (
                        select w.list, p.came::date as day, w.accepted + w.late as copies,
                            (epoch_us(w.ts) - epoch_us(p.came)) / 1e6 as seconds
                        from windows w
                        join ({CAME.format(where="")}) p on p.list = w.list and p.mail = w.mail
                        where w.accepted + w.late > 0
                    )
                ) group by list, day
            """,  # noqa: S608  it is ours
        ),
        View(
            name="queue_age",
            about="what waits to be sent, the oldest first",
            columns={
                "list": "slug of the list",
                "mail": "id of the mail",
                "notice": "whether Postroad wrote it",
                "waiting": "recipients who have no copy yet; null where it is not queued yet",
                "deferred": "of these, who were tried, and are tried again",
                "since": "when it was decided on or queued",
                "age": "seconds since then",
            },
            sql="""
                select list, mail, notice, waiting, deferred, since,
                    (epoch_us(now()) - epoch_us(since)) / 1e6 as age
                from (
                    select list, mail, notice, waiting, deferred, since
                    from counts where waiting > 0
                    union all
                    select r.list, r.mail, false, null, 0, r.ts
                    from routing r
                    where r.kind in ('post', 'owner')
                        and not exists (
                            select 1 from fanouts f where f.list = r.list and f.mail = r.mail
                        )
                        and not exists (
                            select 1 from chunks c where c.list = r.list and c.mail = r.mail
                        )
                ) order by since
            """,
        ),
    ),
    queries=(
        Query(
            name="domains_since",
            about="copies by the domain of the recipient's address since a time, with the most "
            "that failed first",
            parameters={"since": "timestamp", "limit": "bigint"},
            sql=_BY_DOMAIN.format(where="where ts >= $since::timestamp")
            + "order by failed desc, deferred desc, domain limit $limit",
        ),
        Query(
            name="relays_since",
            about="copies by relay since a time, and the milliseconds that windows took",
            parameters={"since": "timestamp"},
            sql=f"""
                select relay, {_BY_WINDOW}, median(ms) filter (stop > start) as ms,
                    max(ts) as last_at
                from windows where not split and ts >= $since::timestamp
                group by relay order by relay
            """,  # noqa: S608  all of it is ours
        ),
    ),
)
