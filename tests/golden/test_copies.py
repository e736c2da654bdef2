"""Golden files of copies, octet for octet as the relay gets them (dots undone).

`python -m tests.golden.test_copies`, run in the project's folder, writes them anew; look at the
difference before it is committed.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from postroad.mail.addresses import Form
from services.sender.compose import Terms
from tests.peers.composed import DOMAIN, composed

COPIES = Path(__file__).parent / "copies"
HEAD = b"""\
From: Ann <ann@example.net>
To: team@lists.example.org
Subject: Tea
Date: Sun, 20 Sep 2026 20:53:19 +0200
Message-ID: <1@example.net>
MIME-Version: 1.0
"""
TRACE = b"""\
Return-Path: <ann@example.net>
Delivered-To: lists@lists.example.org
Authentication-Results: mx.example.org; dkim=pass header.d=example.net
\theader.s=k1; spf=pass smtp.mailfrom=ann@example.net; dmarc=pass header.from=example.net
Received: from mail.example.net by mx.example.org; Sun, 20 Sep 2026 20:53:20 +0200
DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=k1; h=from:subject; bh=AA==; b=AA==
"""
TEXT = b"""\
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

At five?
.
Ann
"""
POST = TRACE + HEAD + TEXT
FOOTER = (
    "_" * 47
    + "\n$display_name mailing list -- $listname\nSent to $user_email; to leave: $unsubscribe"
)
KINDS = {
    "text": b"Content-Type: text/plain; format=flowed\n\nAt five? \nOr six?\n",
    "mixed": b"""\
Content-Type: multipart/mixed; boundary="parts"

--parts

At five?
--parts
Content-Type: text/calendar
Content-Disposition: attachment

BEGIN:VCALENDAR
--parts--
""",
    "wrapped": b"""\
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>At caf=C3=A9 five?</p>
""",
    "signed": b"""\
Content-Type: multipart/signed; boundary="parts"; protocol="application/pgp-signature"

--parts

At five?
--parts
Content-Type: application/pgp-signature

...
--parts--
""",
}
SUB_ADDRESSES: tuple[Form, ...] = ("plus", "none")
ONE_SENDER = Terms(
    takes="lists@lists.example.org",
    envelope="lists@lists.example.org",
    keeps_message_id=False,
)
OWN_DOMAIN = Terms(takes="own_domain", domains=frozenset((DOMAIN,)))
# A mail that has been everywhere, and wants to know everything.
TRAVELLED = b"""\
Disposition-Notification-To: ann@example.net
Approved: secret
X-Postroad-Copy: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa
List-Id: Old <old.example.com>
List-Software: elsewhere
Archived-At: <https://phish.example/1>
X-BeenThere: old@example.com
User-Agent: Mail of Ann's laptop
X-Originating-IP: [192.0.2.7]
Reply-To: Ann's desk <desk@example.net>
Cc: "Bob, of the \xe4" <bob@example.com>,
\tAnn <ann@example.net>
From: "Lee, Ann (home)" <ann@example.net>
To: team@lists.example.org
Subject: =?iso-8859-1?q?Gr=FC=DFe?=
\t=?koi8-r?b?/sHK?= and
  more
Date: Sun, 20 Sep 2026 20:53:19 +0200
Message-ID: <1@anns-laptop.example.net>
"""
ABOVE = "$display_name: $listname\n> for $user_email"


def changed(post: bytes = TRAVELLED + TEXT, **how: Any) -> bytes:
    """A personal copy of a list whose owner wants something."""
    return composed(post, personal=True, web=False, **how)


@cache
def made() -> dict[str, bytes]:
    """Every golden file by name."""
    files = {
        f"{mode}_{how}.eml": composed(POST, personal=mode == "personal", signed=how == "signed")
        for mode in ("personal", "shared")
        for how in ("signed", "unsigned")
    }
    for mode in ("personal", "shared"):
        personal = mode == "personal"
        files[f"{mode}_without_web.eml"] = composed(POST, personal=personal, web=False)
        files[f"{mode}_footer_and_keys.eml"] = composed(
            POST, personal=personal, signed=True, footer=FOOTER
        )
        for form in SUB_ADDRESSES:
            files[f"{mode}_{form}.eml"] = composed(POST, personal=personal, form=form)
        for kind, content in KINDS.items():
            files[f"{mode}_footer_{kind}.eml"] = composed(
                HEAD + content, personal=personal, footer=FOOTER
            )
    for kind, content in KINDS.items():
        files[f"header_{kind}.eml"] = changed(HEAD + content, header=ABOVE)
    to_list: dict[str, Any] = {"reply_goes_to_list": "point_to_list"}
    desk = "help@lists.example.org"
    to_desk: dict[str, Any] = {"reply_goes_to_list": "explicit_header", "reply_to_address": desk}
    return {
        **files,
        "personal_one_sender.eml": composed(POST, personal=True, signed=True, terms=ONE_SENDER),
        "travelled.eml": changed(),
        "travelled_munged.eml": changed(munged=True),
        "travelled_relay_own_domain.eml": changed(terms=OWN_DOMAIN),
        "travelled_munged_one_sender.eml": changed(munged=True, terms=ONE_SENDER),
        "plain_munged.eml": changed(POST, munged=True),
        "reply_to_list.eml": changed(**to_list),
        "reply_to_list_only.eml": changed(**to_list, first_strip_reply_to=True),
        "reply_to_list_munged.eml": changed(**to_list, munged=True),
        "reply_to_address.eml": changed(POST, **to_desk),
        "reply_to_nobody.eml": changed(first_strip_reply_to=True),
        "without_links.eml": changed(POST, include_rfc2369_headers=False),
        "anonymous.eml": changed(TRACE + TRAVELLED + TEXT, anonymous_list=True, signed=True),
    }


@pytest.mark.parametrize("name", sorted(made()))
def test_copies_are_what_was_looked_at(name: str) -> None:
    """The header set of each kind of copy, signed and unsigned, is what somebody has approved."""
    assert (COPIES / name).read_bytes() == made()[name]


@pytest.mark.parametrize("name", ["personal_signed.eml", "personal_footer_and_keys.eml"])
def test_one_click_is_under_every_signature(name: str) -> None:
    """Both fields of RFC 8058 stand in h= of each DKIM signature, twice, so that no other can be
    added; the link is https, and its token that of the mailto link."""
    head = (COPIES / name).read_bytes().partition(b"\r\n\r\n")[0]
    lines = re.sub(rb"\r\n[ \t]+", b" ", head).split(b"\r\n")
    ours = [line for line in lines if line.startswith(b"DKIM-Signature:") and b"x=" in line]
    assert len(ours) == 2
    for line in ours:
        (named,) = re.findall(rb"; h=([^;]+);", line)
        fields = named.replace(b" ", b"").split(b":")
        assert fields.count(b"list-unsubscribe") == 2
        assert fields.count(b"list-unsubscribe-post") == 2
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
    (way_out,) = (line for line in lines if line.startswith(b"List-Unsubscribe: "))
    assert re.search(rb"<https://[^>]+/u/team-([a-z2-7]{32})>, <mailto:team-leave\+\1@", way_out)


def test_an_anonymous_copy_names_nobody() -> None:
    """Neither the author nor where they wrote, nor to whom else, stands anywhere, signatures and
    seal included."""
    found = made()["anonymous.eml"].lower()
    for word in (b"example.net", b"laptop", b"192.0.2.7", b"desk", b"lee", b"bob"):
        assert word not in found


def test_no_golden_copy_is_left_over() -> None:
    """A file without a kind is a kind that got lost."""
    assert {path.name for path in COPIES.iterdir()} == {*made()}


if __name__ == "__main__":
    COPIES.mkdir(exist_ok=True)
    for name, data in made().items():
        (COPIES / name).write_bytes(data)
