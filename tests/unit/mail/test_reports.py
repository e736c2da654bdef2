"""What comes back with a delivery report: the marks of a mail of ours in what it quotes."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.headers import scan
from postroad.mail.reports import is_report, returned
from schemas.mail import Returned

TRACE = "019cb7a1c47070008000000000000001"
TOKEN = "abcdefghijklmnopqrstuvwxyz234"
QUOTED = (
    "Received: from relay.example.net by mx.example.com; Sat, 21 Nov 2026 02:00:00 +0000",
    "Subject: [Team] Tea",
    "Message-ID: <tea@example.org>",
    f"X-Postroad-Trace: {TRACE}",
    f"X-Postroad-Copy: {TOKEN.upper()}",
    "List-Id: The team",
    " <team.lists.example.org>",
)
ALL = Returned(
    trace=TRACE, copy=TOKEN, list_id="team.lists.example.org", message_id="tea@example.org"
)


def found(*lines: str, end: str = "\r\n") -> Returned | None:
    """What comes back with a mail of these lines."""
    data = end.join(lines).encode()
    return returned(data, scan(data)[0])


def report(type_: str, *body: str, encoding: str = "7bit") -> tuple[str, ...]:
    """An RFC 3464 report with `body` as its third part."""
    return (
        "From: MAILER-DAEMON@mx.example.com",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "",
        "I am sorry. Message-ID: <none@example.com>",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.example.com",
        "",
        "Action: failed",
        "--b",
        f"Content-Type: {type_}",
        f"Content-Transfer-Encoding: {encoding}",
        "",
        *body,
        "--b--",
    )


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize(
    "type_", ["message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global"]
)
def test_marks_are_read_from_the_returned_headers(type_: str, end: str) -> None:
    """Whole message or headers alone, under every name that servers give them."""
    assert found(*report(type_, *QUOTED, "", "Anyone?"), end=end) == ALL


def test_returned_headers_may_be_encoded() -> None:
    """Exchange sends what it returns in base64, others in quoted-printable."""
    block = "\r\n".join(QUOTED).encode()
    encoded = base64.encodebytes(block).decode()
    assert found(*report("message/rfc822", encoded, encoding="base64")) == ALL
    printable = "\r\n".join(QUOTED).replace("=", "=3D").replace("Postroad-T", "Postroad=\r\n-T")
    assert found(*report("message/rfc822", printable, encoding="quoted-printable")) == ALL


@pytest.mark.parametrize("quote", ["", "> ", "    ", ">> ", "| "])
def test_marks_are_found_in_a_letter(quote: str) -> None:
    """qmail, Exim and others quote the headers in the text, plain or indented."""
    letter = (
        "Return-Path: <>",
        "",
        "I wasn't able to deliver your message.",
        "",
        "--- Below this line is a copy of the message.",
        "",
        *(quote + line for line in QUOTED),
    )
    assert found(*letter) == ALL


def test_marks_are_found_in_a_letter_in_html() -> None:
    """Exchange Online puts the original headers into its HTML."""
    lines = "<br>".join(QUOTED).replace("The team<br> <", "<").replace("<t", "&lt;t")
    html = ("Return-Path: <>", "Content-Type: text/html", "", f"<div>{lines}</div>")
    assert found(*html) == ALL


def test_only_the_mail_returned_counts_not_what_it_quotes_itself() -> None:
    """A member's post that forwards an older post is reported as itself."""
    older = ("", "see below", "X-Postroad-Trace: " + "f" * 32)
    assert found(*report("message/rfc822", *QUOTED, *older)) == ALL


def test_a_report_on_a_report_is_followed_to_the_mail() -> None:
    """A bounce that somebody's server sends on as an attachment still finds its post."""
    inner = (
        "\r\n".join(report("message/rfc822", *QUOTED)).replace("b--", "c--").replace("--b", "--c")
    )
    inner = inner.replace('boundary="b"', 'boundary="c"')
    assert found(*report("message/rfc822", inner)) == ALL


def test_without_any_quoted_id_what_it_answers_counts() -> None:
    """A vacation notice quotes nothing, but says what it answers."""
    vacation = ("Auto-Submitted: auto-replied", "In-Reply-To: <tea@example.org>", "", "Away.")
    assert found(*vacation) == Returned(message_id="tea@example.org")


def test_what_is_no_mark_of_ours_is_left_out() -> None:
    """A trace is 32 hex digits and a token is base32 of its length, else they say nothing."""
    odd = ("X-Postroad-Trace: ../etc", "X-Postroad-Copy: 0" + TOKEN, "Message-ID: <a@b>")
    assert found(*report("message/rfc822", *odd)) == Returned(message_id="a@b")


def test_a_persons_mail_brings_nothing_back() -> None:
    """A member who forwards a post with all its headers sends no report."""
    assert found("From: ann@example.org", "Subject: Fwd: Tea", "", *QUOTED) is None


@given(st.lists(st.sampled_from([*report("message/rfc822", *QUOTED), "", "\0", "> "]), max_size=40))
def test_nothing_raises(lines: list[str]) -> None:
    """Reports are written by many hands: any order of lines is read somehow."""
    data = "\n".join(["Return-Path: <>", *lines]).encode()
    returned(data, scan(data)[0])


_QUOTES_ID = re.compile(rb"(?im)^[ \t>|]*message-id[ \t]*:")


def test_message_ids_of_the_dsn_corpus(corpora: Path) -> None:
    """Of real reports that quote a Message-ID it is found in at least 95 of 100 (in all 24), and
    at least 98 of 100 of all reports are taken for one (115 of 117)."""
    quoting = right = reports = count = 0
    for path in (corpora / "dsn").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            facts, head = scan(data)
            count += 1
            reports += is_report(facts)
            if _QUOTES_ID.search(data, head):
                quoting += 1
                marks = returned(data, facts)
                right += bool(marks and marks.message_id and marks.message_id.encode() in data)
    assert quoting
    assert right >= 0.95 * quoting, f"{right} of {quoting}"
    assert reports >= 0.98 * count, f"{reports} of {count}"
