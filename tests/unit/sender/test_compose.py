"""Copies: the header set of each, the body untouched, and whatever the mail is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import listheaders, wire
from postroad.mail.edits import edit
from postroad.mail.headers import scan
from postroad.mail.tokens import TokenMaker
from schemas.mail import HeaderEdit, RawRef
from schemas.road import Copy
from services.sender.compose import ANY, Prepared, Terms, prepare

TOKENS = TokenMaker(b"k" * 32)
ANN, BOB = "a" * 24, "b" * 24
MAIL_ID = "0198" + "0" * 28
TRACE = "f" * 32
POST = b"From: ann@example.org\nMessage-ID: <1@x>\nSubject: hi\n\n.first\nlast\n"
PREFIX = (edit("prefix", "Subject", "[Team]"),)


def copy_of(
    raw: bytes,
    *,
    personal: bool = True,
    url: str = "",
    edits: tuple[HeaderEdit, ...] = (),
    leave: tuple[str, str] = ("team-leave+", "@lists.example"),
    bounces: tuple[str, str] = ("team-bounces+", "@lists.example"),
    terms: Terms = ANY,
    address: str = "team@lists.example",
) -> Prepared:
    """The post prepared for the list team@lists.example, and a relay with these terms."""
    head = scan(raw)[1]
    ref = RawRef(mail_id=MAIL_ID, chunks=1, size=len(raw), sha256="", head=head)
    copy = Copy(
        raw=ref,
        edits=edits,
        personal=personal,
        list="team-lists-example",
        list_address=address,
        bounces=bounces,
        leave=leave,
        unsubscribe_url=url,
        post=7,
    )
    return prepare(raw, copy, TRACE, TOKENS, terms)


def plain(prepared: Prepared) -> bytes:
    """What arrives of a copy with no fields of the recipient's own."""
    return b"".join(prepared.shared()[1]).replace(b"\r\n.", b"\r\n").removeprefix(b".")


def header(data: bytes) -> list[str]:
    """The lines of the header, unfolded."""
    head = data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    return head.decode("ascii").split("\r\n")


# --- the header set --------------------------------------------------------------------------


def test_a_personal_copy() -> None:
    """A copy has its own envelope sender and its own way out; nothing else differs."""
    prepared = copy_of(POST, edits=PREFIX)
    sender, pieces = prepared.personal(3, ANN)
    verp = TOKENS.verp_token("team-lists-example", 7, 3)
    leave = TOKENS.leave_token("team-lists-example", ANN)
    assert sender == f"team-bounces+{verp}@lists.example"
    assert b"".join(pieces) == (
        b"List-Unsubscribe: <mailto:team-leave+%b@lists.example>\r\n"
        b"X-Postroad-Trace: %b\r\n"
        b"From: ann@example.org\r\nMessage-ID: <1@x>\r\nSubject: [Team] hi\r\n"
        b"\r\n..first\r\nlast\r\n"
    ) % (leave.encode(), TRACE.encode())


def test_one_click_wants_https() -> None:
    """With [web] on, the https way out comes first and one click is enough (RFC 8058); without,
    List-Unsubscribe-Post must not stand there."""
    lines = header(b"".join(copy_of(POST, url="https://lists.example/u/").personal(3, ANN)[1]))
    token = TOKENS.leave_token("team-lists-example", ANN)
    https, mailto = f"https://lists.example/u/{token}", f"mailto:team-leave+{token}@lists.example"
    assert lines[:2] == [
        f"List-Unsubscribe: <{https}>, <{mailto}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ]
    assert "List-Unsubscribe-Post" not in str(header(b"".join(copy_of(POST).personal(3, ANN)[1])))


def test_a_shared_copy_holds_no_token() -> None:
    """What all receive alike names neither a recipient nor a link that acts for one."""
    prepared = copy_of(POST, personal=False, url="https://lists.example/u/")
    sender, pieces = prepared.shared()
    assert sender == "team-bounces@lists.example"
    lines = header(b"".join(pieces))
    assert "List-Unsubscribe: <mailto:team-leave@lists.example>" in lines
    assert not any("https" in line or "+" in line or "One-Click" in line for line in lines)


@pytest.mark.parametrize(
    ("leave", "bounces", "way_out", "sender"),
    [
        (("team+leave-", "@x"), ("team+bounces-", "@x"), "<mailto:team+leave@x>", "team+bounces@x"),
        (("leave+", "@x"), ("bounces+", "@x"), "<mailto:leave@x>", "bounces@x"),
        (("team@x", ""), ("team@x", ""), "<mailto:team@x?subject=leave>", "team@x"),
        (("", ""), ("", ""), "", ""),
    ],
)
def test_each_form_of_sub_address(
    leave: tuple[str, str], bounces: tuple[str, str], way_out: str, sender: str
) -> None:
    """Sub-addresses with plus, short names, none at all, and mail that no list sends."""
    shared = copy_of(POST, personal=False, leave=leave, bounces=bounces).shared()
    assert shared[0] == sender
    assert [
        line.partition(" ")[2]
        for line in header(b"".join(shared[1]))
        if line.startswith("List-Unsubscribe:")
    ] == ([way_out] if way_out else [])
    token = TOKENS.leave_token("team-lists-example", ANN)
    personal = copy_of(POST, leave=leave, bounces=bounces).personal(1, ANN)
    assert (token in b"".join(personal[1]).decode()) == bool(way_out)


def test_ours_replace_those_of_others() -> None:
    """Another list's way out, or a forged trace, is gone; ours stands once."""
    forged = (
        b"List-Unsubscribe: <https://evil.example/>\nlist-unsubscribe-post: x\n"
        b"X-Postroad-Trace: 0\nList-Id: <other.example>\n" + POST
    )
    edits = listheaders.list_headers("team@lists.example", "Team", "dash")
    lines = header(b"".join(copy_of(forged, edits=edits).personal(1, ANN)[1]))
    for name in ("List-Unsubscribe", "X-Postroad-Trace", "List-Id"):
        assert len([line for line in lines if line.lower().startswith(name.lower() + ":")]) == 1
    assert not any("evil" in line or "other.example" in line for line in lines)


@pytest.mark.parametrize("field", [b"", b"Message-ID:\n", b"message-id: <>\n"])
def test_a_mail_without_message_id_gets_one_of_its_mail_id(field: bytes) -> None:
    """The id is the same in every copy and every attempt, so receivers can see doubles."""
    lines = header(plain(copy_of(field + b"Subject: x\n\nbody\n")))
    ids = [line for line in lines if line.lower().startswith("message-id")]
    assert ids == [f"Message-ID: <{MAIL_ID}@lists.example>"]


def test_the_body_is_one_object_in_all_copies() -> None:
    """A copy costs its own fields only: header and body are shared, not copied."""
    prepared = copy_of(POST)
    (_, *ann), (_, *bob) = prepared.personal(1, ANN)[1], prepared.personal(2, BOB)[1]
    assert [id(piece) for piece in ann] == [id(piece) for piece in bob]
    assert prepared.size == sum(map(len, ann))


# --- what the relay takes --------------------------------------------------------------------


def test_one_envelope_for_all() -> None:
    """Where each copy must have the same envelope sender, a field tells whose copy it is; a
    forged one is gone, and the copy that all share has none."""
    terms = Terms(envelope="me@gmail.com")
    prepared = copy_of(b"X-Postroad-Copy: forged\n" + POST, terms=terms)
    verp = TOKENS.verp_token("team-lists-example", 7, 3)
    sender, pieces = prepared.personal(3, ANN)
    lines = header(b"".join(pieces))
    assert sender == "me@gmail.com"
    assert [line for line in lines if "Copy" in line] == [f"X-Postroad-Copy: {verp}"]
    assert f"X-Postroad-Trace: {TRACE}" in lines
    assert any(TOKENS.leave_token("team-lists-example", ANN) in line for line in lines)
    sender, pieces = copy_of(POST, personal=False, terms=terms).shared()
    assert sender == "me@gmail.com"
    assert b"X-Postroad-Copy" not in b"".join(pieces)


def test_a_list_without_sub_addresses_names_the_copy_in_a_field() -> None:
    """Where the envelope has no room for a token, the field has it."""
    sender, pieces = copy_of(POST, bounces=("team@x", ""), leave=("team@x", "")).personal(3, ANN)
    verp = TOKENS.verp_token("team-lists-example", 7, 3)
    assert sender == "team@x"
    assert f"X-Postroad-Copy: {verp}" in header(b"".join(pieces))


def test_a_list_without_sub_addresses_is_left_by_subject() -> None:
    """The token to leave by stands whole behind the space in the Subject of the link."""
    _, pieces = copy_of(POST, bounces=("team@x", ""), leave=("team@x", "")).personal(3, ANN)
    leave = TOKENS.leave_token("team-lists-example", ANN)
    way_out = f"List-Unsubscribe: <mailto:team@x?subject=leave%20{leave}>"
    assert way_out in header(b"".join(pieces))


@pytest.mark.parametrize(
    ("terms", "address", "sender"),
    [
        (ANY, "team@x", ""),
        (Terms(envelope="me@x"), "team@x", ""),
        (Terms(null_sender=False, envelope="me@x"), "team@x", "me@x"),
        (Terms(null_sender=False), "team@x", "team-bounces@x"),
        (Terms(null_sender=False), "me+team@x", "me+team+bounces@x"),
    ],
)
def test_the_null_sender(terms: Terms, address: str, sender: str) -> None:
    """A notice has no sender; where the relay wants one, its own, else the list's for bounces.
    It is nobody's copy of a post: it has no token."""
    notice = copy_of(POST, bounces=("", ""), leave=("", ""), terms=terms, address=address)
    assert notice.shared()[0] == sender
    assert notice.personal(0, "")[0] == sender
    assert b"Copy" not in b"".join(notice.personal(0, "")[1])


@pytest.mark.parametrize(
    ("before", "references"),
    [
        ("", "<1@x>"),
        ("In-Reply-To: <0@x>", "<0@x> <1@x>"),
        ("References: <a@x> <b@x>", "<a@x> <b@x> <1@x>"),
        ("References: <1@x> <b@x>", "<b@x> <1@x>"),
    ],
)
def test_threads_without_our_message_id(before: str, references: str) -> None:
    """Where the relay writes Message-IDs anew, the author's ends References, once, and is kept."""
    raw = f"{before}\n".encode() * bool(before) + POST
    lines = header(plain(copy_of(raw, personal=False, terms=Terms(keeps_message_id=False))))
    assert f"References: {references}" in lines
    assert "X-Original-Message-ID: <1@x>" in lines
    assert "Message-ID: <1@x>" in lines
    assert "References: " not in str(header(plain(copy_of(POST))))


def test_no_two_copies_have_one_message_id_there() -> None:
    """Where the relay writes Message-IDs anew, each personal copy is given one of its own: Exchange
    takes a second mail with the same for a double."""
    post = copy_of(POST, terms=Terms(keeps_message_id=False))
    ids = set()
    for number, person in ((0, ANN), (1, BOB)):
        lines = header(b"".join(post.personal(number, person)[1]))
        (own,) = [line for line in lines if line.startswith("Message-ID: ")]
        ids.add(own)
        assert "X-Original-Message-ID: <1@x>" in lines
    assert len(ids) == 2


def test_edits_come_before_the_relay() -> None:
    """A Reply-To that the list puts in is one the mail has: the author goes into Cc."""
    edits = (edit("set", "Reply-To", "team@lists.example"),)
    lines = header(plain(copy_of(POST, edits=edits, terms=Terms(takes="me@gmail.com"))))
    assert "Reply-To: team@lists.example" in lines
    assert "Cc: <ann@example.org>" in lines
    assert "From: ann via team <me@gmail.com>" in lines


# --- whatever the mail is --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "arrives"),
    [
        (b"", b"T\r\nM\r\n\r\n"),
        (b"\n", b"T\r\nM\r\n\r\n"),
        (b"\r\nbody", b"T\r\nM\r\n\r\nbody\r\n"),
        (b"no header at all\n", b"T\r\nM\r\n\r\nno header at all\r\n"),
        (b" folded: nothing\n\nb\n", b"T\r\nM\r\n\r\n folded: nothing\r\n\r\nb\r\n"),
        (b"A: 1\nbroken off\n\nb\n", b"T\r\nM\r\nA: 1\r\nbroken off\r\n\r\nb\r\n"),
        (b"A: 1", b"T\r\nM\r\nA: 1\r\n"),
        (b"From a@b Mon\nA: 1\n\nb", b"T\r\nM\r\nA: 1\r\n\r\nb\r\n"),
        (b"A: 1\r\rb\rc", b"T\r\nM\r\nA: 1\r\n\r\nb\r\nc\r\n"),
        (b"A: 1\n\n.\n..\n", b"T\r\nM\r\nA: 1\r\n\r\n.\r\n..\r\n"),
    ],
)
def test_odd_mail_stays_in_order(raw: bytes, arrives: bytes) -> None:
    """No header, no body, a header that breaks off: our fields make a header, bytes keep their
    order, and nothing of the body becomes header."""
    arrives = arrives.replace(b"T\r\n", f"X-Postroad-Trace: {TRACE}\r\n".encode())
    arrives = arrives.replace(b"M\r\n", f"Message-ID: <{MAIL_ID}@lists.example>\r\n".encode())
    prepared = copy_of(raw, leave=("", ""))
    assert wire.dot_stuff(arrives) == b"".join(prepared.shared()[1])


def assert_unaltered(raw: bytes) -> None:
    """The personal copy of `raw` is sound on the wire, ours on top, and otherwise the author's."""
    facts, head = scan(raw)
    _, pieces = copy_of(raw, url="https://lists.example/u/").personal(1, ANN)
    data = b"".join(pieces)
    assert data.endswith(b"\r\n")
    assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")
    assert not data.startswith(b".")
    arrived = data.replace(b"\r\n.", b"\r\n")
    body_sent = wire.canonical(raw[head:])
    if max(map(len, body_sent.split(b"\r\n"))) > 998:  # which only adds line ends
        assert wire.wrapped(body_sent).replace(b"\r\n", b"") == body_sent.replace(b"\r\n", b"")
        body_sent = wire.wrapped(body_sent)
    assert max(map(len, arrived.split(b"\r\n"))) <= 998
    assert arrived[len(arrived) - len(body_sent) :] == body_sent
    assert arrived.startswith(b"List-Unsubscribe: <https://lists.example/u/")
    seen, body = scan(arrived)
    assert (seen.from_, seen.to, seen.subject, seen.date) == (
        (facts.from_, facts.to, facts.subject, facts.date)
    )
    assert seen.message_id == (facts.message_id or f"{MAIL_ID}@lists.example")
    assert arrived[body:] == body_sent


@given(
    st.lists(
        st.sampled_from(
            [b"A: 1", b"\n", b"\r", b"\r\n", b".", b" x", b"From: a@b.c", b":", b"\x00\xff", b"Z"]
        ),
        max_size=14,
    ).map(b"".join)
)
def test_any_octets_make_a_sound_copy(raw: bytes) -> None:
    """Any bytes at all become a mail with our fields, CRLF line ends and the author's body."""
    assert_unaltered(raw)


def test_every_corpus_mail_arrives_unaltered(corpora: Path) -> None:
    """The body of every copy of real and hostile mail equals the original byte for byte, after
    CRLF canonicalisation and but for breaks in lines too long; so do the fields that make it what
    it is."""
    files = [path for path in corpora.rglob("*") if path.is_file()]
    assert len(files) > 500
    for path in files:
        try:
            assert_unaltered(path.read_bytes())
        except AssertionError as error:
            raise AssertionError(str(path.relative_to(corpora))) from error
