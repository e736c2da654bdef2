"""No octet that anybody writes becomes a header field of a copy, whichever field it goes through;
and what is the author's stays the author's, octet for octet. Read by a reader of its own."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.mail.headers import scan
from postroad.mail.wire import canonical, folded, wrapped
from services.membership.refused import Refused
from services.membership.settings import parse
from services.sender.compose import Terms
from tests.peers.composed import DOMAIN, composed

FIELDS = (
    *("From", "Sender", "Reply-To", "To", "Cc", "Subject", "Message-ID", "In-Reply-To"),
    *("References", "Date", "X-BeenThere", "List-Id", "Content-Type", "X-Original-From"),
)
BREAKS = (
    *(
        "\r",
        "\n",
        "\r\n",
        "\0",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x85",
        "\u2028",
        "\u2029",
        "=0A",
        "=0D=0A",
    ),
    *("=?utf-8?q?=0D=0A?=", "=?utf-8?q?=0A?= ", "=?utf-8?b?DQo=?=", "=?utf-8?q?=E2=80=A8?="),
)
VALUES = (
    'Ann "A{}Evil: yes" <ann@example.net>',
    "A{}Evil: yes <ann@example.net>",
    "=?utf-8?q?A{}Evil=3A_yes?= <ann@example.net>",
    "<1{}Evil: yes@example.net>",
    "text/plain; x=a{}Evil: yes",
)
OURS = {
    *("from", "reply-to", "to", "cc", "message-id", "references", "in-reply-to", "subject"),
    *("list-id", "list-post", "list-help", "list-subscribe", "list-unsubscribe", "list-owner"),
    *("list-unsubscribe-post", "list-archive", "archived-at", "message-id-hash", "precedence"),
    *("x-beenthere", "x-postroad-trace", "x-postroad-copy", "x-original-from"),
    *("x-original-message-id", "dkim-signature", "arc-seal", "arc-message-signature"),
    *("arc-authentication-results", "mime-version", "content-type", "content-transfer-encoding"),
}
ONCE = ("from", "sender", "reply-to", "to", "cc", "subject", "message-id", "date", "precedence")
OWN_DOMAIN = Terms(takes="own_domain", domains=frozenset((DOMAIN,)))
ACCOUNT = f"me@{DOMAIN}"
ONE_SENDER = Terms(takes=ACCOUNT, envelope=ACCOUNT, keeps_message_id=False)
LISTS: tuple[dict[str, Any], ...] = (
    {},
    {"munged": True, "signed": True},
    {"terms": OWN_DOMAIN, "reply_goes_to_list": "point_to_list"},
    {"terms": ONE_SENDER, "munged": True, "first_strip_reply_to": True},
    {"anonymous_list": True, "header": "$user_email", "footer": "$unsubscribe"},
)
_NAME = re.compile(rb"([!-9;-~]+):")


def strictly(mail: bytes, *, whole: bool = True) -> list[bytes]:
    """The fields of a mail by RFC 5322 alone, unfolded nowhere; fails for what is no header,
    unless it may break off."""
    head, empty, _ = mail.partition(b"\r\n\r\n")
    assert empty or not head
    found: list[bytes] = []
    for line in head.split(b"\r\n"):
        assert not set(line) & set(b"\r\n")
        if line[:1] in (b" ", b"\t"):
            assert line.strip(), "a line of blanks ends a header for some"
            found[-1] += b"\r\n" + line
        else:
            if not whole and not _NAME.match(line):
                break
            assert _NAME.match(line), line
            found.append(line)
    return found


def names(fields: list[bytes]) -> Counter[str]:
    """How often each field stands there."""
    return Counter(field.partition(b":")[0].decode().strip().lower() for field in fields)


def sent(mail: bytes, *, whole: bool = True, **how: Any) -> list[bytes]:
    """The fields of one member's copy."""
    copy = composed(mail, personal=True, address="b\r\nEvil: yes@b.example", **how)
    return strictly(copy.partition(b"\r\n")[2], whole=whole)


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_brings_another(field: str) -> None:
    """Every field with every line end in it, raw and encoded, at lists of every kind: a copy has
    no field but ours and those that the mail had, and none twice that may stand once."""
    for char, value in product(BREAKS, VALUES):
        ordinary = {"From": "Ann <ann@example.net>", "To": f"team@{DOMAIN}", "Subject": "Tea"}
        ordinary[field] = value.format(char)
        head = "".join(f"{name}: {text}\r\n" for name, text in ordinary.items())
        mail = head.encode() + b"\r\nHello\r\n"
        whole = char not in ("\r", "\n", "\r\n")  # those are line ends, of the author's own
        had = names(strictly(canonical(mail), whole=whole))
        for how in LISTS:
            copy = names(sent(mail, whole=whole, **how))
            assert set(copy) <= {*OURS, *had}, (char, value, how)
            assert copy["evil"] <= had["evil"]
            assert all(copy[name] <= 1 for name in ONCE), (char, value, how)


TEXTS = st.lists(
    st.sampled_from(["A", " ", "ü", "Evil: yes", "<e@v.il>", '"', "\\", ",", "@", "=?", "?="])
    | st.sampled_from(BREAKS),
    max_size=6,
).map("".join)
NAMED = ("display_name", "description", "subject_prefix", "reply_to_address", "header", "footer")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMED), TEXTS), st.sampled_from(LISTS))
def test_no_setting_brings_a_field(typed: dict[str, str], how: dict[str, Any]) -> None:
    """What an owner may type is refused, or stands where it belongs."""
    try:
        known = parse({"reply_goes_to_list": "explicit_header", **typed})
    except Refused:
        return
    mail = f"From: Ann <ann@example.net>\r\nTo: team@{DOMAIN}\r\nSubject: Tea\r\n\r\nHello\r\n"
    copy = names(sent(mail.encode(), **{**how, **known}))
    assert set(copy) <= {*OURS, "to"}
    assert all(copy[name] <= 1 for name in ONCE)


def test_real_mail_stays_the_authors(corpora: Path) -> None:
    """Of every mail of the corpora: each field that the list does not set or take off stands in the
    copy as it did, octet for octet and in its order; and so does the body."""
    paths = [path for path in corpora.rglob("*") if path.is_file()]
    assert paths
    gone = re.compile(
        rb"(?i)(list-.*|x-postroad-.*|archived-at|(x-)?message-id-hash|x-beenthere|subject|precedence"
        rb"|message-id|disposition-notification-(to|options)|return-receipt-(to|requested)"
        rb"|read-receipt-to|x-confirm-reading-to|x-pmrqc|(x-)?approved?|urgent|errors-to"
        rb"|return-path|(x-)?delivered-to|x-original-to|(x-)?envelope-to|(resent-)?bcc"
        rb"|authentication-results)"
    )
    for path in paths:
        mail = path.read_bytes()
        head = scan(mail)[1]
        copy = composed(mail, personal=True, web=False)
        assert copy.endswith(wrapped(canonical(mail[head:]))), path.name
        block = folded(canonical(mail[:head]))
        try:
            theirs = strictly(block)
        except AssertionError:
            continue  # no header, or one that breaks off
        kept = [each for each in theirs if not gone.fullmatch(each.partition(b":")[0].strip())]
        ours = iter(strictly(copy.partition(b"\r\n")[2]))
        assert all(each in ours for each in kept), path.name
