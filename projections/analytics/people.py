"""PEOPLE as rows: who is known since when, and at how many addresses.

What the stream says of an address for good is only the last that was said: earlier messages are
overwritten once it is nobody's. So are rows here, and the rows that are left are those which a
rebuild makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from projections.masking import masked
from projections.projection import (
    SEQ,
    TS,
    Carry,
    Column,
    Folded,
    Message,
    Projection,
    Query,
    Row,
    Table,
    View,
)
from schemas.people import AddressDropped, PersonErased, PersonKnown

ADDRESSES = Table(
    name="addresses",
    about="Addresses of people: a row each time something is said of one. Once an address is "
    "nobody's any more, or its person is erased, only a row without address and domain is left.",
    columns={
        "seq": SEQ,
        "ts": TS,
        "person": Column("varchar", "random id of the person whose address it is, or was"),
        "key": Column("varchar", "keyed digest of the address: tells nothing without the site key"),
        "domain": Column(
            "varchar",
            "domain of the address, lower case, whatever `[analytics] addresses` is; null once "
            "it is nobody's",
        ),
        "address": Column(
            "varchar",
            "the address as written; null unless `[analytics] addresses` is true, and once it is "
            "nobody's",
            personal=True,
        ),
        "secondary": Column("boolean", "they only write from it; copies go to another one"),
        "state": Column(
            "varchar", "known, dropped (the person has another, or none), erased (so is the person)"
        ),
        "evidence": Column(
            "varchar", "how we came to know: import, command line, mail, web; null once nobody's"
        ),
    },
    forgets="key",
)

ERASURES = Table(
    name="erasures",
    about="People who were erased at their own wish: a row for each address they had then.",
    columns={
        "seq": SEQ,
        "ts": TS,
        "person": Column("varchar", "random id of the person"),
        "key": Column("varchar", "keyed digest of the address that was erased"),
    },
)


_SEQUENCE = itemgetter(0)


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """What is said last of each address, and who was erased."""
    said: dict[str, list[Row]] = {}
    erased: list[Row] = []
    forget: list[str] = []
    for message in messages:
        key = message.subject.partition(".")[2]
        seq, ts = message.seq, message.us
        for event in message.body.events:
            match event:
                case PersonKnown():
                    domain = event.address.rpartition("@")[2].lower()
                    row = (seq, ts, event.person, key, domain, event.address, event.secondary)
                    said.setdefault(key, []).append((*row, "known", masked(event.evidence)))
                case PersonErased() | AddressDropped():
                    state = "erased" if isinstance(event, PersonErased) else "dropped"
                    nothing = (None, None, False, state, None)
                    said[key] = [(seq, ts, event.person, key, *nothing)]
                    forget.append(key)
                    if state == "erased":
                        erased.append((seq, ts, event.person, key))
    return Folded(
        rows={
            ADDRESSES.name: sorted((row for rows in said.values() for row in rows), key=_SEQUENCE),
            ERASURES.name: erased,
        },
        forget={ADDRESSES.name: forget} if forget else {},
    )


PEOPLE = View(
    name="people",
    about="Everybody Postroad knows, or knew: one row for each person.",
    columns={
        "person": "random id",
        "known_since": "since when an address of theirs is known; null where none is any more. Who "
        "changed their address is known since then",
        "domain": "domain of the address where copies go, whatever `[analytics] addresses` is; "
        "null where they have none",
        "address": "that address; null unless `[analytics] addresses` is true",
        "addresses": "how many addresses they have, those they only write from among them",
        "erased": "whether they were erased at their own wish",
        "erased_at": "when; null for everybody else",
    },
    sql="""
        with latest as (
            select person, key, arg_max(state, seq) = 'known' as known,
                arg_max(domain, seq) as domain, arg_max(address, seq) as address,
                arg_max(secondary, seq) as secondary, min(ts) as first_at, max(seq) as last_seq
            from addresses group by person, key
        ),
        counted as (
            select person, min(first_at) filter (known) as known_since,
                arg_max(domain, last_seq) filter (known and not secondary) as domain,
                arg_max(address, last_seq) filter (known and not secondary) as address,
                count(*) filter (known) as addresses
            from latest group by person
        ),
        gone as (select person, min(ts) as erased_at from erasures group by person)
        select person, known_since, domain, address, coalesce(addresses, 0) as addresses,
            erased_at is not null and coalesce(addresses, 0) = 0 as erased, erased_at
        from counted full join gone using (person)
    """,
)

PERSON = Query(
    name="person",
    about="What is known of a person.",
    parameters={"person": "varchar"},
    sql="select * from people where person = $person",
)

WHOSE = Query(
    name="whose_address",
    about="Whose an address is or was, by its key: the latest first.",
    parameters={"key": "varchar"},
    sql="""
        select person, state, seq, ts from addresses where key = $key
        union
        select person, 'erased', seq, ts from erasures where key = $key
        order by seq desc
    """,
)

PROJECTION = Projection(
    name="people",
    about="who is known, by domain, without their addresses unless you allow these",
    stream="PEOPLE",
    subjects="people.>",
    tables=(ADDRESSES, ERASURES),
    views=(PEOPLE,),
    queries=(PERSON, WHOSE),
    fold=fold,
)
