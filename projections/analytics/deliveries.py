"""What became of each copy: the ledger (DELIVERY) as tables. Pure.

The ledger runs one window ahead: an entry says what became of the window before, and names the
people of the next. What is open between two entries is carried from fold to fold, by subject.

A person's rows of one post are a chain: each try that is deferred is followed by another, or by
the answer that came late; who failed is in a later chunk only where somebody asked for it. The
name of a chunk tells what its people had before. So the counts of a post follow from its windows
alone, and the rows of `deliveries`, a hundred times as many, are read for persons only.

No index: rows lie in order of time, and so do the ids of mails: the least and greatest that DuckDB
keeps of each 122,880 rows lead to those of a post. Of 50 million rows (1.4 GB; one thread, 150 MB;
seconds of CPU): counts of a post 0.02, one person's tries of a post 0.01, the last word on 100,000
recipients 0.3, all that one person was sent 0.35 by `mark`, 1.7 by the id. A mark of the mail costs
more than it saves: its own id, in a dictionary, is compared in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from projections.chunknames import name
from projections.projection import (
    Carry,
    Column,
    Folded,
    Message,
    Projection,
    Query,
    Row,
    Table,
    View,
    of_mail,
)
from schemas.road import Failure, Outcome, WindowRecorded

MAIL = of_mail("id of the post, or of the letter that Postroad wrote")
CHUNK = Column("varchar", "name of the chunk")
_ATTEMPT = Column("integer", "which try it is, from 0")

MARK = "coalesce(try_cast('0x' || left({}, 8) as uinteger), 0)"

WINDOWS = Table(
    name="windows",
    about="one row for each window of a chunk: what became of the copies sent in one go; rows with "
    "nobody in them (`start` = `stop`) tell of answers that came late, or end a chunk",
    columns={
        **MAIL,
        "chunk": CHUNK,
        "attempt": _ATTEMPT,
        "start": Column("integer", "first recipient, by the index in the chunk"),
        "stop": Column("integer", "the one behind the last"),
        "relay": Column("varchar", "name of the `[[relay]]`"),
        "destination": Column("varchar", "`[[relay.destination]]` it came under; else empty"),
        "worker": Column("varchar", "the sender"),
        "code": Column("integer", "reply code of the first copy taken; 0 where none was"),
        "reply": Column("varchar", "what the relay said then, without addresses"),
        "accepted": Column("integer", "recipients whose copy was taken"),
        "deferred": Column("integer", "recipients who are tried again"),
        "failed": Column("integer", "recipients who finally get none"),
        "departed": Column("integer", "recipients who had left the list"),
        "doubtful": Column("integer", "recipients who may have had a copy before"),
        "late": Column("integer", "deferred before, and turned out to have their copy"),
        "cleared": Column("integer", "doubtful before, and had one copy at most"),
        "ms": Column("integer", "milliseconds that the relay took"),
        "finished": Column("boolean", "whether the chunk is done with"),
        "split": Column("boolean", "whether it was not sent itself: its parts were"),
        "again": Column(
            "varchar", "outcome that its people had had before: deferred, failed or none (empty)"
        ),
        "parents": Column("varchar", "of a part: the chunks it is of, the nearest first"),
    },
)
DELIVERIES = Table(
    name="deliveries",
    about="one row for each post, recipient and try; one more where an answer came late",
    columns={
        **MAIL,
        "person": Column("varchar", "id of the recipient; empty in letters to nobody known"),
        "chunk": CHUNK,
        "attempt": _ATTEMPT,
        "outcome": Column("varchar", "accepted, deferred, failed or departed"),
        "code": Column("integer", "reply code; 0 where the relay was not asked"),
        "enhanced": Column("varchar", "enhanced status code (RFC 3463); empty where there is none"),
        "reply": Column("varchar", "what the relay said, or why it was not asked; no address"),
        "scope": Column("varchar", "whom a refusal is about: recipient, message, relay, ..."),
        "relay": Column("varchar", "name of the `[[relay]]`"),
        "doubtful": Column("boolean", "whether they may have had a copy before"),
        "late": Column("boolean", "whether it is the answer to a try that was deferred for it"),
        "again": Column("boolean", "whether they may have had an outcome of this post before"),
        "mark": Column("uinteger", "the first 8 digits of `person`: found in a tenth of the time"),
    },
    given={
        "seq": "ubigint",
        "ts": "bigint",
        "list": "varchar",
        "mail": "varchar",
        "people": "varchar[]",
        "chunk": "varchar",
        "attempt": "integer",
        "outcome": "varchar",
        "code": "integer",
        "enhanced": "varchar",
        "reply": "varchar",
        "scope": "varchar",
        "relay": "varchar",
        "doubtful": "boolean",
        "late": "boolean",
        "again": "boolean",
    },
    select=f"""
        seq, make_timestamp(ts), list, mail, unnest(people), chunk, attempt, outcome, code,
        enhanced, reply, scope, relay, doubtful, late, again, {MARK.format("unnest(people)")}
    """,
)
CLEARED = Table(
    name="cleared",
    about="who was doubtful while an answer was awaited, and had one copy at most",
    columns={
        **MAIL,
        "chunk": CHUNK,
        "person": Column("varchar", "id of the recipient"),
    },
)

_Intents = dict[str, tuple[int, Sequence[str]]]  # by subject: where it starts, its people
_OUTCOMES = {"deferred": "deferred", "failed": "failed", "left": "departed"}


def fold(carry: Carry, messages: Sequence[Message]) -> Folded:
    """Messages of DELIVERY as rows. `carry` holds the windows that are open, by subject."""
    intents: _Intents = dict(carry)
    windows: list[Row] = []
    deliveries: list[Row] = []
    cleared: list[Row] = []
    for message in messages:
        for event in message.body.events:
            if not isinstance(event, WindowRecorded):
                continue
            intent = intents.pop(message.subject, None)
            if event.intent is not None:
                intents[message.subject] = event.intent.start, event.intent.people
            chunk = name(event.chunk)
            begin = message.seq, message.us, event.list, event.mail_id
            if event.outcome is not None:
                outcome = event.outcome
                start, people = (outcome.start, event.people) if intent is None else intent
                whom = list(people[outcome.start - start : outcome.end - start])
                where = event.chunk, chunk.attempt
                again = bool(chunk.before or chunk.parents)
                deliveries += [
                    (*begin, run, *where, *said, event.relay, doubtful, False, again)
                    for (*said, doubtful), run in _runs(outcome, whom).items()
                ]
            if event.late:
                said = event.chunk, chunk.attempt, "accepted", 0, "", "", ""
                deliveries.append((*begin, list(event.late), *said, event.relay, False, True, True))
            cleared += [(*begin, event.chunk, person) for person in event.cleared]
            if event.outcome is not None or event.finished or event.late or event.cleared:
                windows.append((*begin, *_window(event)))
    rows = {"windows": windows, "deliveries": deliveries, "cleared": cleared}
    return Folded(
        rows=rows, carry={s: [start, list(people)] for s, (start, people) in intents.items()}
    )


_Said = tuple[str, int, str, str, str, bool]


def _runs(outcome: Outcome, people: Sequence[str]) -> Mapping[_Said, Sequence[str]]:
    """Who of a window had the same outcome: what is said of them, and the people."""
    size = outcome.end - outcome.start
    if len(people) < size:  # of an older release
        people = [*people, *[""] * (size - len(people))]
    taken = "accepted", outcome.code, "", outcome.text, ""
    if not (outcome.failures or outcome.possible_duplicate):
        return {(*taken, False): people} if size else {}
    failures = {failure.index: _failure(failure) for failure in outcome.failures}
    doubtful = outcome.doubtful
    if outcome.possible_duplicate and not doubtful:
        doubtful = tuple(range(outcome.start, outcome.end))
    runs: dict[_Said, list[str]] = {}
    for index, person in enumerate(people, outcome.start):
        said = (*failures.get(index, taken), index in doubtful)
        runs.setdefault(said, []).append(person)
    return runs


def _failure(failure: Failure) -> tuple[str, int, str, str, str]:
    outcome = _OUTCOMES[failure.kind]
    return outcome, failure.code, failure.enhanced, failure.text, failure.scope


def _window(event: WindowRecorded) -> Row:
    outcome = event.outcome or Outcome(start=0, end=0, code=0)
    chunk = name(event.chunk)
    kinds = [failure.kind for failure in outcome.failures]
    whole = outcome.end - outcome.start if outcome.possible_duplicate else 0
    return (
        event.chunk,
        chunk.attempt,
        outcome.start,
        outcome.end,
        event.relay,
        event.destination,
        event.worker,
        outcome.code,
        outcome.text,
        outcome.end - outcome.start - len(kinds),
        kinds.count("deferred"),
        kinds.count("failed"),
        kinds.count("left"),
        len(outcome.doubtful) or whole,
        len(event.late),
        len(event.cleared),
        outcome.ms,
        event.finished,
        event.split,
        chunk.before,
        " ".join(chunk.parents),
    )


PROJECTION = Projection(
    name="deliveries",
    about="the ledger: what became of each copy",
    version=2,
    stream="DELIVERY",
    subjects="delivery.>",
    tables=(WINDOWS, DELIVERIES, CLEARED),
    views=(
        View(
            name="recipients",
            about="the last word on each recipient of a post",
            columns={
                "list": "slug of the list",
                "mail": "id of the post",
                "person": "id of the recipient",
                "outcome": "accepted, deferred (is tried again), failed or departed",
                "code": "reply code; 0 where the relay was not asked",
                "enhanced": "enhanced status code; empty where there is none",
                "reply": "what the relay said, or why it was not asked",
                "scope": "whom a refusal is about",
                "relay": "name of the `[[relay]]`",
                "attempts": "which try that was, from 1; anew for each `postroad retry`",
                "doubtful": "whether they may have two copies",
                "ts": "when the last word was stored",
                "seq": "its sequence in DELIVERY",
                "chunk": "the chunk that it is of",
                "queued_again": "whether they had failed, and are queued once more",
            },
            sql="""
                select d.list, d.mail, d.person,
                    case when r.person is null then d.outcome else 'deferred' end as outcome,
                    d.code, d.enhanced, d.reply, d.scope, d.relay, d.attempt + 1 as attempts,
                    coalesce(u.times, 0) > 0 as doubtful, d.ts, d.seq, d.chunk,
                    r.person is not null as queued_again
                from deliveries d
                left join (
                    select list, mail, person, max(2 * seq + late::integer) as last
                    from deliveries where again group by all
                ) a on a.list = d.list and a.mail = d.mail and a.person = d.person
                left join (
                    select list, mail, person, sum(times) as times from (
                        select list, mail, person, 1 as times from deliveries where doubtful
                        union all select list, mail, person, -1 from cleared
                    ) group by all
                ) u on u.list = d.list and u.mail = d.mail and u.person = d.person
                left join (
                    select list, mail, person, max(round) as round from requeued group by all
                ) r on r.list = d.list and r.mail = d.mail and r.person = d.person
                    and d.outcome = 'failed' and r.round > coalesce(
                        try_cast(regexp_extract(d.chunk, '^f(\\d+)-', 1) as integer), 0
                    )
                where a.last is null or a.last = 2 * d.seq + d.late::integer
            """,
        ),
        View(
            name="tallies",
            about="what the ledger counts of each post or letter, by its windows",
            columns={
                "list": "slug of the list",
                "mail": "id of the post or letter",
                "accepted": "recipients whose copy was taken",
                "failed": "recipients who finally get none",
                "deferred": "recipients who are tried again",
                "departed": "recipients who had left the list",
                "doubtful": "recipients who may have two copies",
                "windows": "windows with somebody in them",
                "first_accepted_at": "when the first copy was recorded",
                "last_accepted_at": "when the last copy was recorded",
                "last_at": "when anything was recorded last",
            },
            sql="""
                select list, mail, accepted,
                    failed - greatest(requeued, retried) as failed,
                    deferred + greatest(requeued, retried) - retried as deferred,
                    departed, doubtful, windows, first_accepted_at, last_accepted_at, last_at
                from (
                    select w.list, w.mail,
                        sum(w.accepted + w.late)::bigint as accepted,
                        sum(w.failed)::bigint as failed,
                        (sum(w.deferred - w.late)
                            - coalesce(sum(w.stop - w.start) filter (w.before = 'deferred'), 0)
                        )::bigint as deferred,
                        sum(w.departed)::bigint as departed,
                        sum(w.doubtful - w.cleared)::bigint as doubtful,
                        count(*) filter (w.stop > w.start) as windows,
                        min(w.ts) filter (w.accepted + w.late > 0) as first_accepted_at,
                        max(w.ts) filter (w.accepted + w.late > 0) as last_accepted_at,
                        max(w.ts) as last_at,
                        coalesce(sum(w.stop - w.start) filter (w.before = 'failed'), 0)::bigint
                            as retried,
                        coalesce(any_value(r.times), 0) as requeued
                    from (
                        select w.*, case
                            when w.parents = '' or list_has_all(s.chunks, split(w.parents, ' '))
                            then w.again else 'deferred' end as before
                        from windows w
                        left join (
                            select list, mail, list(chunk) as chunks
                            from windows where split group by all
                        ) s on s.list = w.list and s.mail = w.mail and w.parents <> ''
                    ) w
                    left join (
                        select list, mail, count(distinct (chunk, person)) as times
                        from requeued group by all
                    ) r on r.list = w.list and r.mail = w.mail
                    group by w.list, w.mail
                )
            """,
        ),
    ),
    queries=(
        Query(
            name="post_recipients",
            about="the last word on every recipient of one post at one list",
            parameters={"list": "varchar", "mail": "varchar"},
            sql="""
                select * from recipients where list = $list and mail = $mail order by person
            """,
        ),
        Query(
            name="person_with_post",
            about="all that was tried for one person with one post, in order",
            parameters={"mail": "varchar", "person": "varchar"},
            sql=f"""
                select * from deliveries where mail = $mail and person = $person
                and mark = {MARK.format("$person")} order by seq, late
            """,  # noqa: S608  all of it is ours
        ),
        Query(
            name="person_deliveries",
            about="all that was ever sent to one person, the newest first",
            parameters={"person": "varchar", "limit": "bigint"},
            sql=f"""
                select * from deliveries where person = $person
                and mark = {MARK.format("$person")} order by seq desc, late desc limit $limit
            """,  # noqa: S608  all of it is ours
        ),
    ),
    fold=fold,
    carries=True,
)
