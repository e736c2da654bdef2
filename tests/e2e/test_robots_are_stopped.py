"""Where copies are sent From the list itself, whatever answers From answers the list."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.system import MAILBOX, World, mail, world
from tests.peers.records import Record

ROBOT, ANNA = "robot@robot.example.com", "anna@example.net"
AS_AT_GMAIL = {"from": f'"{MAILBOX}"', "envelope": f'"{MAILBOX}"'}
PATIENCE = 20  # answers until a test takes it for a circle

Words = Callable[[int, str], tuple[str, str]]  # of its n-th answer to this: subject and body


def says_the_same(_: int, subject: str) -> tuple[str, str]:
    """A vacation program."""
    return f"Re: {subject}", "I am away until Monday.\r\n"


def quotes(number: int, subject: str) -> tuple[str, str]:
    """One that quotes, with time and boundary."""
    return f"Re: {subject}", f"On day {number} you wrote {subject}. I am away.\r\n"


def calls_it_automatic(number: int, subject: str) -> tuple[str, str]:
    """One that tells only people what it is."""
    return f"Auto: Re: {subject}", f"I am away, {number}.\r\n"


def answer(number: int, subject: str, body: str) -> bytes:
    """A mail of the robot, with no mark at all."""
    return (
        f"Return-Path: <{ROBOT}>\r\n"
        "Received: from mx by mailbox; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        f"From: {ROBOT}\r\nTo: {MAILBOX}\r\nSubject: {subject}\r\n"
        f"Message-ID: <{number}@robot>\r\n\r\n{body}"
    ).encode()


def subject_of(copy: Record) -> str:
    """The Subject of a copy that the sink has kept."""
    data = Path(copy.file).read_bytes()
    return str(email.message_from_bytes(data, policy=email.policy.default)["Subject"])


async def answers_of(here: World, words: Words) -> int:
    """How many copies a robot answers until it gets no more."""
    answered = 0
    while answered < PATIENCE:
        await here.road.settled(1 + answered)
        copies = [record for record in here.sink.records() if ROBOT in record.recipients]
        if len(copies) == answered:
            break
        answered += 1
        subject = subject_of(copies[-1])
        here.post(answer(answered, *words(answered, subject)))
    return answered


@pytest.mark.parametrize(
    ("words", "answers", "rule"),
    [(says_the_same, 4, "text"), (quotes, 11, "subject"), (calls_it_automatic, 1, "vacation")],
    ids=("same-text", "quotes", "calls-itself-automatic"),
)
async def test_a_robot_that_answers_its_own_copies_is_stopped(
    tmp_path: Path, words: Words, answers: int, rule: str
) -> None:
    """Nothing marks its mail, and it is a member; the circle ends by itself, within a dozen of
    answers, and says why. The next post of a person goes out."""
    async with world(tmp_path, keep=True, relay=AS_AT_GMAIL) as here:
        await here.road.make_list(MAILBOX, [ANNA, ROBOT])
        here.post(mail("first", to=MAILBOX))
        assert await answers_of(here, words) == answers
        held = await here.road.cli("post", "ls", "--held", "--json")
        (row,) = held.json
        assert rule in row["reason"]
        to_anna = [record for record in here.sink.records() if ANNA in record.recipients]
        assert len(to_anna) == answers  # the first post, and what was not held
        here.post(mail("second", to=MAILBOX))
        await here.road.settled(2 + answers)
        assert here.sink.records()[-1].message_id == "<second@posts>"
