"""Held mail as moderators read of it."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.commands import HeldRow
from schemas.road import RuleHit
from services.membership.moderation.extract import extract
from services.membership.moderation.notice import MAILS, chosen, lines

ROW = HeldRow(
    id="019cb7a1c40070008e3d48265f1c0b7a",
    list="team@lists.example.org",
    seq=41,
    since="2026-03-09T08:30:00+00:00",
    author="zoe@far.example",
    name="Zoe",
    subject="Tea",
    size=12_345,
    hits=(RuleHit(rule="nonmember-moderation", reason="its author is not a member"),),
    text="Anyone?\n...",
)


def test_a_mail_in_few_lines() -> None:
    """Who, what, when, how large, why, how it begins (as a quotation), and where to write."""
    assert list(lines([ROW], ["team-confirm+t@lists.example.org"], ROW.list, 2)) == [
        "Subject: Tea",
        "From: Zoe <zoe@far.example>",
        "Held: 2026-03-09 08:30 UTC, 12,345 octets",
        "Because: its author is not a member (nonmember-moderation)",
        "| Anyone?",
        "| ...",
        "To decide, write to team-confirm+t@lists.example.org",
        "--------------------",
        "and 2 more: postroad held ls --list team@lists.example.org",
    ]


def test_it_is_said_where_no_verdict_is_told_to_anybody() -> None:
    """A moderator does not write a reason for nobody."""
    row = replace(ROW, untold="From is not proved")
    found = list(lines([row], [""], ROW.list, 0))
    assert found[-1] == "Nobody is told of a verdict: From is not proved"


def test_news_come_before_what_was_told() -> None:
    """What nobody was told of has its place in the letter; what waits longest has the rest."""
    assert chosen([1, 2, 3], 0) == [1, 2, 3]
    assert chosen(list(range(1, 100)), 97) == [*range(1, MAILS - 1), 98, 99]
    assert chosen(list(range(1, 100)), 50) == list(range(51, 51 + MAILS))


def test_only_plain_text_is_shown_and_little_of_it() -> None:
    """No markup, no attachment, nothing that moves a cursor or turns text round."""
    head = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    html = b"--x\r\nContent-Type: text/html\r\n\r\n<a href=evil>Hi</a>\r\n"
    file = b"--x\r\nContent-Disposition: attachment\r\n\r\nsecret\r\n"
    text = "--x\r\n\r\nA\x1b[2Jb \u202ec\r\n\r\n\r\n".encode() + b"line\r\n" * 50
    assert extract(head + html + file) == ""
    found = extract(head + html + file + text + b"--x--\r\n").split("\n")
    assert found[0].isprintable()
    assert found == [found[0], *["line"] * 7, "..."]
    assert len(extract(b"\r\n" + b"x" * 100_000)) == 160
    assert extract(b"\r\nApproved: secret\r\nHello\r\n") == "Hello"
    twice = b"\r\nApproved: some secret\r\nHello\r\nIt is some secret\r\n"
    assert extract(twice) == "Hello"
