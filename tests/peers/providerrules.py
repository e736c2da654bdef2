"""What each provider's SMTP server demands, as data; `tests.peers.provider` enforces it.

From the providers' own pages: Google's sending limits and list of SMTP errors, Microsoft's pages on
SMTP AUTH submission (three connections, 30 messages a minute, 10,000 recipients a day, SendAs),
the SES Developer Guide (quotas, SMTP response codes, header fields it overwrites), and Postfix's
documentation. Two things are not written down anywhere and are guesses on the strict side: that
Microsoft refuses the null sender, and at which command each quota is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Treatment = Literal["any", "rewrite", "refuse"]


@dataclass(frozen=True, kw_only=True)
class Bounce:
    """How a delivery report looks: who writes it, its subject, what it returns of the mail."""

    sender: str
    subject: str
    returned: Literal["message/rfc822", "text/rfc822-headers"]
    extra: str = ""  # further fields; {recipient} and {message_id} are filled in


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one provider; limits of 0 do not exist.

    `sender` and `envelope` say what happens to a From and an envelope sender that are not the
    account's (where `identities` are given: not of one of these domains). Replies may hold
    {address} or {account}.
    """

    name: str
    greeting: str = "220 provider.localhost ESMTP"
    login: bool = True
    no_login: str = "530 5.7.0 Authentication Required"
    bad_login: str = "535 5.7.8 Username and Password not accepted"
    sender: Treatment = "any"
    not_yours: str = ""
    envelope: Treatment = "any"
    not_your_envelope: str = ""
    no_null_sender: str = ""  # the refusal of MAIL FROM:<>; "": taken, or rewritten
    own_ids: str = ""  # the domain of Message-IDs it writes anew; "": it keeps them
    recipients: int = 0  # of one message
    too_many: str = "452 4.5.3 Your message has too many recipients"
    connections: int = 0
    too_many_connections: str = ""
    per_minute: int = 0  # messages
    too_fast: str = ""
    daily: int = 0  # recipients in 24 hours
    over_quota: str = ""
    bounce: Bounce


GMAIL = Rules(
    name="gmail",
    greeting="220 smtp.gmail.com ESMTP - gsmtp",
    no_login="530-5.7.0 Authentication Required.\n5.7.0 For more information, go to help - gsmtp",
    bad_login="535 5.7.8 Username and Password not accepted. a1b2c3-42 - gsmtp",
    sender="rewrite",
    envelope="rewrite",
    recipients=100,
    too_many="452 4.5.3 Your message has too many recipients. d4e5f6-42 - gsmtp",
    too_fast="421 4.7.0 Try again later, closing connection. g7h8i9-42 - gsmtp",
    daily=500,
    over_quota="550 5.4.5 Daily user sending limit exceeded. {serial} - gsmtp",
    bounce=Bounce(
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        subject="Delivery Status Notification (Failure)",
        returned="message/rfc822",
        extra="X-Failed-Recipients: {recipient}\r\nIn-Reply-To: {message_id}\r\n"
        "References: {message_id}\r\n",
    ),
)

MICROSOFT = Rules(
    name="microsoft365",
    greeting="220 localhost Microsoft ESMTP MAIL Service ready",
    no_login="530 5.7.57 Client not authenticated to send mail. [localhost]",
    bad_login="535 5.7.3 Authentication unsuccessful [localhost]",
    sender="refuse",
    not_yours="554 5.2.252 SendAsDenied; {account} not allowed to send as {address}; "
    "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
    envelope="refuse",
    not_your_envelope="550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    no_null_sender="550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    recipients=500,
    too_many="452 4.5.3 Too many recipients",
    connections=3,
    too_many_connections="432 4.3.2 Concurrent connections limit exceeded. [localhost]",
    per_minute=30,
    too_fast="421 4.4.2 Message submission rate for this client has exceeded the configured limit",
    daily=10_000,
    over_quota="554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; "
    "Failed to process message due to a permanent exception [localhost]",
    bounce=Bounce(
        sender="Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@localhost>",
        subject="Undeliverable: {subject}",
        returned="message/rfc822",
    ),
)

SES = Rules(
    name="ses",
    greeting="220 email-smtp.amazonaws.com ESMTP SimpleEmailService",
    no_login="530 Authentication required",
    bad_login="535 Authentication Credentials Invalid",
    sender="refuse",
    not_yours="554 Message rejected: Email address is not verified. The following identities "
    "failed the check in region EU-WEST-1: {address}",
    envelope="refuse",
    not_your_envelope="554 Message rejected: Email address is not verified. The following "
    "identities failed the check in region EU-WEST-1: {address}",
    no_null_sender="501 Invalid MAIL FROM address provided",
    own_ids="eu-west-1.amazonses.com",
    recipients=50,
    too_many="452 Too many recipients",
    too_fast="454 Throttling failure: Maximum sending rate exceeded.",
    daily=50_000,
    over_quota="454 Throttling failure: Daily message quota exceeded.",
    bounce=Bounce(
        sender="MAILER-DAEMON@eu-west-1.amazonses.com",
        subject="Delivery Status Notification (Failure)",
        returned="message/rfc822",
    ),
)

POSTFIX = Rules(
    name="postfix",
    greeting="220 mail.example.org ESMTP Postfix",
    login=False,
    too_fast="450 4.7.1 Error: too much mail from 127.0.0.1",
    recipients=1_000,
    too_many="452 4.5.3 Error: too many recipients",
    bounce=Bounce(
        sender="Mail Delivery System <MAILER-DAEMON@mail.example.org>",
        subject="Undelivered Mail Returned to Sender",
        returned="text/rfc822-headers",
    ),
)

ALL = {rules.name: rules for rules in (GMAIL, MICROSOFT, SES, POSTFIX)}
