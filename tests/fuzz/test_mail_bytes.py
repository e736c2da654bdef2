"""Properties of the scanner, the edits and the wire form, over any bytes."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.edits import apply, edit
from postroad.mail.headers import scan
from postroad.mail.tokens import TokenMaker
from postroad.mail.wire import canonical, dot_stuff
from postroad.mail.words import decode
from tests.unit.mail.smtpreader import read_data

PIECES = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b".",
            b" ",
            b"\t",
            b":",
            b"\0",
            b"\xff",
            b"a",
            b"<",
            b">",
            b'"',
            b"(",
        ),
        *(b"Subject: x", b"To: a@b.c", b"From ", b"=?utf-8?q?=C3?=", b"Received: x"),
        b"List-Id: <a.b>",
    ]
)
BYTES = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(b"".join))
VALUES = st.text(max_size=300)
MAKER = TokenMaker(bytes(32))


@given(BYTES)
def test_scan_never_raises(data: bytes) -> None:
    """Any bytes have facts, printable ones, and a body that begins somewhere in them."""
    found, head = scan(data, ["To", "Received"])
    assert 0 <= head <= len(data)
    for text in (found.subject, found.message_id, found.date, *found.list_ids, *found.oddities):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", text)


@given(BYTES)
def test_scanned_is_what_is_sent(data: bytes) -> None:
    """The canonical form has the same facts and the same body, so no reader downstream sees
    other headers than the rules did."""
    found, head = scan(data)
    sent, sent_head = scan(canonical(data))
    bare = ("bare CR in the headers", "bare LF in the headers")
    assert found.subject == sent.subject
    assert (found.from_, found.to, found.list_ids) == (sent.from_, sent.to, sent.list_ids)
    assert [odd for odd in found.oddities if odd not in bare] == list(sent.oddities)
    assert canonical(data[head:]) == canonical(data)[sent_head:]


@given(BYTES)
def test_wire_form_reads_back(data: bytes) -> None:
    """A strict reader gets exactly the canonical data, which has no bare CR or LF, only once."""
    lines = canonical(data)
    assert canonical(lines) == lines
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", lines)
    assert read_data(dot_stuff(lines) + b".\r\nNOOP\r\n") == (lines, b"NOOP\r\n")


@given(BYTES, BYTES)
def test_head_and_body_are_stuffed_apart(head: bytes, body: bytes) -> None:
    """Canonical pieces may be stuffed one by one."""
    head, body = canonical(head), canonical(body)
    assert dot_stuff(head) + dot_stuff(body) == dot_stuff(head + body)


@given(BYTES)
def test_no_edit_is_no_change(data: bytes) -> None:
    """Without edits a header block comes out as it went in, but for an mbox line."""
    head = scan(data)[1]
    block = canonical(data[:head])
    if block:
        assert block.endswith(apply(block, []))


@given(BYTES, VALUES)
def test_edits_keep_the_body_where_it_is(data: bytes, value: str) -> None:
    """However broken the mail, its body follows the edited header octet for octet, and a field
    we set is there exactly once."""
    try:
        change = edit("set", "X-Ours", value)
    except ValueError:
        return
    head = scan(data)[1]
    block, body = canonical(data[:head]), canonical(data[head:])
    edited = apply(block, [edit("add", "x-ours", "1"), change])
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", edited)
    after, after_head = scan(edited + body)
    assert (edited + body)[after_head:] == body
    assert len(re.findall(rb"(?mi)^x-ours[ \t]*:", edited)) == 1
    assert not {odd for odd in after.oddities if "CR" in odd or "LF" in odd}


@given(VALUES)
def test_one_value_is_one_field(value: str) -> None:
    """No value, whatever it holds, makes a second field; what is taken reads back the same."""
    try:
        change = edit("set", "Subject", value)
    except ValueError:
        return
    block = apply(b"\r\n", [change])
    found, head = scan(block)
    assert head == len(block)
    assert not re.search(rb"\r\n(?![ \t]|\r\n|\Z)", block)
    assert found.subject == decode(value.strip(), 1_000)


@given(BYTES, st.sampled_from(["[Team] ", "[Équipe]", "T:"]))
def test_prefix_is_put_once(subject: bytes, prefix: str) -> None:
    """Putting the prefix twice is putting it once."""
    once = apply(
        b"Subject: " + re.sub(rb"[\r\n]", b"", subject) + b"\r\n\r\n",
        [edit("prefix", "Subject", prefix)],
    )
    assert apply(once, [edit("prefix", "Subject", prefix)]) == once


@given(st.text(max_size=40))
def test_no_text_is_a_token_by_chance(token: str) -> None:
    """What we did not make is no token, and never raises."""
    assert MAKER.read_verp("team", token) is None
    assert MAKER.read_leave("team", token) is None
