"""How people stood on lists, at any moment: what `projections.roster.after` says, in SQL.

Each window function is partitioned by list and person, so that a question about one of these reads
only their rows.
"""

from __future__ import annotations

from projections.projection import Projection, Query, View

ROLES = ("member", "owner", "moderator", "nonmember")
_HAD = ", ".join(  # which roles they have now, and had just before
    f"last_value(case role when '{role}' then event = 'subscribed' end ignore nulls) "
    f"over {rows} as {when}_{role}"
    for when, rows in (("now", "upto"), ("was", "before"))
    for role in ROLES
)

STANDINGS = View(
    name="standings",
    about="How each person stood on each list, from one message to the next: a row for each state, "
    "with all roles they had. Who had none has no row for that time.",
    columns={
        "list": "slug of the list",
        "person": "random id of the person",
        "member": "whether they were a member",
        "owner": "whether they were an owner",
        "moderator": "whether they were a moderator",
        "nonmember": "whether they were a stranger on whose posts somebody decided",
        "delivery_mode": "regular, or none: no posts",
        "delivery_status": "enabled, or who stopped delivery: by_user, by_bounces, by_moderator",
        "moderation": "what becomes of their posts; empty: as the list has it",
        "receive_own_postings": "whether they get their own posts",
        "receive_list_copy": "whether they get copies of posts that name them, too",
        "preferred_language": "of letters to them; empty: the list's",
        "receives": "whether posts went to them one by one",
        "since": "when they came onto the list, here or where it was before",
        "valid_from": "when this began",
        "valid_to": "when it ended; null: it is so now",
        "from_seq": "sequence of MEMBERSHIP that began it",
        "to_seq": "sequence of MEMBERSHIP that ended it; null: it is so now",
    },
    sql=f"""
        with lived as (
            select *,
                {_HAD}
            from membership_events
            where event in ('subscribed', 'unsubscribed', 'changed')
            window upto as (partition by list, person order by seq, nth),
                before as (partition by list, person order by seq, nth
                    rows between unbounded preceding and 1 preceding)
        ),
        held as (
            select * exclude (now_member, now_owner, now_moderator, now_nonmember),
                coalesce(now_member, false) as member, coalesce(now_owner, false) as owner,
                coalesce(now_moderator, false) as moderator,
                coalesce(now_nonmember, false) as nonmember,
                member or owner or moderator as belongs, belongs or nonmember as has,
                coalesce(was_member, false) or coalesce(was_owner, false)
                    or coalesce(was_moderator, false) as belonged,
                belonged or coalesce(was_nonmember, false) as had,
                -- what leaving makes usual again: all options, or those of a member
                event = 'unsubscribed' and not has as ended,
                event = 'unsubscribed' and (not has or role = 'member') as gone,
                event = 'subscribed' and role = 'member' as joined,
                event = 'changed' and had as changed
            from lived
        ),
        stood as (
            select list, person, member, owner, moderator, nonmember, has,
                last_value(case when joined or changed then delivery_mode
                    when gone then 'regular' end ignore nulls) over upto as mode,
                last_value(case when joined or changed then delivery_status
                    when gone then 'enabled' end ignore nulls) over upto as status,
                last_value(case when changed then held.moderation
                    when ended then '' end ignore nulls) over upto as moderation,
                last_value(case when changed then receive_own_postings
                    when gone then true end ignore nulls) over upto as own,
                last_value(case when changed then receive_list_copy
                    when gone then true end ignore nulls) over upto as copy,
                last_value(case when changed then preferred_language
                    when gone then '' end ignore nulls) over upto as language,
                last_value(case when has and not belonged and (belongs or not had)
                    then least(coalesce(since, ts), ts) end ignore nulls) over upto as since,
                ts as valid_from, lead(ts) over upto as valid_to,
                seq as from_seq, lead(seq) over upto as to_seq
            from held window upto as (partition by list, person order by seq, nth)
        )
        select list, person, member, owner, moderator, nonmember,
            coalesce(mode, 'regular') as delivery_mode,
            coalesce(status, 'enabled') as delivery_status,
            coalesce(moderation, '') as moderation,
            coalesce(own, true) as receive_own_postings,
            coalesce(copy, true) as receive_list_copy,
            coalesce(language, '') as preferred_language,
            member and coalesce(mode, 'regular') = 'regular'
                and coalesce(status, 'enabled') = 'enabled' as receives,
            since, valid_from, valid_to, from_seq, to_seq
        from stood
        where has and to_seq is distinct from from_seq  -- of a message the last event counts
    """,  # noqa: S608  it is all of this file
)

MEMBERSHIPS = View(
    name="memberships",
    about="Who had which role on which list, and when: a row for each role and state. Another role "
    "or option begins another row.",
    columns={
        "list": "slug of the list",
        "person": "random id of the person",
        "role": "member, owner, moderator, or nonmember: a stranger with a moderation",
        "valid_from": "when this began",
        "valid_to": "when it ended; null: it is so now",
        "from_seq": "sequence of MEMBERSHIP that began it",
        "to_seq": "sequence of MEMBERSHIP that ended it; null: it is so now",
        "delivery_mode": "regular, or none: no posts",
        "delivery_status": "enabled, or who stopped delivery: by_user, by_bounces, by_moderator",
        "moderation": "what becomes of their posts; empty: as the list has it",
        "receives": "whether posts went to them one by one",
        "since": "when they came onto the list, here or where it was before",
    },
    sql="""
        select s.list, s.person, r.role, s.valid_from, s.valid_to, s.from_seq, s.to_seq,
            s.delivery_mode, s.delivery_status, s.moderation, s.receives, s.since
        from standings s
        join (values ('member'), ('owner'), ('moderator'), ('nonmember')) as r(role)
        on case r.role when 'member' then s.member when 'owner' then s.owner
            when 'moderator' then s.moderator else s.nonmember end
    """,
)

MEMBERS = View(
    name="members",
    about="Who is a member of which list today: a row for each. Quicker than `memberships` for "
    "whole lists.",
    columns={
        "list": "slug of the list",
        "person": "random id of the person",
        "since": "when they became a member, here or where the list was before",
        "delivery_mode": "regular, or none: no posts",
        "delivery_status": "enabled, or who stopped delivery: by_user, by_bounces, by_moderator",
        "receives": "whether posts go to them one by one",
    },
    sql="""
        with latest as (
            -- whoever becomes a member brings both options, so the last of each is today's
            select list, person,
                arg_max(event, seq * 65536 + nth) filter (role = 'member') as event,
                arg_max(least(coalesce(since, ts), ts), seq * 65536 + nth)
                    filter (role = 'member' and event = 'subscribed') as since,
                arg_max(delivery_mode, seq * 65536 + nth) as delivery_mode,
                arg_max(delivery_status, seq * 65536 + nth) as delivery_status
            from membership_events
            where event in ('subscribed', 'unsubscribed', 'changed')
            group by list, person
        )
        select list, person, since, delivery_mode, delivery_status,
            delivery_mode = 'regular' and delivery_status = 'enabled' as receives
        from latest where event = 'subscribed'
    """,
)

# a moment: up to a sequence of MEMBERSHIP, or before a time; both null: now
_MOMENT = {"seq": "ubigint", "time": "timestamp"}
STANDING = Query(
    name="standing",
    about="How a person stood on a list after a sequence of MEMBERSHIP (`seq`) or at a time; now "
    "where both are null. No row: they had no role.",
    parameters={"list": "varchar", "person": "varchar", **_MOMENT},
    sql="""
        select * from standings where list = $list and person = $person
        and ($seq::ubigint is null or (from_seq <= $seq::ubigint
            and (to_seq is null or to_seq > $seq::ubigint)))
        and ($time::timestamp is null or (valid_from <= $time::timestamp
            and (valid_to is null or valid_to > $time::timestamp)))
        and ($seq::ubigint is not null or $time::timestamp is not null or to_seq is null)
    """,
)

LISTS_OF = Query(
    name="lists_of_person",
    about="The lists a person is or was on, and how they stood last.",
    parameters={"person": "varchar"},
    sql="""
        select list, min(valid_from) as first_at, min(since) as since,
            arg_max(member, from_seq) as member, arg_max(owner, from_seq) as owner,
            arg_max(moderator, from_seq) as moderator, arg_max(nonmember, from_seq) as nonmember,
            arg_max(delivery_mode, from_seq) as delivery_mode,
            arg_max(delivery_status, from_seq) as delivery_status,
            max(to_seq is null) as today,
            case when max(to_seq is null) then null else max(valid_to) end as left_at
        from standings where person = $person group by list order by list
    """,
)

ON_LIST = Query(
    name="members_at",
    about="Who had a role on a list after a sequence of MEMBERSHIP (`seq`) or at a time; now where "
    "both are null. In order of person; `since` is when they got it, and `receives` tells of "
    "members whether posts went to them one by one.",
    parameters={"list": "varchar", "role": "varchar", **_MOMENT},
    sql="""
        with latest as (
            select person,
                arg_max(event, seq * 65536 + nth) filter (role = $role) as event,
                arg_max(ts, seq * 65536 + nth)
                    filter (role = $role and event = 'subscribed') as since,
                arg_max(delivery_mode, seq * 65536 + nth) as mode,
                arg_max(delivery_status, seq * 65536 + nth) as status
            from membership_events
            where list = $list and event in ('subscribed', 'unsubscribed', 'changed')
            and ($seq::ubigint is null or seq <= $seq::ubigint)
            and ($time::timestamp is null or ts <= $time::timestamp)
            group by person
        )
        select person, since,
            case when $role = 'member' then mode = 'regular' and status = 'enabled' end as receives
        from latest where event = 'subscribed' order by person
    """,
)

PROJECTION = Projection(
    name="memberships",
    about="who is on which list, and was",
    views=(STANDINGS, MEMBERSHIPS, MEMBERS),
    queries=(STANDING, LISTS_OF, ON_LIST),
)
