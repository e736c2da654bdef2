"""What the demo calls right: each fault of a copy or a trace is named, and a sound one is not."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.demo.copies import Copy, examine, problems
from postroad.cli.demo.installation import without_settings
from postroad.cli.demo.journey import trace_gaps
from postroad.cli.demo.letter import SUBJECT, TEXT, letter, picture
from schemas.spans import Span

POST = letter(datetime(2026, 11, 20, 12, tzinfo=UTC))
TRACE = "01a1fb5852c07bfbb9141e914d9121b4"
MEMBERS = ("anna@example.net", "bjorn@example.net", "chloe@example.net")


def mail(number: int) -> bytes:
    """A member's copy as it lies in the mailbox."""
    header = (
        f"Return-Path: <team-bounces+token{number}@lists.example.org>\r\n"
        f"Delivered-To: {MEMBERS[number]}\r\nReceived: from here\r\n\tby there; today\r\n"
        f"List-Unsubscribe: <mailto:team-leave+token{number}@lists.example.org>\r\n"
        "List-Id: Team <team.lists.example.org>\r\nPrecedence: list\r\n"
        "List-Post: <mailto:team@lists.example.org>\r\nList-Help: <mailto:a@b>\r\n"
        "List-Subscribe: <mailto:a@b>\r\nList-Owner: <mailto:a@b>\r\n"
        f"X-Postroad-Trace: {TRACE}\r\n"
    ).encode()
    return header + POST.replace(b"Subject: ", b"Subject: [Team] ", 1)


Mailboxes = dict[str, list[bytes]]


def told(mailboxes: Mailboxes) -> list[str]:
    """Every problem with what lies in the members' mailboxes."""
    copies: dict[str, list[Copy]] = {
        member: [examine(member, copy, POST) for copy in mails]
        for member, mails in mailboxes.items()
    }
    return list(problems(copies, POST, TRACE))


def sound() -> Mailboxes:
    return {member: [mail(number)] for number, member in enumerate(MEMBERS)}


def without(name: bytes) -> Callable[[bytes], bytes]:
    """Takes a field off a mail."""
    return lambda copy: b"\r\n".join(
        line for line in copy.split(b"\r\n") if not line.startswith(name + b":")
    )


def test_sound_copies_have_no_problem() -> None:
    """One unaltered copy each, with the list's headers and an own sender, is what we want."""
    assert told(sound()) == []


def test_a_missing_copy_is_named() -> None:
    """Who has no copy is said."""
    assert told(sound() | {"bjorn@example.net": []}) == [
        "bjorn@example.net has no copy instead of one"
    ]


def test_a_second_copy_is_a_problem() -> None:
    """Two copies are as wrong as none."""
    assert told(sound() | {"bjorn@example.net": [mail(1), mail(1)]}) == [
        "bjorn@example.net has 2 copies instead of one"
    ]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (lambda copy: copy[:-2], "has another body than the post"),
        (lambda copy: copy.replace(b"\r\n.This", b"\r\n..This"), "has another body than the post"),
        (without(b"Message-ID"), "has the Message-ID (none) instead of"),
        (without(b"List-Id"), "lacks List-Id"),
        (without(b"List-Unsubscribe"), "lacks List-Unsubscribe"),
        (without(b"X-Postroad-Trace"), "has the X-Postroad-Trace (none) instead of"),
        (without(b"Return-Path"), "has no envelope sender"),
        (lambda copy: copy.replace(b"s+token1@", b"s+token0@"), "have the same Return-Path"),
        (lambda copy: copy.replace(b"e+token1@", b"e+token0@"), "have the same List-Unsubscribe"),
    ],
)
def test_each_fault_of_a_copy_is_named(fault: Callable[[bytes], bytes], problem: str) -> None:
    """One fault of one copy gives one line, which names the member and what is wrong."""
    (line,) = told(sound() | {"bjorn@example.net": [fault(mail(1))]})
    assert "bjorn@example.net" in line
    assert problem in line


@given(place=st.integers(0, 10_000), other=st.integers(1, 255))
def test_no_octet_of_a_body_may_differ(place: int, other: int) -> None:
    """Any other octet anywhere in the body is an altered body."""
    copy = bytearray(mail(0))
    start = copy.index(b"\r\n\r\n") + 4
    copy[start + place % (len(copy) - start)] ^= other
    assert not examine(MEMBERS[0], bytes(copy), POST).body_identical


def test_what_the_list_added_is_shown() -> None:
    """The fields that differ from the post are the list's, but for those of the delivery."""
    names = [name for name, _ in examine(MEMBERS[0], mail(0), POST).added]
    assert "Subject" in names
    assert "List-Id" in names
    assert not {"From", "To", "Date", "Return-Path", "Delivered-To", "Received"} & set(names)


def test_the_letter_is_an_awkward_mail() -> None:
    """It has 8-bit text, a line that begins with a dot and an attachment, all in CRLF lines."""
    assert POST.count(b"\r\n") == POST.count(b"\n") == POST.count(b"\r")
    assert POST.endswith(b"\r\n")
    assert not POST.isascii()
    assert b"\r\n." in POST
    parsed = email.message_from_bytes(POST, policy=email.policy.default)
    assert parsed["Subject"] == SUBJECT
    text, attached = parsed.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == TEXT
    assert attached.get_filename() == "Straße.png"
    assert attached.get_content() == picture()


def span(name: str, service: str, parent: str = "") -> Span:
    return Span(
        trace=TRACE, span=f"{service}-{name}", parent=parent, name=name, service=service,
        start=0, end=1,
    )  # fmt: skip


WHOLE = (
    span("receive", "ingest"),
    span("handle", "router", "ingest-receive"),
    span("fanout", "membership", "router-handle"),
    span("sender.window", "sender", "membership-fanout"),
)


def test_a_trace_leads_from_ingest_to_each_window() -> None:
    """A whole trace has no gap; each span that is not there is missed."""
    assert list(trace_gaps(WHOLE, 1)) == []
    for absent in WHOLE:
        assert list(trace_gaps([one for one in WHOLE if one is not absent], 1))
    assert list(trace_gaps(WHOLE, 2)) == ["the trace has 1 of 2 SMTP windows"]
    assert list(trace_gaps([], 1))


def test_settings_of_the_environment_do_not_reach_the_demo() -> None:
    """An operator's overrides would send the demo's mail elsewhere; everything else passes."""
    environ = {"POSTROAD_RELAY__0__HOST": "smtp.example.org", "LANG": "C.UTF-8"}
    assert without_settings(environ) == {"LANG": "C.UTF-8"}
