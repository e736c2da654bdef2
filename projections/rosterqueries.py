"""What is asked of the tables of `projections.roster`, in SQL, and what its rows mean.

Each query ends in the columns of a standing, or has them between what stands before and after the
stars; `to_seq is null` is now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from projections.roster import Standing

# $lists, $people -> list, person, standing: the open rows `fold_membership` needs
OPEN_ROWS = """
    select m.* exclude (to_seq, mark) from member m
    join (select unnest($lists::varchar[]) as list, unnest($people::varchar[]) as person) as wanted
    on m.mark = mark(wanted.person) and m.person = wanted.person and m.list = wanted.list
    where m.to_seq is null
"""

# $list, $people -> person, standing, to_seq: every state that they were in, in order
PERIODS = """
    select m.* exclude (list, mark) from member m
    join (select unnest($people::varchar[]) as person) as wanted
    on m.mark = mark(wanted.person) and m.person = wanted.person
    where m.list = $list order by m.person, m.from_seq
"""

# $key -> person
PERSON = """
    select person from people where key_mark = mark($key) and key = $key and address is not null
"""

# $person -> address: where somebody is reached
ADDRESS = """
    select address from people
    where mark = mark($person) and person = $person and address is not null
    order by secondary, seq desc limit 1
"""

# $people -> person, address: the same for many; of several addresses it comes last
ADDRESSES = """
    select p.person, p.address from people p
    join (select unnest($people::varchar[]) as person) as wanted
    on p.mark = mark(wanted.person) and p.person = wanted.person
    where p.address is not null order by p.secondary desc, p.seq
"""

# $people -> person, key, address: all that is known, or was (null), of whose address is whose
WHOSE = """
    select p.person, p.key, p.address from people p
    join (select unnest($people::varchar[]) as person) as wanted on p.person = wanted.person
"""

# $person -> list: where somebody is a member, in order
LISTS = """
    select list from member
    where mark = mark($person) and person = $person and to_seq is null and member order by list
"""

# $person -> list: where somebody has a role but that of a nonmember, in order
ROLES = """
    select list from member
    where mark = mark($person) and person = $person and to_seq is null
    and (member or owner or moderator) order by list
"""

# $person -> list: where somebody ever was anything, in order
EVER = """
    select distinct list from member
    where mark = mark($person) and person = $person order by list
"""

# $list, $person -> preferred_language, as it is, or was when they last were on the list
LANGUAGE = """
    select preferred_language from member
    where mark = mark($person) and person = $person and list = $list
    order by from_seq desc limit 1
"""

# $list, $limit -> person, standing, known, address, domain: everybody who has a role
EVERYBODY = """
    select m.* exclude (list, to_seq, mark), p.seq is not null, p.address, p.domain
    from (select * from member where list = $list and to_seq is null limit $limit) m
    left join people p on p.person = m.person and not p.secondary
    order by m.person, p.address is null, p.seq desc
"""

# $list -> person, known, address, domain: owners and moderators, in order of person
STAFF = """
    select m.person, p.seq is not null, p.address, p.domain
    from member m left join people p on p.person = m.person and not p.secondary
    where m.list = $list and m.to_seq is null and (m.owner or m.moderator)
    order by m.person, p.address is null, p.seq desc
"""

# $list, $as_of, $after, $upto -> person, known, address, domain, in order of person: who receives
# posts now and received them at $as_of, above $after and, unless it is empty, up to $upto.
# Of several rows for a person the first counts: an address that they have left has one, too.
AUDIENCE = """
    select m.person, p.seq is not null, p.address, p.domain
    from member m left join people p on p.person = m.person and not p.secondary
    where m.list = $list and m.to_seq is null
    and m.person > $after and ($upto = '' or m.person <= $upto)
    and receives(m.member, m.delivery_mode, m.delivery_status)
    and (m.from_seq <= $as_of or exists (
        select 1 from member old where old.list = $list and old.person = m.person
        and old.from_seq <= $as_of and old.to_seq > $as_of
        and receives(old.member, old.delivery_mode, old.delivery_status)))
    order by m.person, p.address is null, p.seq desc
"""

# $list, $domain -> count: the members who have an address there
AT_DOMAIN = """
    select count(distinct m.person) from member m join people p on p.person = m.person
    where m.list = $list and m.to_seq is null and m.member
    and p.domain = $domain and p.address is not null and not p.secondary
"""

# -> list, person, in order: whose delivery bounces have stopped
BOUNCED = """
    select list, person from member
    where to_seq is null and member and delivery_status = 'by_bounces' order by list, person
"""

# $list, $keys -> person: members among these addresses who want no copy of what names them
NO_LIST_COPY = """
    select distinct m.person from people p join member m on m.person = p.person
    where p.key in (select unnest($keys::varchar[])) and p.address is not null
    and m.list = $list and m.to_seq is null and m.member and not m.receive_list_copy
"""

# $list, $role, $after, $limit -> address, name, other addresses (null: none), standing, in order of
# address
PAGE = """
    select p.address, p.name, s.also, m.* exclude (list, person, to_seq, mark)
    from member m join people p on p.person = m.person and not p.secondary
    left join (
        select person, list(address order by address) as also from people
        where secondary and address is not null group by person
    ) s on s.person = m.person
    where m.list = $list and m.to_seq is null and p.address > $after
    and case $role when 'owner' then m.owner when 'moderator' then m.moderator
    when 'nonmember' then m.nonmember else m.member end
    order by p.address limit $limit
"""

# $list, $role, $as_of, $after, $limit -> person, known, address, name, standing: who had this role
# at $as_of, in order of person; of several rows for a person the first counts.
PAST = """
    select m.person, p.seq is not null, p.address, p.name, m.* exclude (list, person, to_seq, mark)
    from (
        select * from member where list = $list and person > $after
        and from_seq <= $as_of and (to_seq is null or to_seq > $as_of)
        and case $role when 'owner' then owner when 'moderator' then moderator
        when 'nonmember' then nonmember else member end
        order by person limit $limit
    ) m left join people p on p.person = m.person and not p.secondary
    order by m.person, p.address is null, p.seq desc
"""

# $list, $role, $as_of -> how many they were
PAST_COUNT = """
    select count(*) from member where list = $list
    and from_seq <= $as_of and (to_seq is null or to_seq > $as_of)
    and case $role when 'owner' then owner when 'moderator' then moderator
    when 'nonmember' then nonmember else member end
"""

# $lists -> list, members, owners, moderators
COUNTS = """
    select list, count(*) filter (member), count(*) filter (owner), count(*) filter (moderator)
    from member where to_seq is null and list in (select unnest($lists::varchar[])) group by list
"""


# $people -> list, person, standing, to_seq: every state that they were in anywhere, in order
LIVES = """
    select m.* exclude (mark) from member m
    join (select unnest($people::varchar[]) as person) as wanted
    on m.mark = mark(wanted.person) and m.person = wanted.person
    order by m.list, m.person, m.from_seq
"""

# $keys -> key, person: whose addresses these are
PERSONS = """
    select p.key, p.person from people p
    join (select unnest($keys::varchar[]) as key) as wanted
    on p.key_mark = mark(wanted.key) and p.key = wanted.key
    where p.address is not null
"""

# $list, $after, $upto, $limit -> seq, step: by how much the number of those who receive posts
# changed at which sequence, in order; the first row is $after, with how many they were then
RECEIVING = """
    select seq, sum(step)::bigint from (
        select $after::ubigint as seq, 0 as step
        union all
        select greatest(from_seq, $after), 1 from member
        where list = $list and receives(member, delivery_mode, delivery_status)
        and from_seq <= $upto and (to_seq is null or to_seq > $after)
        union all
        select to_seq, -1 from member
        where list = $list and receives(member, delivery_mode, delivery_status)
        and to_seq > $after and to_seq <= $upto
    ) group by seq having sum(step) <> 0 or seq = $after order by seq limit $limit
"""


FIRST = 5_000  # people in the first slice of an audience, which should be there soon
SLICE = 125_000  # in those that follow; sorting a million at once takes 130 MB, a slice 20 MB


def slices(members: int) -> list[str]:
    """Where to cut an audience of about so many, as `$upto`; the end is empty. Persons' ids are
    random, in hexadecimal digits; were they not, the slices would only differ in size."""
    cuts = [FIRST, *range(SLICE, members, SLICE)]
    return [f"{(cut << 32) // members:08x}" for cut in cuts if cut < members] + [""]


def standing_of(row: Sequence[Any]) -> Standing:
    """The standing in these columns."""
    member, owner, moderator, nonmember, mode, status, moderation, *options, since, from_seq = row
    own, copy, language = options
    held = {"member": member, "owner": owner, "moderator": moderator, "nonmember": nonmember}
    return Standing(
        roles=frozenset(role for role, has in held.items() if has),  # type: ignore[misc]
        delivery_mode=mode,
        delivery_status=status,
        moderation=moderation,
        receive_own_postings=own,
        receive_list_copy=copy,
        preferred_language=language,
        since=since,
        from_seq=from_seq,
    )
