"""When an author repeats like a robot, and that people do not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.gist import gist
from schemas.commands import Author
from schemas.road import MailReceived
from schemas.seen import Seen
from services.router.context import Context
from services.router.rules import repetition
from tests.unit.mail.test_footer import sent
from tests.unit.router.mails import MEMBER, mail, the_list

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def posted(
    mails: Iterable[tuple[float, MailReceived]],
    author: Author = MEMBER,
    bodies: Sequence[bytes] = (),
) -> list[bool]:
    """Which of one author's mails, each with its minute, are posted; `bodies` are their bytes."""
    earlier: tuple[Seen, ...] = ()
    out = []
    for number, (minute, each) in enumerate(mails):
        this = repetition.seen(each, f"{number}", START + timedelta(minutes=minute))
        if bodies and repetition.same_moment(this, earlier):
            this = msgspec.structs.replace(this, gist=gist(bodies[number]))
        hit = repetition.check(Context(each, the_list(), author, this, earlier))
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
    mails = [(n / 6, post(n, f"Re: {n}", body="away")) for n in range(6)]
    assert posted(mails) == [True] * 3 + [False] * 3


def test_a_slow_loop_ends_within_a_day() -> None:
    """A robot that comes round every quarter of an hour is none the better."""
    assert sum(posted((15 * n, post(n, f"Re: {n}", body="away")) for n in range(50))) == 10


def test_a_robot_that_quotes_is_known_by_its_subject() -> None:
    """A new body each time, and `Re:` before `Re:`: it is one subject."""
    subjects = ["Re: [Team] " * n + "Tea" for n in range(1, 21)]
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
    """A hundred answers of a day at most, and twenty posts that answer nothing, whatever comes in
    whatever order."""
    earlier: tuple[Seen, ...] = ()
    for number, (minute, body) in enumerate(times):
        at = START + timedelta(minutes=minute)
        subject = "Re: Tea" if body else "Tea"
        this = repetition.seen(post(number, subject, body=body), f"{number}", at)
        earlier = repetition.remembered(earlier, this)
        assert this in earlier
    begun = sum(seen.begins for seen in earlier)
    assert begun <= repetition.BEGUN
    assert len(earlier) - begun <= repetition.REMEMBERED


def test_the_subjects_of_answers_are_counted_alone() -> None:
    """A program that reports, or a person who sends two hundred mails, is no robot that answers."""
    assert all(posted((0.0, post(n, "Report")) for n in range(50)))
    mixed = [(0.0, post(n, "Re: Tea" if n % 20 == 19 else "Tea")) for n in range(90)]
    assert all(posted(mixed))
    assert not repetition.answers(post(1, "[PATCH 1/2] Tea"))
    assert repetition.answers(post(1, "[Team] AW: Tea"))
    assert repetition.answers(post(1, "Ticket 7", In_Reply_To="<0@x>"))


def test_one_text_under_one_subject_goes_out_three_times_in_ten_minutes() -> None:
    """Whatever each says of itself: new Message-IDs and Dates make no other mail of it."""
    mails = [(n, post(n, "Tea", body="same", Date=f"{n}")) for n in range(5)]
    assert posted(mails) == [True] * 3 + [False] * 2


def test_reports_that_differ_are_not_repeated() -> None:
    """One text under the names of several hosts, every ten minutes, and with other attachments; but
    in earnest only: the tags that lists add are no difference."""
    hosts = [(0.0, post(n, f"[web{n}] Backup", body="OK", Date="now")) for n in range(20)]
    hourly = [(10 * n, post(n, "Backup", body="OK", Date=f"{n}")) for n in range(20)]
    votes = [(n, post(n, f"Vote {n}", body="+1", Date=f"{n}")) for n in range(20)]
    for mails in (hosts, hourly, votes):
        assert all(posted(mails)), mails
    tagged = ["Tea", *["[News] [Team] Tea"] * 5]
    assert sum(posted((0, post(n, each, body="same")) for n, each in enumerate(tagged))) == 3


def test_whom_a_list_trusts_may_repeat_but_not_go_round() -> None:
    """A program with `moderation_action=accept` sends its one text as often as it likes; what has
    one Date is one mail even so."""
    trusted = msgspec.structs.replace(MEMBER, moderation="accept")
    reports = [(n, post(n, "State", body="OK", Date=f"{n}")) for n in range(20)]
    assert all(posted(reports, trusted))
    round_ = [(n / 6, post(n, "State", body="OK", Date="now")) for n in range(20)]
    assert sum(posted(round_, trusted)) == 3


FOOTERS = ("_____\nTeam", "-----\nNews\n\nTo leave: $unsubscribe")
ALTERNATIVE = (
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\n\r\nHi\r\n'
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n--b--\r\n"
)
MIXED = (
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\n\r\n'
    b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    "rest",
    [
        b"\r\n+1\r\n",
        b"\r\n" + b"A long text.\r\n" * 20,
        b"Content-Type: text/html\r\n\r\n<p>+1</p>\r\n",
        ALTERNATIVE,
        MIXED % b"aGVsbG8=",
    ],
    ids=["short", "long", "html", "alternative", "attached"],
)
@pytest.mark.parametrize("above", ["", "Mail of the team"])
def test_a_circle_ends_though_each_round_adds_lines(rest: bytes, above: str) -> None:
    """Two lists that are members of each other, and between them something that takes off every
    mark and gives a new Message-ID: each posts the mail six times at most."""
    data = b"From: ann@example.net\r\nDate: now\r\nMIME-Version: 1.0\r\n" + rest
    rounds = []
    for _ in range(12):
        rounds.append(data)
        for footer in FOOTERS:
            data = sent(data, footer, above)
    mails = [post(n, "[a] Tea" if n else "Tea", Date="now") for n in range(12)]
    assert sum(posted(enumerate(mails), bodies=rounds)) <= 6


def test_what_is_sent_at_one_moment_is_told_apart_by_what_is_attached() -> None:
    """A loop in a shell sends ten scans within a second, each with the same Subject and no text."""
    mails = [(0.0, post(n, "Scan", Date="now")) for n in range(10)]
    scans = [b"MIME-Version: 1.0\r\n" + MIXED % (b"aGVs%dY=" % n) for n in range(10)]
    assert all(posted(mails, bodies=scans))
    assert sum(posted(mails, bodies=scans[:1] * 10)) == 3
