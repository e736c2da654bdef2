"""Within what time most copies were taken, in SQL. Pure."""

from __future__ import annotations

# of rows with `seconds`, `so_far` (copies taken within these) and `total` (all of them)
WITHIN = ", ".join(
    f"min(seconds) filter (so_far >= 0.{percent} * total) as p{percent}" for percent in (50, 95, 99)
)

# since when each post could be sent: what a moderator takes is no time of delivery; so
# `postroad.cli.timeline` tells it of a single mail
CAME = """
    select p.list, p.mail, any_value(p.author) as author,
        case when count(v.mail) > 0 then min(p.ts) else coalesce(min(m.ts), min(p.ts)) end as came
    from routed_posts p
    left join mails m on m.mail = split_part(p.mail, '-', 1)
    left join (select distinct list, mail from routing where kind = 'accepted') v
        on v.list = p.list and v.mail = p.mail
    {where} group by p.list, p.mail
"""
