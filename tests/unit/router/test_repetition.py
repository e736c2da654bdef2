"""When an author repeats like a robot, and that people do not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.road import MailReceived
from schemas.seen import Seen
from services.router.context import Context
from services.router.rules import repetition
from tests.unit.router.mails import MEMBER, mail, the_list

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def posted(mails: Iterable[tuple[float, MailReceived]]) -> list[bool]:
    """Which of one author's mails, each with its minute, are posted."""
    earlier: tuple[Seen, ...] = ()
    out = []
    for number, (minute, each) in enumerate(mails):
        this = repetition.seen(each, f"{number}", START + timedelta(minutes=minute))
        hit = repetition.check(Context(each, the_list(), MEMBER, this, earlier))
        out.append(hit is None)
        if hit is None:
            earlier = repetition.remembered(earlier, this)
    return out


def post(number: int, subject: str, body: object = None, **fields: str) -> MailReceived:
    """A post with this Message-ID and subject; its body is its own where none is given."""
    lines = [f"Message-ID: <{number}@x>", f"Subject: {subject}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    told = number if body is None else body
    digest = hashlib.sha256(f"{told}".encode()).hexdigest()
    return msgspec.structs.replace(mail(*lines), body_sha256=digest)


def test_the_same_text_goes_out_three_times_in_ten_minutes() -> None:
    """A robot with one text for everything is stopped at the fourth, whatever its subjects."""
    mails = [(n / 6, post(n, f"{n}", body="away")) for n in range(6)]
    assert posted(mails) == [True] * 3 + [False] * 3


def test_a_slow_loop_ends_within_a_day() -> None:
    """A robot that comes round every quarter of an hour is none the better."""
    assert sum(posted((15 * n, post(n, f"{n}", body="away")) for n in range(50))) == 10


def test_a_robot_that_quotes_is_known_by_its_subject() -> None:
    """A new body each time, and `Re:` before `Re:`: it is one subject."""
    subjects = ["Re: [Team] " * n + "Tea" for n in range(20)]
    mails = [(n / 6, post(n, subject)) for n, subject in enumerate(subjects)]
    assert posted(mails) == [True] * 10 + [False] * 10


def test_a_robot_that_numbers_its_tickets_is_known_by_whom_it_answers() -> None:
    """Body and subject are new each time, but it answers its own answer to its own answer, until
    one is held, of which it gets no copy."""
    mails = [(n / 6, post(n, f"Ticket {n}", In_Reply_To=f"<{n - 1}@x>")) for n in range(20)]
    assert posted(mails).index(False) == 6


def test_answers_in_a_circle_are_no_trap() -> None:
    """Forged Message-IDs that answer each other are counted to an end."""
    ring: Mapping[int, int] = {0: 1, 1: 0, 2: 0}
    assert len(posted((0, post(n, f"{n}", In_Reply_To=f"<{to}@x>")) for n, to in ring.items())) == 3


def test_people_are_not_taken_for_robots() -> None:
    """A lively thread, a series of patches under its cover letter, a day's mail sent at once, the
    same `+1` now and then, an incident told by answers to oneself, a mailbox of old mail."""
    lively = [(n, post(n, "Re: Tea", In_Reply_To=f"<other{n}@x>")) for n in range(30)]
    series = [
        (0.0, post(n, f"[PATCH {n}/40] part {n}", In_Reply_To="<0@x>" if n else ""))
        for n in range(41)
    ]
    flushed = [(0.0, post(n, f"Re: thread {n}", In_Reply_To=f"<a{n}@x>")) for n in range(40)]
    votes = [(70 * n, post(n, f"Re: vote {n}", body="+1")) for n in range(10)]
    incident = [(20 * n, post(n, "Re: down", In_Reply_To=f"<{n - 1}@x>")) for n in range(20)]
    for mails in (lively, series, flushed, votes, incident):
        assert all(posted(mails)), mails


def test_what_is_delivered_again_does_not_count_twice() -> None:
    """The same post, met again, is one post."""
    this = repetition.seen(post(1, "Tea"), "same", START)
    earlier: tuple[Seen, ...] = ()
    for _ in range(5):
        assert repetition.check(Context(post(1, "Tea"), the_list(), MEMBER, this, earlier)) is None
        earlier = repetition.remembered(earlier, this)
    assert earlier == (this,)


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 3)), max_size=300))
def test_what_is_remembered_is_bounded(times: list[tuple[int, int]]) -> None:
    """A hundred posts of a day at most, whatever comes in whatever order."""
    earlier: tuple[Seen, ...] = ()
    for number, (minute, body) in enumerate(times):
        at = START + timedelta(minutes=minute)
        this = repetition.seen(post(number, "Tea", body=body), f"{number}", at)
        earlier = repetition.remembered(earlier, this)
        assert this in earlier
    assert len(earlier) <= repetition.REMEMBERED


def test_only_answers_are_counted() -> None:
    """Two hundred mails with one text are no loop: what goes round is marked as an answer."""
    assert not repetition.answers(post(1, "Tea"))
    assert not repetition.answers(post(1, "[PATCH 1/2] Tea"))
    assert repetition.answers(post(1, "[Team] AW: Tea"))
    assert repetition.answers(post(1, "Ticket 7", In_Reply_To="<0@x>"))
