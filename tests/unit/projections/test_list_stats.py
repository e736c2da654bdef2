"""Specification: the numbers of `postroad list stats` add up, and say what was so."""

from __future__ import annotations

from typing import Any

import pytest

from projections.analytics import deliveries, mails, people, routing, sending
from schemas.road import (
    ChunkQueued,
    Failure,
    FanoutDone,
    MailStopped,
    Outcome,
    PostRouted,
    RuleHit,
    WindowRecorded,
)
from tests.unit.projections.analysis import Analysis, at
from tests.unit.projections.test_road_tables import COPY, KNOWN, LETTER, RAW, RECEIVED, messages

SINCE = at(2).isoformat(sep=" ").removesuffix("+00:00")
HIT = RuleHit(rule="max_size", reason="it is large")
ROUTED = messages(
    "mail.routed.post.team.m1",
    MailStopped(mail_id="s1", list="team", verdict="discarded", hits=(HIT,), raw=RAW),
    MailStopped(mail_id="s2", list="team", verdict="discarded", hits=(HIT,), raw=RAW),
    PostRouted(mail_id="m1", list="team", raw=RAW, author="ann", subject="Hello"),
    PostRouted(mail_id="m2", list="team", raw=RAW, author="", subject="From outside"),
    FanoutDone(mail_id="m1", list="team", audience=4, chunks=1),
)
REFUSED = Failure(index=1, code=550, enhanced="5.1.1", text="nobody", kind="failed")
BUSY = Failure(index=2, code=450, enhanced="4.2.2", text="full", kind="deferred")
WAITS = "its domain is slow"
SLOW = [
    Failure(index=index, code=0, text=WAITS, kind="deferred", scope="destination")
    for index in (0, 1, 3)
]


def queued(chunk: str, *people: str, **more: Any) -> ChunkQueued:
    """Copies of the post m1."""
    addresses = tuple(f"{person}@example.net" for person in people)
    about = {"mail_id": "m1", "list": "team", "copy": COPY, **more}
    return ChunkQueued(chunk=chunk, people=people, addresses=addresses, **about)


def window(chunk: str, people: tuple[str, ...], *failures: Failure, **more: Any) -> WindowRecorded:
    """All of a chunk in one window."""
    outcome = Outcome(start=0, end=len(people), code=250, text="Ok", failures=failures)
    about = {"mail_id": "m1", "list": "team", "relay": "out", **more}
    return WindowRecorded(chunk=chunk, people=people, outcome=outcome, finished=True, **about)


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """A post to four of whom three have a slow domain at first; and a letter."""
    everybody = ("bea", "cleo", "dan", "eve")
    sent = messages(
        "mail.send.bulk.team.m1.0",
        queued("0", *everybody),
        queued("0s0r1", "bea", "cleo", "eve"),
        queued("0", "olga", mail_id="n1", copy=LETTER),
    )
    ledger = messages(
        "delivery.team.m1.0",
        WindowRecorded(mail_id="m0", list="team", chunk="0", finished=True),
        WindowRecorded(mail_id="m0", list="team", chunk="1", finished=True),
        WindowRecorded(mail_id="m0", list="team", chunk="2", finished=True),
        window("0", everybody, *SLOW[:2], BUSY, SLOW[2]),
        window("0s0r1", ("bea", "cleo", "eve"), REFUSED),
        window("0", ("olga",), mail_id="n1"),
    )
    made = Analysis()
    for projection, stored in (
        (mails.PROJECTION, RECEIVED),
        (routing.PROJECTION, ROUTED),
        (sending.PROJECTION, sent),
        (deliveries.PROJECTION, ledger),
        (people.PROJECTION, KNOWN),
    ):
        made.fold(projection, stored)
    return made


def test_copies_are_those_of_posts_and_add_up(analysis: Analysis) -> None:
    """Accepted, failed, waiting and departed are all recipients of the posts since then; so are
    those of the days. Posts by strangers are told apart."""
    (told,) = analysis.ask("list_summary", list="team", since=SINCE)
    names = ("accepted", "failed", "waiting", "departed", "posts", "writers", "by_strangers")
    assert tuple(told[name] for name in names) == (2, 1, 1, 0, 2, 1, 1)
    days = analysis.ask("list_days", list="team", since=SINCE, until=SINCE)
    assert [(day["accepted"], day["failed"], day["posts"]) for day in days] == [(2, 1, 2)]


def test_who_only_had_to_wait_was_not_put_off(analysis: Analysis) -> None:
    """A domain stands there for who failed, waits, or was put off by a server; what is said of it
    is why they failed, and not that it had been slow."""
    told = analysis.ask("list_domains", list="team", since=SINCE, limit=9)
    counts = [
        (one["domain"], one["failed"], one["put_off"], one["waiting"], one["most"]) for one in told
    ]
    assert counts == [("b.example", 1, 1, 1, "550 5.1.1 nobody")]


def test_rules_are_counted_from_that_moment(analysis: Analysis) -> None:
    """Not from the beginning of its day."""
    (told,) = analysis.ask("list_rules", list="team", since=SINCE)
    assert (told["rule"], told["kind"], told["mails"]) == ("max_size", "discarded", 1)
