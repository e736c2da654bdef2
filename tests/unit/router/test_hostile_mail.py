"""Hostile mail by the kind of attack, from its octets to the verdict and, of posts, to a copy.

The other kinds have tests of their own, below tests/:

    loops, robots, backscatter   e2e/test_robots_are_stopped.py
    header injection             unit/router/test_nothing_is_injected.py
    smuggling                    e2e/test_socket_hostile.py, unit/mail/test_wire.py
    addresses, their grammar     unit/mail/test_addresses.py, test_mailboxes.py
    patterns that never end      unit/mail/test_patterns.py
    limits of workers            unit/router/content/test_workers.py
    the same Message-ID twice    broker/test_router_duplicates.py
    paths and programs           e2e/test_no_mail_opens_a_file.py, architecture/test_processes.py
    hostile servers              e2e/test_ingest_server_misbehaves.py
"""

from __future__ import annotations

import encodings
import pkgutil
import time
from email.message import EmailMessage
from encodings.aliases import aliases

import pytest

from postroad.mail.addresses import Match
from postroad.mail.headers import FIELDS, HEADER_OCTETS, decoded_fields, scan
from postroad.mail.identity import made_message_id
from postroad.mail.opening import opening
from postroad.mail.parts import DEPTH, PARTS, first_lines
from postroad.mail.structure import PARAMETERS
from postroad.runtime.clock import envelope
from schemas import codec
from schemas.road import MailStopped, PostRouted
from services.router import decider
from services.router.content.filtering import filtered
from services.router.content.job import Criteria
from services.router.context import Looked
from tests.peers.composed import composed
from tests.unit.mail.test_headers import BOMBS
from tests.unit.router.mails import MEMBER, received, the_list

CRITERIA = Criteria(filter_types=("image",), convert_html_to_plaintext=True)
SECONDS = 1.0  # of the processor, for a verdict
NAMES = {
    *aliases,
    *aliases.values(),
    *(each.name for each in pkgutil.iter_modules(encodings.__path__)),
}
NAMES |= {
    "x-evil",
    "rot13",
    "zlib_codec",
    "bz2",
    "idna",
    "punycode",
    "utf-7",
    "mbcs",
    "",
    "\0",
    "é",
}
POST = b"From: Ann <ann@example.org>\r\nTo: team@lists.example.org\r\nSubject: Tea\r\n"


def verdict(data: bytes, *, content: bool = True) -> PostRouted | MailStopped:
    """What a list that filters content decides on a member's mail, as it is stored and read back;
    of a post a copy is made as well. `content` is for mail that no worker would be asked about."""
    began = time.process_time()
    facts, _ = scan(data)
    looked = Looked(fields=decoded_fields(data), lines=first_lines(data, 10))
    if content:
        looked = Looked(fields=looked.fields, lines=looked.lines, filtered=filtered(data, CRITERIA))
    mail = received(facts, envelope_to=(the_list().address,), opening=opening(data, facts.subject))
    _, event = decider.decide(mail, Match("team"), the_list(), MEMBER, looked=looked)
    stored = codec.encode(envelope([event], correlation=mail.mail_id))
    assert time.process_time() - began < SECONDS
    assert codec.decode(stored).events == (event,)
    assert isinstance(event, PostRouted | MailStopped)
    if isinstance(event, MailStopped):
        assert event.verdict == "held"  # nothing that a member sends is lost
        assert all(hit.reason for hit in event.hits)
    elif len(data) < 1_000_000:
        composed(data, personal=True)
    return event


def why(data: bytes) -> str:
    """The reasons for which it waits, or nothing where it is a post."""
    event = verdict(data)
    return "; ".join(f"{hit.rule}: {hit.reason}" for hit in getattr(event, "hits", ()))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_malformed_charsets(name: str) -> None:
    """Row "malformed charset": each name of any codec of Python, in the header and of a part."""
    named = name.encode()
    for octets in (b"=41=FF=00=C3", b"+AGEAYg-", b"//8AAA=="):
        data = (
            POST
            + b"X: =?%b?q?=41=FF?= =?%b?b?/////w==?=\r\n" % (named, named)
            + b"Content-Type: text/html; charset=%b; name*=%b''%%41%%FF\r\n" % (named, named)
            + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>x "
            + octets
        )
        assert isinstance(verdict(data), PostRouted)


@pytest.mark.parametrize(
    "field",
    [
        b"Subject: a\0b",
        b"Subject: \xff\xfe \xe9",
        b"Sub\0ject: x",
        b"X-\xff: x",
        b'From: "A\0" <ann@example.org>',
        b"Message-ID: <\0\xff@x>",
        b"References: <\0> <\xff>",
        b"Content-Type: text/pl\0ain; charset=\0",
    ],
)
def test_nul_and_8bit_in_headers(field: bytes) -> None:
    """Row "NUL / 8bit in headers": a verdict, and octets that stay as they are in RAW."""
    for data in (POST + field + b"\r\n\r\nx", field + b"\r\n" + POST + b"\r\nx", field):
        verdict(data)


@pytest.mark.parametrize(
    ("data", "waits"),
    [
        (b"", "no-senders"),
        (b"\r\n", "no-senders"),
        (b"\0", "no-senders"),
        (b"To: team@lists.example.org\r\n\r\nx", "no-senders"),
        (b"From: \r\nTo: team@lists.example.org\r\n\r\nx", "no-senders"),
        (POST + b"Message-ID: <>\r\n\r\nx", ""),
        (POST + b"Message-ID:\r\n\r\nx", ""),
        (POST + b"Date: Mon, 99999 Jan 99999 99:99:99 +9999\r\n\r\nx", ""),
        (POST + b"Date: " + b"9" * 5_000 + b"\r\n\r\nx", ""),
        (b"Received: x; 99 Feb 99999 10:00 -9999\r\n" + POST + b"\r\nx", ""),
    ],
)
def test_what_is_missing_or_makes_no_sense(data: bytes, waits: str) -> None:
    """Row "0-byte mail, no From, empty Message-ID, dates in 99999": held for its author, or
    posted."""
    reasons = why(data)
    assert waits in reasons
    assert bool(waits) == bool(reasons)


def test_a_missing_message_id_is_ours_and_always_the_same() -> None:
    """Row "missing Message-ID": that of every copy, made of where the mail was found."""
    data = POST + b"\r\nx"
    copies = {composed(data, personal=True, address=f"{n}@example.net") for n in range(3)}
    made = f"Message-ID: <{made_message_id('0' * 32, the_list().address)}>".encode()
    assert all(made in copy for copy in copies)


def multipart(count: int, levels: int = 1) -> bytes:
    """A mail of so many texts within so many multiparts."""
    text = b"\r\n\r\ntext\r\n"
    for level in range(levels, 0, -1):
        line = b"--%d" % level
        inner = (line + text) * (count if level == levels else 1)
        text = b"\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n%b%b--\r\n" % (
            level,
            inner,
            line,
        )
    return POST.removesuffix(b"\r\n") + text


LIMITS = {
    "depth": (multipart(1, DEPTH), multipart(1, DEPTH + 1), "nested deeper than 30"),
    "parts": (multipart(PARTS - 1), multipart(PARTS), "more than 500 parts"),
    "parameters": (
        POST + b"Content-Type: text/plain" + b"; a=b" * PARAMETERS + b"\r\n\r\nx",
        POST + b"Content-Type: text/plain" + b"; a=b" * (PARAMETERS + 1) + b"\r\n\r\nx",
        "more than 1,000 parameters",
    ),
    "fields": (
        POST + b"X: y\r\n" * (FIELDS - 3) + b"\r\nx",
        POST + b"X: y\r\n" * FIELDS + b"\r\nx",
        "more than 1,000 fields",
    ),
    "octets of the header": (
        POST + b"X: y\r\n" * 900 + b"Y: " + b"y" * 60_000 + b"\r\n\r\nx",
        POST + (b"X: " + b"y" * 60_000 + b"\r\n") * (HEADER_OCTETS // 60_000 + 1) + b"\r\nx",
        "longer than 102,400 octets",
    ),
    "recipients": (
        POST + b"Cc: " + b", ".join(b"u%d@example.org" % n for n in range(8)) + b"\r\n\r\nx",
        POST + b"Cc: " + b", ".join(b"u%d@example.org" % n for n in range(2_000)) + b"\r\n\r\nx",
        "max-recipients",
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str) -> None:
    """Row "deep nesting, many parts, huge headers": at the limit a post, above it a mail that waits
    with the limit as its reason."""
    within, above, reason = LIMITS[name]
    assert why(within) == ""
    assert reason in why(above)


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    """Row "bombs": ten times what stalls the parser of the standard library; a verdict within a
    second."""
    verdict(POST + BOMBS[name] + b"\r\n\r\nbody", content=False)


@pytest.mark.parametrize(
    "author",
    [
        "a@good.example)b@evil.example",
        "<a@good.example>b@evil.example",
        "a@good.example <b@evil.example>",
        "a@good.example, b@evil.example",
        '"a@good.example" b@evil.example',
        "a@good.example(b@evil.example",
        "a@good.example\0@evil.example",
        "a@good.example@evil.example",
        "a@good.example:b@evil.example;",
        "=?utf-8?q?a=40good.example=2C?= <b@evil.example>, x",
        "a@ｇood.example",
        "\u212aa@good.example",
        "<a@good.example",
        "Group: ;",
    ],
)
def test_address_tricks(author: str) -> None:
    """Row "address parsing tricks": a From that two readers may read as two people is nobody's, and
    waits."""
    data = POST.replace(b"Ann <ann@example.org>", author.encode()) + b"\r\nx"
    assert "no-senders" in why(data)


def test_a_mail_in_a_name_is_a_name() -> None:
    """Row "address parsing tricks": a display name that shows another address is no address."""
    message = EmailMessage()
    message["From"] = '"a@good.example" <b@evil.example>'
    facts, _ = scan(message.as_bytes() + b"\n")
    assert [box.address for box in facts.from_] == ["b@evil.example"]


def test_zip_bombs_stay_closed() -> None:
    """Row "zip bombs": what is attached is never unpacked; its size is what it has on the wire."""
    packed = b"UEsDBBQAAAAIA" + b"AAAA" * 100_000
    data = (
        POST + b"Content-Type: application/zip; name=42.zip\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + packed
    )
    assert filtered(data, CRITERIA).pieces == ()
    verdict(data)
