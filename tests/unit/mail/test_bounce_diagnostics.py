"""What servers say when they refuse a mail, as they say it, and what that means."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from postroad.mail.bounce import Kind
from postroad.mail.bounce.classify import kind_of
from postroad.mail.bounce.codes import written

NOBODY = [
    "550 5.1.1 <joe@example.com>: Recipient address rejected: User unknown in local table",
    (
        "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 "
        "double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces."
    ),
    "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).",
    "554 delivery error: dd This user doesn't have a yahoo.com account (joe@yahoo.com) [-5]",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; joe@example.com not found by SMTP lookup",
    "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [BL2NAM06FT008.example]",
    "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found",
    "Sorry, no mailbox here by that name. (#5.1.1)",
    "Sorry, I couldn't find any host named example.invalid. (#5.1.2)",
    (
        "Host or domain name not found. Name service error for name=example.invalid type=AAAA: "
        "Host not found"
    ),
    "550 No such user here",
    "550 Unknown user: joe",
    "550 5.2.1 The email account that you tried to reach is disabled.",
    "554 5.7.1 <joe@example.com>: Recipient address rejected: user joe@example.com does not exist",
    "User joe (joe@example.com) not listed in Domino Directory",
    "550 Mailbox not found",
    "550 Account has been suspended",
    "550 5.1.6 recipient no longer on server: joe@example.com",
    "550 <joe@example.com>, Recipient unknown",
    "553 sorry, that domain isn't in my list of allowed rcpthosts; mailbox does not exist here",
    "550 Invalid recipient <joe@example.com> (state 14)",
    "550 Requested action not taken: mailbox unavailable",
    "553 5.1.3 Bad destination mailbox address syntax",
    "all relevant MX records point to non-existent hosts",
    "unrouteable address",
    (
        "556 5.1.10 <joe@example.com>: Recipient address rejected: Domain does not accept "
        "mail (nullMX)"
    ),
    "550 5.1.1 sid: no such user",
    "Benutzer unbekannt",
    "L'utilisateur est inconnu",
    "El usuario no existe",
    "宛先のユーザが存在しません",
    "用户不存在",
]
FULL = [
    "552 5.2.2 <joe@example.com>: Recipient address rejected: Mailbox full",
    "452-4.2.2 The email account that you tried to reach is over quota. Please direct",
    "550 5.2.2 <joe@example.com>... Mailbox size limit exceeded",
    "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiException",
    "552 Requested mail action aborted: exceeded storage allocation",
    "maildir delivery failed: error writing message: Disk quota exceeded",
    "The e-mail message could not be delivered because the user's mailfolder is full.",
    "550 User has exhausted allowed storage space.",
    "Das Postfach des Empfängers ist voll",
    "La boîte aux lettres du destinataire est pleine",
    "メールボックスの容量を超えています",
    "552 5.1.1 Mailbox delivery failure policy error: mailbox quota exceeded",
    "Delivery failed: Over quota",
]
REFUSED = [
    "550-5.7.26 Unauthenticated email from example.com is refused by its domain's DMARC policy",
    "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
    "550 5.7.1 Message rejected as spam by Content Filtering.",
    (
        "550-5.7.1 [192.0.2.1      12] Our system has detected that this message is likely "
        "unsolicited mail."
    ),
    "550 5.7.515 Access denied, sending domain example.com does not meet the required level",
    "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; not authenticated",
    "550 SPF check failed",
    "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.example.com/",
    "550 5.1.8 <bounces@example.org>: Sender address rejected: Domain not found",
    "554 5.7.1 <joe@example.com>: Relay access denied",
    "550 relay not permitted",
    "550 5.7.1 Unable to relay for joe@example.com",
    "550 Your IP 192.0.2.1 has been blacklisted",
    "554 Your access to this mail system has been rejected due to poor reputation",
    "552 5.3.4 Message size exceeds fixed maximum message size",
    "5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
    "550 This message contains a virus (Eicar-Test-Signature)",
    "550 5.7.25 The IP address sending this message does not have a PTR record setup",
    "571 Delivery not authorized, message refused",
    "554 rejected due to spam content",
    "550 5.1.1 rejected: sender is listed at bl.example.net",
    "554 Denied by policy",
]
LATER = [
    "451 4.7.1 Greylisting in action, please come back later",
    "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
    "connect to mx.example.com[192.0.2.25]:25: Connection timed out",
    "connect to mx.example.com[192.0.2.25]:25: Connection refused",
    "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)",
    "retry timeout exceeded",
    "450 4.2.1 The user you are trying to contact is receiving mail too quickly.",
    "452 4.3.1 Insufficient system storage",
    "lost connection with mx.example.com while sending RCPT TO",
    "Delivery time expired",
    "550 4.4.7 QUEUE.Expired; message expired",
    "421 Too many concurrent SMTP connections; please try again later.",
    "Host not found, try again",
    "450 4.1.1 <joe@example.com>: Recipient address rejected: unverified address: timed out",
    "451 temporary local problem - please try later",
]
# Why is not told: it failed for good, which is all there is to say.
SAYS_NOTHING = ["550 5.0.0 Failed", "554 Transaction failed", ""]
CASES: list[tuple[str, Kind]] = [
    *((said, "hard") for said in NOBODY),
    *((said, "full") for said in FULL),
    *((said, "policy") for said in REFUSED),
    *((said, "soft") for said in LATER),
    *((said, "hard") for said in SAYS_NOTHING),
]


@pytest.mark.parametrize(("said", "kind"), CASES)
def test_what_a_server_says_has_a_class(said: str, kind: Kind) -> None:
    """Codes and words together tell who or what was refused, whatever the form."""
    assert kind_of(written(said), said) == kind


def right(half: str) -> tuple[int, list[tuple[str, Kind, str]]]:
    """How many sayings a half of `said.toml` has, and those whose class is another."""
    file = Path(__file__).parent / "bounces" / "said.toml"
    sayings: dict[str, list[str]] = tomllib.loads(file.read_text("utf-8"))[half]
    told = [
        (kind, kind_of(written(said), said), said) for kind in sayings for said in sayings[kind]
    ]
    return len(told), [each for each in told if each[0] != each[1]]


def test_what_vendors_document_has_a_class() -> None:
    """Sayings of many servers, in sixteen languages."""
    count, wrong = right("learnt")
    assert count >= 80
    assert not wrong


def test_what_was_not_looked_at_has_its_class_too() -> None:
    """Of those that the table of phrases was not written from, at least 95 of 100."""
    count, wrong = right("held")
    assert count >= 80
    assert len(wrong) <= count * 0.05, wrong


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("451 4.7.1 Client host rejected: cannot find your hostname", "policy"),
        ("451 4.7.1 Greylisted, try again later", "soft"),
        ("421 4.7.0 Temporarily deferred, too many complaints", "soft"),
        ("450 4.1.1 User unknown in local table", "soft"),
        ("452 4.2.2 Mailbox full", "full"),
        ("450 lost connection during HELO", "soft"),
    ],
)
def test_what_is_put_off_until_it_is_given_up(said: str, kind: Kind) -> None:
    """A refusal for now is soft, but for one of the mail itself, which is nobody's fault who has
    no copy; and a server's promise that it will pass counts before that."""
    assert kind_of(written(said), said) == kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("SMTP error from remote mail server after MAIL FROM:<x@y.example>: 550 unknown", "policy"),
        ("host mx.example said: 554 no such domain (in reply to MAIL FROM command)", "policy"),
        ("host mx.example said: 550 no such user (in reply to RCPT TO command)", "hard"),
        ("host mx.example said: 550 no such user (in reply to end of DATA command)", "hard"),
        (">>> MAIL FROM:<x@y.example> SIZE=1234\n<<< 550 does not exist", "policy"),
    ],
)
def test_a_refusal_before_the_recipient_was_named_is_not_about_them(said: str, kind: Kind) -> None:
    """Whatever a server says to MAIL FROM, it cannot be said of who the mail is to."""
    assert kind_of(written(said), said) == kind
