"""Specification: what the road decided, queued and delivered, as rows and as answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.analytics import deliveries, mails, people, routing, sending
from projections.projection import Message
from schemas.envelope import Event
from schemas.mail import HeaderFacts, Mailbox, RawRef
from schemas.people import PersonKnown
from schemas.road import (
    BounceRouted,
    ChunkQueued,
    CommandDone,
    CommandRouted,
    Copy,
    Failure,
    FanoutDone,
    HeldAccepted,
    MailReceived,
    MailRefused,
    MailStopped,
    MailUnrouted,
    Origin,
    Outcome,
    OwnerMailRouted,
    PostRouted,
    RuleHit,
    WindowRecorded,
)
from tests.unit.projections.analysis import Analysis, message, together

RAW = RawRef(mail_id="m1", chunks=1, size=1200, sha256="", head=10)
FACTS = HeaderFacts(
    message_id="<1@posts>", subject="Hello", from_=(Mailbox(address="ann@example.net"),)
)
HIT = RuleHit(rule="max_size", reason="it is large")
COPY = Copy(raw=RAW, list="team", list_address="team@example.org", bounces=("", ""), post=7)


def messages(subject: str, *events: Event) -> list[Message]:
    """One event a message, an hour apart."""
    return [message(subject, seq, event) for seq, event in enumerate(events, 1)]


def chunk(name: str = "0", *people: str, **more: Any) -> ChunkQueued:
    """A chunk of the post m1 to these people."""
    addresses = tuple(f"{person}@example.net" for person in people)
    about = {"mail_id": "m1", "list": "team", "copy": COPY, **more}
    return ChunkQueued(chunk=name, people=people, addresses=addresses, **about)


def window(people: Sequence[str], *failures: Failure, **more: Any) -> WindowRecorded:
    """The only window of a chunk of the post m1."""
    outcome = Outcome(start=0, end=len(people), text="2.0.0 Ok", failures=failures, ms=20)
    about = {"mail_id": "m1", "list": "team", "chunk": "0", "relay": "out", **more}
    return WindowRecorded(outcome=outcome, people=tuple(people), finished=True, **about)


RECEIVED = messages(
    "mail.received.box.m1",
    MailReceived(mail_id="m1", origin=Origin(source="box", uid=7), raw=RAW, facts=FACTS),
    MailRefused(mail_id="m2", origin=Origin(source="box"), size=9, reason="too_large"),
)
ROUTED = messages(
    "mail.routed.post.team.m1",
    MailStopped(mail_id="m1", list="team", verdict="held", hits=(HIT,), raw=RAW),
    HeldAccepted(mail_id="m1", list="team", held=1, raw=RAW),
    PostRouted(
        mail_id="m1",
        list="team",
        raw=RAW,
        author="ann",
        subject="Hello",
        without={"ann": "receive_own_postings"},
    ),
    FanoutDone(mail_id="m1", list="team", audience=3, chunks=1),
    BounceRouted(mail_id="b1", list="team", raw=RAW, about="m1", number=2),
    BounceRouted(mail_id="b2", list="team", raw=RAW),
    CommandRouted(mail_id="c1", list="team", command="join", raw=RAW),
    CommandDone(mail_id="c1", list="team", command="join", outcome="joined", person="dan"),
    MailUnrouted(mail_id="u1", raw=RAW, reason="it is for no list"),
    OwnerMailRouted(mail_id="o1", list="team", raw=RAW),
    MailStopped(mail_id="s1", list="team", verdict="discarded", hits=(HIT, HIT), raw=RAW),
)
LETTER = msgspec.structs.replace(COPY, notice=True)
QUEUED = messages(
    "mail.send.now.team.m1.0",
    chunk("0", "bea", "cleo", "dan"),
    chunk("0", "", mail_id="n1", copy=LETTER),
    chunk("0", "", mail_id="n1", copy=LETTER),  # it waited, and was queued again
    chunk("f1-0", "cleo"),
)
REFUSED = Failure(index=1, code=550, enhanced="5.1.1", text="nobody", kind="failed")
LATER = Failure(index=2, code=450, enhanced="4.2.2", text="full", kind="deferred")
HOURS = 3_600_000_000
LEDGER = [  # an hour after a moderator let it through
    msgspec.structs.replace(each, us=each.us + 3 * HOURS)
    for each in messages(
        "delivery.team.m1.0",
        window(("bea", "cleo", "dan"), REFUSED, LATER),
        window(("",), mail_id="n1"),
    )
]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """All of it, folded."""
    made = Analysis()
    for projection, stored in STREAMS:
        made.fold(projection, stored)
    return made


KNOWN = [
    message(f"people.{who}", seq, PersonKnown(person=who, address=f"{who}@{domain}"))
    for seq, (who, domain) in enumerate(
        (("bea", "a.example"), ("cleo", "b.example"), ("dan", "b.example")), 1
    )
]
STREAMS = (
    (mails.PROJECTION, RECEIVED),
    (routing.PROJECTION, ROUTED),
    (sending.PROJECTION, QUEUED),
    (deliveries.PROJECTION, LEDGER),
    (people.PROJECTION, KNOWN),
)

ANSWERS: list[tuple[str, list[tuple[object, ...]]]] = [
    (
        "select mail, source, uid, size, message_id, subject, from_domain, refused from mails",
        [
            ("m1", "box", 7, 1200, "<1@posts>", "Hello", "example.net", ""),
            ("m2", "box", 0, 9, "", "", "", "too_large"),
        ],
    ),
    (
        "select list, mail, kind, rule, reason, author, held_seq from routing",
        [
            ("team", "m1", "held", "max_size", "it is large", "", 0),
            ("team", "m1", "accepted", "moderator", "", "", 1),
            ("team", "m1", "post", "", "", "ann", 0),
            ("team", "b1", "bounce", "", "", "", 0),
            ("team", "b2", "bounce", "", "", "", 0),
            ("team", "c1", "command", "", "join", "", 0),
            ("none", "u1", "unrouted", "", "it is for no list", "", 0),
            ("team", "o1", "owner", "", "", "", 0),
            ("team", "s1", "discarded", "max_size", "it is large", "", 0),
        ],
    ),
    (
        "select mail, rule, kind, place from rule_hits",
        [("m1", "max_size", "held", 0), *(("s1", "max_size", "discarded", n) for n in (0, 1))],
    ),
    ("select mail, person, option from withheld", [("m1", "ann", "receive_own_postings")]),
    ("select mail, about, number from bounce_reports", [("b1", "m1", 2), ("b2", "", None)]),
    ("select mail, command, outcome, person from commands", [("c1", "join", "joined", "dan")]),
    (
        "select kind, mails, posted from rules_caught order by kind",
        [("discarded", 1, 0), ("held", 1, 1)],
    ),
    ("select list, thread, subject, posts, authors from threads", [("team", "m1", "Hello", 1, 1)]),
    ("select seq, mail, copies from notices", [(2, "n1", 1)]),
    (
        "select mail, audience, accepted, failed, deferred, departed, waiting from posts",
        [("m1", 3, 1, 0, 2, 0, 2)],  # cleo had failed, and is queued once more
    ),
    (
        """select person, outcome, code, reply, attempts, queued_again from recipients
        where mail = 'm1' order by person""",
        [
            ("bea", "accepted", 250, "2.0.0 Ok", 1, False),
            ("cleo", "deferred", 550, "nobody", 1, True),
            ("dan", "deferred", 450, "full", 1, False),
        ],
    ),
    (
        "select list, tries, accepted, deferred, failed, departed, rate from delivery_by_day",
        [("team", 4, 2, 1, 1, 0, 2 / 3)],
    ),
    ("select relay, tries, rate, ms from delivery_by_relay", [("out", 4, 2 / 3, 20.0)]),
    (
        "select domain, tries, accepted, deferred, failed from delivery_by_domain order by domain",
        [("", 1, 1, 0, 0), ("a.example", 1, 1, 0, 0), ("b.example", 2, 0, 1, 1)],
    ),
    (
        "select list, copies, p50, p95, p99, slowest from time_to_deliver",
        [("team", 1, *[3600.0] * 4)],
    ),
    (
        "select mail, notice, waiting, deferred from queue_age",
        [("m1", False, 2, 2), ("o1", False, None, 0)],
    ),
]


@pytest.mark.parametrize(("asked", "answer"), ANSWERS, ids=lambda each: str(each)[:60])
def test_what_is_asked_of_the_road(
    analysis: Analysis, asked: str, answer: list[tuple[object, ...]]
) -> None:
    """Mails, decisions, chunks, copies and what waits are told as the streams have them."""
    assert analysis.rows(asked) == answer


def test_a_large_post_took_as_long_as_it_is_told_of_its_list(analysis: Analysis) -> None:
    """Since it came in, or was let through."""
    (took,) = analysis.ask("large_took", list="team", mail="m1")
    assert took == {"p50": 3600.0, "p95": 3600.0, "p99": 3600.0}


@given(st.integers(min_value=0, max_value=len(ROUTED)))
def test_cut_anywhere_the_rows_are_the_same(place: int) -> None:
    """Two batches give the rows of one, wherever they are parted."""
    for projection, stored in STREAMS[:4]:
        pieces = [stored[:place], stored[place:]]
        assert together(projection, pieces) == together(projection, [stored])


def test_a_window_is_one_row_to_the_database() -> None:
    """People with the same outcome stand in one row; SQL makes a row of each."""
    everybody = [f"{n:024x}" for n in range(100)]
    (stored,) = messages("delivery.team.m1.0", window(everybody))
    rows = deliveries.fold({}, [stored]).rows["deliveries"]
    assert [row[4] for row in rows] == [everybody]


def test_somebody_is_found_by_their_mark() -> None:
    """It begins their id in numbers; an id that is no number has none, and is found as well."""
    analysis = Analysis()
    ids = ("00ff00ff" + "0" * 16, "odd", "")
    analysis.fold(deliveries.PROJECTION, messages("delivery.team.m1.0", window(ids)))
    assert analysis.rows("select mark from deliveries order by person") == [(0,), (0xFF00FF,), (0,)]
    for person in ids:
        assert len(analysis.ask("person_deliveries", person=person, limit=9)) == 1
        assert len(analysis.ask("person_with_post", person=person, mail="m1")) == 1
