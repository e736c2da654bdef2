"""Reading what a server says: whole, bounded, and however it was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.answers import (
    MAX_LINE,
    MAX_REPLY,
    Answer,
    AnswerReader,
    OutOfStep,
    Reply,
    reply,
)


def read(*segments: bytes) -> list[Answer]:
    """All the answers in these segments."""
    reader = AnswerReader()
    return [answer for segment in segments for answer in reader.feed(segment)]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (b"250 2.1.5 Ok\r\n", Reply(250, "2.1.5", "Ok", "RCPT")),
        (b"250 Ok\n", Reply(250, "", "Ok", "RCPT")),
        (b"250\r\n", Reply(250, "", "", "RCPT")),
        (b"250 2.1.5\r\n", Reply(250, "2.1.5", "", "RCPT")),
        (b"250 2.1.5.1 Ok\r\n", Reply(250, "", "2.1.5.1 Ok", "RCPT")),
        (b"550-5.7.1 a\r\n550-5.7.1 b\r\n550 c\r\n", Reply(550, "5.7.1", "a b c", "RCPT")),
        (b"250-a\r\n250\r\n", Reply(250, "", "a", "RCPT")),
        (b"550 5.1.1 <ann@example.org>: no\r\n", Reply(550, "5.1.1", "<(address)>: no", "RCPT")),
        (b"550 caf\xe9 \x00\x1b[2J\r\n", Reply(550, "", "caf\ufffd [2J", "RCPT")),
    ],
)
def test_a_reply_is_kept_without_codes_and_addresses(said: bytes, kept: Reply) -> None:
    """Code, enhanced code and text stand apart; several lines are one; nothing unprintable."""
    (answer,) = read(said)
    assert reply(answer, "RCPT") == kept


@given(st.data())
def test_cuts_do_not_matter(data: st.DataObject) -> None:
    """Answers cut at any octet are the same answers."""
    stream = b"250 ok\r\n550-5.1.1 no\r\n550 5.1.1 such\r\n354\r\n250 2.0.0 queued\n"
    places = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    assert read(*pieces) == read(stream)
    assert [code for code, _ in read(stream)] == [250, 550, 354, 250]


@pytest.mark.parametrize(
    "said",
    [
        b"\r\n",
        b"hello\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"199 ok\r\n",
        b"600 ok\r\n",
        b"250_ok\r\n",
        b"250-ok\r\n550 no\r\n",
        b"\xb2\xb5\xb0 ok\r\n",
        b"250 " + b"x" * MAX_LINE + b"\r\n",
        b"x" * (MAX_LINE + 1),
        b"250-x\r\n" * MAX_REPLY,
    ],
    ids=lambda said: repr(said[:20]),
)
def test_what_is_no_reply_is_out_of_step(said: bytes) -> None:
    """Anything that is no SMTP reply, or longer than any, ends the reading."""
    with pytest.raises(OutOfStep):
        read(said)


def test_what_came_before_nonsense_counts() -> None:
    """An answer read whole is given out before what follows it is looked at."""
    answers = AnswerReader().feed(b"250 taken\r\nnonsense\r\n")
    assert next(answers) == (250, b"taken\r")
    with pytest.raises(OutOfStep):
        next(answers)


@given(st.lists(st.binary(max_size=200)))
def test_any_octets_are_answers_or_out_of_step(segments: list[bytes]) -> None:
    """Whatever a server sends, reading ends in answers or in OutOfStep, with codes in range."""
    reader = AnswerReader()
    try:
        for segment in segments:
            assert all(200 <= code < 600 for code, _ in reader.feed(segment))
    except OutOfStep:
        pass
