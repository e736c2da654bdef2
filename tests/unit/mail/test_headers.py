"""The header scanner."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from postroad.mail.headers import scan
from schemas.mail import HeaderFacts, Mailbox

POST = b"""\
Return-Path: <ada@example.org>
Delivered-To: team@lists.example
Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000
Delivered-To: forged@lists.example
Received: from c by a
 ; Mon, 1 Jan 2024 00:00:00 +0000
Authentication-Results: mx.example; dkim=pass
Message-ID:
 <one@example.org>
In-Reply-To: <zero@example.org> (yesterday)
References: <minus@example.org>
 <zero@example.org>
From: =?utf-8?q?Ada_=C3=9C?= <Ada@Example.org>
Sender: desk@example.org
Reply-To: ada@home.example
To: Team <team@lists.example>, bob@example.org
Cc: eve@example.org
Subject: =?utf-8?q?Gr=C3=BC?=
 =?utf-8?q?=C3=9Fe?= all
Date: Mon, 1 Jan 2024 00:00:00 +0000
List-Id: The other list <Other.Example.Org>
List-Post: <mailto:other%2Bx@example.org?subject=a>, NO
X-BeenThere: other@example.org
Precedence: List
Auto-Submitted: auto-replied (vacation); owner-email="x@y"
X-Autoreply: yes
Content-Type: Multipart/Report; boundary="x";
 report-type=Delivery-Status

body
""".replace(b"\n", b"\r\n")


def facts(data: bytes, *trusted: str) -> HeaderFacts:
    """The facts alone."""
    return scan(data, trusted)[0]


def test_every_fact_is_found() -> None:
    """Each fact comes out decoded and normalised, and nothing was odd."""
    found, head = scan(POST, ["Delivered-To", "X-Original-To"])
    assert found == HeaderFacts(
        message_id="one@example.org",
        from_=(Mailbox(address="ada@example.org", name="Ada Ü"),),
        sender="desk@example.org",
        reply_to=(Mailbox(address="ada@home.example"),),
        to=(Mailbox(address="team@lists.example", name="Team"), Mailbox(address="bob@example.org")),
        cc=(Mailbox(address="eve@example.org"),),
        subject="Grüße all",
        date="Mon, 1 Jan 2024 00:00:00 +0000",
        in_reply_to="zero@example.org",
        references=("minus@example.org", "zero@example.org"),
        return_path="ada@example.org",
        list_ids=("other.example.org",),
        list_posts=("other+x@example.org",),
        been_there=("other@example.org",),
        received=2,
        auto_submitted="auto-replied",
        precedence="list",
        vendor_auto=("x-autoreply",),
        content_type="multipart/report",
        report_type="delivery-status",
        auth_results=("mx.example; dkim=pass",),
        trusted={"delivered-to": ("team@lists.example",)},
        oddities=(),
    )
    assert POST[head:] == b"body\r\n"


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_line_ends_make_no_difference(line_end: bytes) -> None:
    """CRLF, bare LF and bare CR end lines alike; the bare ones are named."""
    data = POST.replace(b"\r\n", line_end)
    found, head = scan(data)
    assert found.subject == "Grüße all"
    assert data[head:] == b"body" + line_end
    named = {b"\r\n": (), b"\n": ("bare LF in the headers",), b"\r": ("bare CR in the headers",)}
    assert found.oddities == named[line_end]


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"", b""),
        (b"A: b", b""),
        (b"A: b\r\n", b""),
        (b"A: b\r\n\r\n", b""),
        (b"A: b\r\n\r\nx", b"x"),
        (b"A: b\r\n\r\n\r\nx", b"\r\nx"),
        (b"A: b\n\nx\n\ny", b"x\n\ny"),
        (b"A: b\r\rx", b"x"),
        (b"A: b\r\n folded\r\n\r\nx", b"x"),
        (b"A: b\r\n \r\nC: d\r\n\r\nx", b"x"),  # white space alone continues a field
        (b"A: b\r\nno field\r\n\r\nx", b"no field\r\n\r\nx"),
        (b"no field at all", b"no field at all"),
        (b"\r\nA: b", b"A: b"),
        (b" A: b\r\n\r\nx", b" A: b\r\n\r\nx"),
        (b"A\xc3: b\r\n\r\nx", b"A\xc3: b\r\n\r\nx"),
        (b": b\r\n\r\nx", b": b\r\n\r\nx"),
        (b"From ada@example.org Mon Jan 1 00:00:00\nA: b\n\nx", b"x"),
        (b">From ada@example.org Mon Jan 1 00:00:00\nA: b\n\nx", b"x"),
        (b"From here on it is text\n\nx", b"From here on it is text\n\nx"),
    ],
)
def test_body_begins_where_the_fields_end(data: bytes, body: bytes) -> None:
    """After the empty line; where that is missing, at the first line that is no field."""
    assert data[scan(data)[1] :] == body


def test_only_what_stands_above_the_first_received_is_trusted() -> None:
    """A sender can write any header, but not above the first one our own server wrote."""
    data = b"Received: x\r\nDelivered-To: team@lists.example\r\n\r\n"
    assert facts(data, "Delivered-To").trusted == {}
    data = b"X-Original-To: team@lists.example\r\n" + data
    assert facts(data, "delivered-to", "X-ORIGINAL-TO").trusted == {
        "x-original-to": ("team@lists.example",)
    }


def test_trusted_headers_count_without_received() -> None:
    """A mail that no server touched has nothing to be below of."""
    data = b"Delivered-To: team@lists.example\r\n\r\n"
    assert facts(data, "Delivered-To").trusted == {"delivered-to": ("team@lists.example",)}


def test_second_from_does_not_hide() -> None:
    """The mailboxes of every From count, so that more than one author is seen."""
    found = facts(b"From: ada@example.org\r\nfrom: eve@example.org\r\nSubject: a\r\nSubject: b\r\n")
    assert [box.address for box in found.from_] == ["ada@example.org", "eve@example.org"]
    assert found.subject == "a"
    assert {"more than one from", "more than one subject"} <= set(found.oddities)


@pytest.mark.parametrize(
    ("value", "return_path"),
    [
        (b"<>", ""),
        (b" < >", ""),
        (b"<ada@Example.org>", "ada@example.org"),
        (b"ada@example.org", "ada@example.org"),
        (b"broken", None),
    ],
)
def test_null_sender_is_told_from_none(value: bytes, return_path: str | None) -> None:
    """`<>` is the null sender of bounces; no address at all is None."""
    assert facts(b"Return-Path: " + value + b"\r\n\r\n").return_path == return_path
    assert facts(b"Subject: x\r\n\r\n").return_path is None


@pytest.mark.parametrize(
    ("value", "message_id"),
    [
        (b"<a@b>", "a@b"),
        (b" \r\n <A$b+c@[x]>\r\n ", "A$b+c@[x]"),
        (b"no-brackets@host", "no-brackets@host"),
        (b"<>", ""),
        (b"", ""),
        (b"<a@b> <c@d>", "a@b"),
        (b"<a\0\x1bb@c>", "a b@c"),
        (b"<" + b"x" * 5_000 + b">", "x" * 998),
    ],
)
def test_message_id_is_kept_as_written(value: bytes, message_id: str) -> None:
    """Without its brackets, bounded, and never with a control character."""
    assert facts(b"Message-ID:" + value + b"\r\n\r\n").message_id.replace("  ", " ") == message_id


@pytest.mark.parametrize(
    ("field", "fact", "value"),
    [
        (b"List-Id: <a.b>", "list_ids", ("a.b",)),
        (b"List-Id: a.b", "list_ids", ("a.b",)),
        (b'List-Id: "x <y>" <A.b>', "list_ids", ("a.b",)),
        (b"List-Id: <>", "list_ids", ()),
        (b"List-Post: NO", "list_posts", ()),
        (b"Auto-Submitted: No", "auto_submitted", "no"),
        (b"X-Autoreply: no", "vendor_auto", ()),
        (b"Precedence: bulk, x", "precedence", "bulk"),
        (b"Content-Type: text", "content_type", ""),
        (b"Subject : x", "subject", "x"),
        (b"Subject: \xfcber", "subject", "über"),
        (b"Subject: \xc3\xbcber", "subject", "über"),
        (b"Subject: a\0b\x07", "subject", "a b"),
        (b"SUBJECT:x", "subject", "x"),
    ],
)
def test_forms_seen_in_the_field(field: bytes, fact: str, value: object) -> None:
    """Old, sloppy and hostile forms of a field come out as what they mean."""
    assert getattr(facts(field + b"\r\n\r\n"), fact) == value


@pytest.mark.parametrize(
    ("data", "oddity"),
    [
        (b"", "no header fields"),
        (b"text", "no header fields"),
        (b"A: b\r\n", "no empty line after the headers"),
        (b"A : b\r\n\r\n", "space before a colon"),
        (b"A: \0\r\n\r\n", "NUL in the headers"),
        (b"A: \xff\r\n\r\n", "8-bit octets in the headers"),
        (b"A: b\r\n" * 1_001 + b"\r\n", "header fields after the first 1000 ignored"),
        (b"A: " + b"b" * 70_000 + b"\r\n\r\n", "a field longer than 65536 octets cut"),
        ((b"A: " + b"b" * 60_000 + b"\r\n") * 2, "headers after the first 102400 octets ignored"),
        (b"To: <a@b.c>d\r\n\r\n", "to: address left out: text after the closing bracket"),
    ],
)
def test_what_is_odd_is_named(data: bytes, oddity: str) -> None:
    """What was cut, left out or broken is named, so that rules and people can see it."""
    assert oddity in facts(data).oddities


def test_body_is_found_beyond_the_bounds() -> None:
    """Bounds cut what is considered, never where the body begins."""
    for data in (b"A: b\r\n" * 50_000, b"A: b\r\n" + b" c\r\n" * 50_000):
        assert data[scan(data + b"\r\nbody")[1] :] == b""
        assert scan(data + b"\r\nbody")[1] == len(data) + 2


def test_cut_header_gives_no_half_address() -> None:
    """An address that the bound cuts in two is left out, not shortened."""
    filler = b"x@y.example," * 8_000
    found = facts(b"To: a@b.example, " + b" " * 65_506 + b"ada@example.org.evil\r\nCc:" + filler)
    assert [box.address for box in found.to] == ["a@b.example"]
    assert {box.address for box in found.cc} == {"x@y.example"}


BOMBS = {
    "lone quotation mark": b'From: "',
    "open bracket": b"From: <@",
    "empty message id": b"Message-ID: <>",
    "open comments": b"To: " + b"(" * 5_000,
    "nested multiparts": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" * 10_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?=41?= " * 175_000,
    "parameters": b"Content-Type: text/plain" + b"; x*0*=y" * 235_000,
    "one header line": b"X: " + b"a" * 20_000_000,
    "huge day": b"Date: Mon, " + b"9" * 5_000 + b" Jan 2024 00:00:00 +0000",
    "many fields": b"From: a@b\n" * 500_000,
    "many folds": b"Subject: x\r\n" + b" y\r\n" * 500_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_scanned_within_a_second(name: str) -> None:
    """Ten times what stalls the standard library's parser takes under a second here."""
    data = BOMBS[name] + b"\r\n\r\nbody"
    start = time.process_time()
    found, head = scan(data, ["to", "from"])
    assert time.process_time() - start < 1
    assert 0 <= head <= len(data)
    assert len(found.subject) <= 1_000


def test_carriage_return_makes_a_field_as_it_will_on_the_wire() -> None:
    """A bare CR ends a line for the scanner as it does for the canonical form that is sent."""
    found = facts(b"Subject: a\rTo: x@y.example\r\n\r\n")
    assert (found.subject, found.to[0].address) == ("a", "x@y.example")
    assert "bare CR in the headers" in found.oddities


def test_every_corpus_file_is_scanned(corpora: Path) -> None:
    """Whatever the file, nothing is raised, it takes under a second, and all text is printable."""
    paths = [path for path in corpora.rglob("*") if path.is_file()]
    assert len(paths) > 600
    for path in paths:
        data = path.read_bytes()
        start = time.process_time()
        found, head = scan(data, ["Delivered-To", "To"])
        assert time.process_time() - start < 1, path
        assert 0 <= head <= len(data)
        shown = (found.subject, found.message_id, found.date, *found.oddities, *found.references)
        assert all(text.replace("\u200d", "").replace("\u200c", "").isprintable() for text in shown)
