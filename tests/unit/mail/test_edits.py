"""Header edits on bytes."""

from __future__ import annotations

import pytest

from postroad.mail.edits import apply, edit, field_bytes
from postroad.mail.headers import scan
from postroad.mail.words import decode
from schemas.mail import HeaderEdit

FIRST = b"Received: a\r\n\tb\r\n"
REST = b"Subject :  x\r\nX-Raw: \xff\0\r\nreceived: c\r\nTo: a@b\r\n\r\n"
WITHOUT = REST.replace(b"received: c\r\n", b"")
BLOCK = FIRST + REST


def test_no_edit_changes_no_octet() -> None:
    """What no edit names stays octet for octet: folding, odd names, 8-bit, NUL."""
    assert apply(BLOCK, []) == BLOCK


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (edit("remove", "RECEIVED"), WITHOUT),
        (edit("remove", "Absent"), BLOCK),
        (edit("set", "subject", "y"), BLOCK.replace(b"Subject :  x", b"subject: y")),
        (edit("set", "Received", "z"), b"Received: z\r\n" + WITHOUT),
        (edit("set", "New", "n"), b"New: n\r\n" + BLOCK),
        (edit("add", "To", "c@d"), b"To: c@d\r\n" + BLOCK),
        (edit("prefix", "Subject", "[T] "), BLOCK.replace(b"Subject :  x", b"Subject: [T] x")),
    ],
)  # fmt: skip
def test_one_edit_changes_what_it_names(change: HeaderEdit, after: bytes) -> None:
    """`remove` takes all, `set` keeps the place of the first, `add` goes on top."""
    assert apply(BLOCK, [change]) == after


def test_edits_are_made_in_order() -> None:
    """A later edit sees what an earlier one did."""
    edits = [
        edit("remove", "A"),
        edit("add", "A", "1"),
        edit("add", "a", "2"),
        edit("set", "A", "3"),
    ]
    assert apply(b"A: 0\r\nB: 0\r\n\r\n", edits) == b"A: 3\r\nB: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("block", "after"),
    [
        (b"", b"A: 1\r\n\r\n"),  # no header: what follows must stay body
        (b"\r\n", b"A: 1\r\n\r\n"),
        (b"B: 0\r\n", b"A: 1\r\nB: 0\r\n"),  # no empty line in the mail: none is made
        (b"From ada Mon Jan 1\r\nB: 0\r\n\r\n", b"A: 1\r\nB: 0\r\n\r\n"),
    ],
)
def test_block_keeps_its_end(block: bytes, after: bytes) -> None:
    """The body of a mail begins for every reader where it began; an mbox line is no header."""
    assert apply(block, [edit("add", "A", "1")]) == after


@pytest.mark.parametrize(
    "char", ["\r", "\n", "\r\n", "\0", "\x0b", "\x1b", "\x7f", "\x85", "\u2028"]
)
def test_control_characters_are_refused(char: str) -> None:
    """No control character or line end gets into a header, at construction or when applied."""
    value = f"a{char}Bcc: eve@evil.org"
    with pytest.raises(ValueError, match="control character"):
        edit("add", "Subject", value)
    with pytest.raises(ValueError, match="control character"):
        apply(BLOCK, [HeaderEdit(op="set", name="Subject", value=value)])
    with pytest.raises(ValueError, match="header name"):
        edit("add", f"Sub{char}ject", "x")


@pytest.mark.parametrize("name", ["", "a:b", "a b", "é", "a" * 77])
def test_names_are_refused(name: str) -> None:
    """A field name is printable ASCII without colon or space."""
    with pytest.raises(ValueError, match="header name"):
        edit("remove", name)


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "",
        "Équipe",
        "word " * 100,
        "x" * 3_000,
        "日本語" * 200,
        "a\tb  c",
        "é " * 60 + "=?utf-8?q?a?=",
    ],
)
def test_lines_are_folded(value: str) -> None:
    """Lines stay within 998, and within 78 where a space allows; unfolding gives the value."""
    field = field_bytes("Subject", value)
    lines = field.removesuffix(b"\r\n").split(b"\r\n")
    assert all(len(line) <= 998 for line in lines)
    assert all(len(line) <= 78 or b" " not in line[1:].removeprefix(b"ubject: ") for line in lines)
    assert all(line[:1] in b" \t" and line.strip() for line in lines[1:])
    assert field.isascii()
    found, head = scan(field + b"\r\n")
    assert head == len(field) + 2
    assert found.subject == decode(value, 1_000)


@pytest.mark.parametrize(
    ("subject", "after"),
    [
        (b"Hello", "[Team] Hello"),
        (b"Re: Hello", "[Team] Re: Hello"),
        (b"[Team] Hello", None),
        (b"[TEAM]Hello", None),
        (b"Re: [Team] Hello", None),
        (b"Aw: RE[2]: Fwd: [Team] Hello", None),
        (b"[Other] Re: [Team] Hello", None),
        (b"=?utf-8?q?Re=3A_=5BTeam=5D_Gr=C3=BC=C3=9Fe?=", None),
        (b"About [Team]", "[Team] About [Team]"),
        (b"=?utf-8?q?=C3=BC?=\r\n =?utf-8?q?a?=", "[Team] =?utf-8?q?=C3=BC?= =?utf-8?q?a?="),
        (b"a\0\x1b\x7fb", "[Team] ab"),
        (b"", "[Team] (no subject)"),
        (None, "[Team] (no subject)"),
        (b"re:" * 10_000, "[Team] " + "re:" * 10_000),
    ],
)  # fmt: skip
def test_prefix_is_put_once(subject: bytes | None, after: str | None) -> None:
    """The prefix leads, once, also where it stands after "Re:"; encoded words stay untouched."""
    to = b"To: team@example.org\r\n"
    block = (b"" if subject is None else b"Subject: " + subject + b"\r\n") + to
    done = apply(block, [edit("prefix", "Subject", "[Team] ")])
    assert done == (block if after is None else field_bytes("Subject", after) + to)
    assert apply(done, [edit("prefix", "Subject", "[Team]")]) == done


def test_empty_prefix_changes_nothing() -> None:
    """A list without prefix leaves every Subject alone."""
    assert apply(BLOCK, [edit("prefix", "Subject", "")]) == BLOCK
    assert apply(BLOCK, [edit("prefix", "Subject", " ")]) == BLOCK


def test_foreign_prefix_reads_well_beside_encoded_words() -> None:
    """A prefix outside ASCII keeps the space between it and an encoded Subject."""
    block = apply(
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n", [edit("prefix", "Subject", "[Équipe]")]
    )
    assert b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=" in block
    assert scan(block)[0].subject == "[Équipe] Grüße"


def test_many_fields_and_edits_take_no_time() -> None:
    """A hostile header block of 200,000 fields is edited in linear time."""
    edits = [edit("set", f"X-{n}", "x") for n in range(50)]
    assert apply(b"A: b\r\n" * 200_000 + b"\r\n", edits).startswith(b"X-0: x\r\n")
