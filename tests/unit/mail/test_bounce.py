"""What a mail reports of mail that was sent before: bounces of every kind, answers, complaints."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.bounce import Bounce, Kind, read
from postroad.mail.headers import scan

TO = "team-bounces+abc@lists.example.org"
DAEMON = "Mail Delivery System <MAILER-DAEMON@mx.example.net>"


def judged(data: bytes, envelope_from: str | None = None) -> Bounce | None:
    """What these bytes report."""
    facts, _ = scan(data)
    return read(data, facts, envelope_from)


def letter(text: str, subject: str, sender: str = DAEMON, *fields: str) -> bytes:
    """A mail in one part."""
    head = [f"From: {sender}", f"To: {TO}", f"Subject: {subject}", *fields]
    head.append("Content-Type: text/plain; charset=utf-8")
    return "\r\n".join([*head, "", *text.split("\n")]).encode()


def report(
    status: str, text: str = "Your mail was not delivered.", type_: str = "delivery"
) -> bytes:
    """A multipart/report with these fields."""
    parts = [
        f"Content-Type: text/plain\n\n{text}\n",
        f"Content-Type: message/{type_}\n\n{status}\n",
        "Content-Type: message/rfc822\n\nFrom: spam@example.org\nSubject: user unknown\n\nspam\n",
    ]
    body = "".join(f"--b\n{part}\n" for part in parts) + "--b--\n"
    head = f"From: {DAEMON}\nTo: {TO}\nSubject: Undelivered Mail\n"
    return f'{head}Content-Type: multipart/report; boundary="b"\n\n{body}'.encode()


def delivery(*groups: str, text: str = "Your mail was not delivered.") -> bytes:
    """A delivery report of RFC 3464."""
    return report(
        "\n\n".join(("Reporting-MTA: dns; mx.example.net", *groups)), text, "delivery-status"
    )


def test_each_recipient_of_a_report_has_a_class_of_their_own() -> None:
    """The gravest class is that of the report; who was delivered to is not in it."""
    found = judged(
        delivery(
            "Final-Recipient: rfc822; ann@example.net\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 <ann@example.net>: User unknown",
            "Final-Recipient: rfc822;Bob@Example.NET\nAction: failed\nStatus: 5.2.2\n"
            "Diagnostic-Code: smtp;552 mailbox full",
            "Final-Recipient: rfc822; cleo@example.net\nAction: delayed\nStatus: 4.4.1",
            "Final-Recipient: rfc822; dora@example.net\nAction: delivered\nStatus: 2.0.0",
        )
    )
    assert found is not None
    assert (found.kind, found.status) == ("hard", "5.1.1")
    assert found.diagnostic == "550 5.1.1 <ann@example.net>: User unknown"
    assert [(each.recipient, each.kind) for each in found.failures] == [
        ("ann@example.net", "hard"),
        ("bob@example.net", "full"),
        ("cleo@example.net", "soft"),
    ]
    assert found.recipients == ("ann@example.net", "bob@example.net", "cleo@example.net")


def test_a_report_of_success_is_no_bounce() -> None:
    """A note that mail was delivered counts against nobody."""
    group = "Final-Recipient: rfc822; ann@example.net\nAction: delivered\nStatus: 2.1.5"
    assert judged(delivery(group)) is None


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 No such user", "hard"),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 552 5.2.2 full", "full"),
        ("Action: failed\nStatus: 5.0.0 (disk quota exceeded)", "full"),
        ("Action: failed\nStatus: 5.7.26", "policy"),
        ("Action: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 spam", "policy"),
        ("Action: failed\nStatus: 5.4.7", "soft"),
        ("Action: failed\nStatus: 4.4.7", "soft"),
        ("Action: delayed\nStatus: 4.2.2", "full"),
        ("Action: delayed", "soft"),
        ("Action: failed\nStatus: 5.1.2", "hard"),
        ("Action: failed\nStatus: 5.2.1", "hard"),
        ("Action: failed\nStatus: 5.5.0", "hard"),
        ("Action: failed\nStatus: nonsense", "hard"),
        ("Action: FAILED (x)\nStatus: 5.0.0\nDiagnostic-Code: smtp; 450 4.1.1 x", "soft"),
    ],
)
def test_the_fields_of_a_report_tell_the_class(fields: str, kind: Kind) -> None:
    """By the status; where that is generic, by what the server said."""
    found = judged(delivery(f"Final-Recipient: rfc822; ann@example.net\n{fields}"))
    assert found is not None
    assert found.kind == kind
    assert found.recipients == ("ann@example.net",)


def test_where_fields_tell_nothing_the_letter_does() -> None:
    """A report whose status is generic says to people what happened; what it brings back is not
    read for that."""
    group = "Final-Recipient: rfc822; ann@example.net\nAction: failed\nStatus: 5.0.0"
    told = judged(delivery(group, text="The mailbox of the recipient is full."))
    silent = judged(delivery(group))
    assert told is not None
    assert silent is not None
    assert (told.kind, silent.kind) == ("full", "hard")


def test_a_mail_handed_back_with_a_complaint_for_a_subject_is_one() -> None:
    """Some providers send no fields, but the mail alone."""
    mail = "Content-Type: message/rfc822\n\nFrom: team@lists.example.org\nSubject: Tea\n\nTea?\n"
    head = f"From: staff@mx.example.net\nTo: {TO}\nSubject: complaint about message from x\n"
    data = f'{head}Content-Type: multipart/mixed; boundary="b"\n\n--b\n{mail}\n--b--\n'
    found = judged(data.encode())
    assert found is not None
    assert found.kind == "complaint"


def test_fields_above_the_recipients_are_of_all_of_them() -> None:
    """Some programs put Action where only the server's own fields belong."""
    found = judged(
        report(
            "Reporting-MTA: dns; mx.example.net\nAction: failed\n\n"
            "Final-Recipient: rfc822; ann@example.net\nStatus: 5.1.1",
            type_="delivery-status",
        )
    )
    assert found is not None
    assert (found.kind, found.recipients) == ("hard", ("ann@example.net",))


def test_a_receipt_of_a_server_that_refused_the_mail_is_a_failure() -> None:
    """LDAs and Sieve say so in a receipt: deleted by itself, and why in the letter."""
    fields = "Final-Recipient: rfc822; ann@example.net\nDisposition: {}/MDN-sent; deleted"
    text = "Your message to <ann@example.net> was automatically rejected:\nQuota exceeded"
    found = judged(report(fields.format("automatic-action"), text, "disposition-notification"))
    assert found is not None
    assert (found.kind, found.recipients) == ("full", ("ann@example.net",))
    found = judged(report(fields.format("manual-action"), text, "disposition-notification"))
    assert found is not None
    assert found.kind == "autoreply"


def test_failed_recipients_may_stand_in_the_header() -> None:
    """Exim names them in X-Failed-Recipients."""
    field = "X-Failed-Recipients: ann@example.net, bob@example.net"
    found = judged(letter("550 5.1.1 user unknown", "x", DAEMON, field))
    assert found is not None
    assert found.kind == "hard"
    assert found.recipients == ("ann@example.net", "bob@example.net")


ANN = "ann@example.net"
REPLIED = "Auto-Submitted: auto-replied"
GENERATED = "Auto-Submitted: auto-generated"
HUMAN = "Your message is being held. To prove that you are a human, click the link."
REPLY = "In-Reply-To: <tea@lists.example.org>"
GATE = "This account is protected by Gate. Click here to be added to the allowed list."
ANSWERS: list[tuple[bytes, Kind]] = [
    (letter("Lorem ipsum.", "[Automatyczna odpowiedź] x", ANN, "Precedence: junk"), "autoreply"),
    (letter("I am asleep.", "Auto reply: Tea", ANN, REPLY), "autoreply"),
    (letter(GATE, "RE: Tea", ANN), "challenge"),
    (letter("I am away.", "Re: Minutes", ANN, REPLIED), "autoreply"),
    (letter("Back on Monday.", "Automatic reply: x", ANN, GENERATED), "autoreply"),
    (letter("I am out of the office until May.", "Out of office: x", ANN), "autoreply"),
    (letter("Ich bin im Urlaub.", "Abwesenheitsnotiz: x", ANN), "autoreply"),
    (letter("x", "Gelesen: Protokoll", ANN, "X-Autoreply: yes"), "autoreply"),
    (letter(HUMAN, "Please confirm your message", ANN, REPLIED), "challenge"),
    (letter("To release your message, simply reply.", "Re: x", ANN, REPLIED), "challenge"),
    (letter(HUMAN, "[spamarrest] x", ANN, "Precedence: bulk"), "challenge"),
]


@pytest.mark.parametrize(("data", "kind"), ANSWERS)
def test_answers_of_programs_are_no_failures(data: bytes, kind: Kind) -> None:
    """A vacation notice or a challenge names its author, and no failure."""
    found = judged(data)
    assert found is not None
    assert (found.kind, found.recipients, found.failures) == (kind, (ANN,), ())


def test_a_notice_that_mail_was_read_is_an_answer() -> None:
    """RFC 8098: a receipt, by a program or by a person's click."""
    fields = f"Final-Recipient: rfc822; {ANN}\nDisposition: manual-action/MDN-sent-manually; x"
    found = judged(report(fields, type_="disposition-notification"))
    assert found is not None
    assert (found.kind, found.recipients) == ("autoreply", ("ann@example.net",))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("abuse", "complaint"),
        ("fraud", "complaint"),
        ("opt-out", "complaint"),
        ("auth-failure", "policy"),
        ("not-spam", "autoreply"),
    ],
)
def test_feedback_reports_are_complaints(type_: str, kind: Kind) -> None:
    """RFC 5965. That DMARC failed (RFC 6591) is about the mail, and counts against nobody."""
    fields = (
        f"Feedback-Type: {type_}\nUser-Agent: x/1\nVersion: 1\nOriginal-Rcpt-To: <ann@example.net>"
    )
    found = judged(report(fields, type_="feedback-report"))
    assert found is not None
    assert (found.kind, found.recipients) == (kind, ("ann@example.net",))


@pytest.mark.parametrize(
    "data",
    [
        letter("My mail to bob@example.net could not be delivered. Why?", "Bounces", ANN),
        letter("> could not be delivered\n> user unknown\n\nMe too.", "Re: Undelivered mail", ANN),
        letter("The mailbox is full, user unknown, spam!", "Terms we use", ANN),
        letter("Please add us to your whitelist.", "News of March", ANN, "Precedence: bulk"),
        letter(GATE, "How Gate works", ANN),
        letter("Please confirm the date.", "Re: Tea", ANN, REPLY),
        letter("Build 7 failed.", "Build failed", ANN, GENERATED),
        letter("I will be on holiday in May.", "Holiday plans", ANN),
        b"",
        b"\0" * 1000,
        b"\xff\xfe",
        b"Subject: x",
    ],
)
def test_ordinary_mail_is_no_bounce(data: bytes) -> None:
    """People write of bounces, quote them, and go on holiday; programs send news."""
    assert judged(data) is None


@given(
    st.one_of(
        st.binary(max_size=400), st.text(max_size=300).map(lambda t: letter(t, "failure notice"))
    )
)
def test_any_bytes_are_read(data: bytes) -> None:
    """No bytes raise, and what is read is printable and bounded."""
    found = judged(data)
    if found is not None:
        assert len(found.diagnostic) <= 1_000
        assert found.diagnostic.isprintable() or "\t" in found.diagnostic
        assert all(address.isprintable() for address in found.recipients)


@given(st.text(st.sampled_from("Action:failedSt5.1\n;<@> \r\tFinal-Rcp"), max_size=300))
def test_any_fields_are_read(fields: str) -> None:
    """No fields of a report raise."""
    judged(delivery(fields, f"Final-Recipient: rfc822;{fields}"))


@pytest.mark.parametrize(
    "body",
    [
        "user " * 200_000,
        "a@b.cc " * 100_000,
        "<ann@example.net>:\n" * 50_000,
        "a." * 500_000,
        "5.1." * 250_000,
        "To: x@example.net\n" * 60_000,
        "-" * 1_000_000,
        "mail not " * 100_000,
        "=?utf-8?q?x?=" * 80_000,
    ],
)
def test_hostile_letters_take_no_time(body: str) -> None:
    """A megabyte made to be slow is read in a moment: nothing is looked at more than so often."""
    start = time.process_time()
    judged(letter(body, "failure notice"))
    judged(delivery(f"Final-Recipient: rfc822; {body}\nDiagnostic-Code: smtp; {body}"))
    assert time.process_time() - start < 1.0


def test_bounces_of_the_corpus_are_told_and_classed(corpora: Path) -> None:
    """All of 117 mails but the one that is no report are told to be some, and name somebody, but
    for three where nobody is named."""
    mails = {path.name: path.read_bytes() for path in (corpora / "dsn").glob("*.txt")}
    found = {name: judged(data) for name, data in mails.items()}
    assert len(mails) == 117
    assert [name for name, each in found.items() if each is None] == ["groupwise_03.txt"]
    assert sum(bool(each and each.recipients) for each in found.values()) >= 113


def test_ordinary_mail_of_the_corpora_is_no_bounce(corpora: Path) -> None:
    """None of 504 other mails is taken for one, but those that are: seven reports."""
    folders = ("spamassassin", "mikel", "stalwart", "mime4j")
    paths = [path for name in folders for path in (corpora / name).rglob("*") if path.is_file()]
    told = {path.name for path in paths if judged(path.read_bytes())}
    assert told == {
        "raw_email_with_mimepart_without_content_type.eml",
        "multi_address_bounce1.eml",
        "multi_address_bounce2.eml",
        "multipart_report_multiple_status.eml",
        "report_422.eml",
        "report_530.eml",
        "badbound.msg",
    }


def test_line_ends_change_no_class(corpora: Path) -> None:
    """A report says the same with CRLF, as mail travels, and with the bare LF of files."""
    for path in sorted((corpora / "dsn").glob("*.txt")):
        lf = path.read_bytes().replace(b"\r\n", b"\n")
        assert judged(lf.replace(b"\n", b"\r\n")) == judged(lf), path.name


def test_the_fields_of_one_recipient_stay_together() -> None:
    """The line end CRLF is one: only an empty line begins another recipient."""
    fields = "Final-Recipient: rfc822; x@a.example\nAction: failed\nStatus: 5.1.1"
    found = judged(delivery(fields).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert found is not None
    assert [(each.recipient, each.status) for each in found.failures] == [("x@a.example", "5.1.1")]
