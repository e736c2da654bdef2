"""What refusals mean: each row of replies.toml by its own example, and what must never be."""

from __future__ import annotations

import itertools

import pytest

from services.sender.answers import AnswerReader, Reply, reply
from services.sender.replies import ROWS, Row, classify, retry_after


def said(command: str, line: str) -> Reply:
    """A reply as it is read from the wire."""
    (answer,) = AnswerReader().feed(f"{line}\r\n".encode())
    return reply(answer, command)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_each_row_takes_its_example(row: Row) -> None:
    """A row's example is a refusal that this row decides, and no row above it."""
    verdict = classify(said(*row.example))
    assert (verdict.name, verdict.scope, verdict.kind) == (row.name, row.scope, row.kind)


def test_names_are_unique_and_words_lower_case() -> None:
    """A name means one row; words are compared in lower case."""
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(words == words.lower() for row in ROWS for words in row.text)


@pytest.mark.parametrize(
    ("command", "line", "scope", "kind"),
    [
        ("RCPT", "550 5.1.1 <ann@example.org>: User unknown", "recipient", "failed"),
        ("RCPT", "550 No such user here", "recipient", "failed"),
        ("RCPT", "451 4.7.1 Try again later", "recipient", "deferred"),
        (".", "451 4.7.1 Greylisting in action", "recipient", "deferred"),
        ("RCPT", "452 Too many recipients", "recipient", "deferred"),
        (".", "554 5.7.1 Spam detected", "message", "failed"),
        (".", "552 5.3.4 Message too big", "message", "failed"),
        ("RCPT", "421 4.7.0 Try again later, closing connection", "relay", "deferred"),
        (".", "550 5.4.5 Daily sending quota exceeded", "relay", "deferred"),
        (".", "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException", "relay", "failed"),
        ("MAIL", "530 5.7.0 Must issue a STARTTLS command first", "relay", "failed"),
        ("MAIL", "553 5.7.1 Sender address rejected: not owned by user ann", "relay", "failed"),
        ("RCPT", "550 5.7.1 Client host blocked using zen.example", "relay", "failed"),
        # Gmail
        (".", "550 5.4.5 Daily user sending limit exceeded - gsmtp", "relay", "deferred"),
        (
            "MAIL",
            "421 4.7.0 Temporary System Problem.  Try again later - gsmtp",
            "relay",
            "deferred",
        ),
        ("RCPT", "550 5.7.0 Mail relay denied - gsmtp", "relay", "failed"),
        ("RCPT", "450 4.2.1 The user is receiving mail too quickly", "recipient", "deferred"),
        (".", "550 5.7.28 There is an unusual rate of unsolicited mail", "relay", "deferred"),
        ("RCPT", "452 4.5.3 Your message has too many recipients", "recipient", "deferred"),
        # Exchange Online
        (".", "554 5.2.252 SendAsDenied; a@x not allowed to send as b@y", "relay", "failed"),
        (".", "550 5.2.252 Sender throttled due to continuous send as denied", "relay", "deferred"),
        (".", "432 4.3.2 Concurrent connections limit exceeded.", "relay", "deferred"),
        (
            ".",
            "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException",
            "relay",
            "failed",
        ),
        ("MAIL", "550 5.7.60 SMTP; Client does not have permissions", "relay", "failed"),
        (".", "550 5.1.90 You have reached your daily limit", "relay", "deferred"),
        ("RCPT", "550 5.4.1 Recipient address rejected: Access denied", "recipient", "failed"),
        ("MAIL", "451 4.7.500 Server busy. Please try again later", "relay", "deferred"),
        # SES
        (".", "454 Throttling failure: Maximum sending rate exceeded.", "relay", "deferred"),
        (".", "554 Message rejected: Email address is not verified.", "relay", "failed"),
        (".", "554 Access denied: User is not authorized to perform it", "relay", "failed"),
        ("MAIL", "501 Invalid MAIL FROM address provided", "relay", "failed"),
        ("RCPT", "501 Invalid RCPT TO address provided", "recipient", "failed"),
        # Postfix, Yahoo, Outlook.com
        ("RCPT", "450 4.7.1 Error: too many recipients from 192.0.2.1", "relay", "deferred"),
        ("RCPT", "450 4.7.1 Recipient address rejected: Greylisted", "recipient", "deferred"),
        ("MAIL", "450 4.7.1 Error: too much mail from 192.0.2.1", "relay", "deferred"),
        ("RCPT", "553 5.7.1 Sender address rejected: not logged in", "relay", "failed"),
        ("RCPT", "554 5.7.1 Helo command rejected: Host not found", "relay", "failed"),
        ("RCPT", "550 5.7.1 Service currently unavailable", "relay", "failed"),
        ("MAIL", "553 5.7.2 [TSS09] All messages will be permanently deferred", "relay", "failed"),
        (
            "RCPT",
            "550 5.5.0 Requested action not taken: mailbox unavailable",
            "recipient",
            "failed",
        ),
        (
            "MAIL",
            "550 SC-001 Unfortunately, messages weren't sent: our block list",
            "relay",
            "failed",
        ),
    ],
)
def test_what_relays_say(command: str, line: str, scope: str, kind: str) -> None:
    """Replies seen in the field mean what an operator would say they mean."""
    verdict = classify(said(command, line))
    assert (verdict.scope, verdict.kind) == (scope, kind)


@pytest.mark.parametrize(
    ("line", "lasting"),
    [
        ("550 5.4.5 Daily user sending limit exceeded", True),
        ("454 Throttling failure: Daily message quota exceeded", True),
        ("454 Throttling failure: Maximum sending rate exceeded", False),
        ("535 5.7.8 Username and Password not accepted", True),
        ("421 4.3.2 Service shutting down", False),
    ],
)
def test_what_somebody_is_told_of(line: str, lasting: bool) -> None:
    """A day's quota, and what only a person can mend, raise the alarm; a busy moment does not."""
    assert classify(said("MAIL", line)).lasting is lasting


def test_every_refusal_means_something() -> None:
    """Any code to any command has a verdict; and without words, only an answer to RCPT can be
    about the recipient."""
    for code, command in itertools.product(range(400, 600), ("MAIL", "RCPT", "DATA", ".", "")):
        verdict = classify(Reply(code, command=command))
        assert verdict.scope != "recipient" or command == "RCPT"
        assert verdict.scope == "relay" or verdict.kind == ("deferred" if code < 500 else "failed")


def test_an_acceptance_is_not_classified() -> None:
    """Asking what an acceptance refuses is a mistake of the caller."""
    with pytest.raises(ValueError, match="no refusal"):
        classify(Reply(250))


def test_retries_come_from_five_minutes_to_four_hours() -> None:
    """Waits double from 5 minutes and end at 4 hours; jitter never leaves that range."""
    assert [retry_after(n, 0.0) / 60 for n in range(1, 9)] == [5, 10, 20, 40, 80, 160, 160, 160]
    assert retry_after(1000, 0.0) == retry_after(6, 0.0)
    waits = [retry_after(n, jitter) for n in range(1, 50) for jitter in (0.0, 0.5, 0.999999)]
    assert min(waits) == 5 * 60
    assert max(waits) <= 4 * 3600
    assert retry_after(3, 0.5, 0.1) == pytest.approx(0.5)
