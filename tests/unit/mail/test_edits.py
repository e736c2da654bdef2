"""Header edits on bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.edits import apply, edit, field_bytes
from postroad.mail.headers import scan
from postroad.mail.words import decode, encode, encode_phrase, encode_unstructured
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


UNFOLDED = b"very " * 14 + b"long"


@pytest.mark.parametrize(
    ("subject", "after"),
    [
        (b"Hello", b" [Team] Hello"),
        (b"Re: Hello", b" [Team] Re: Hello"),
        (b"[Team] Hello", None),
        (b"[TEAM]Hello", None),
        (b"Re: [Team] Hello", None),
        (b"Aw: RE[2]: Fwd: [Team] Hello", None),
        (b"Weitergeleitet: SV : [Team] Hello", None),
        (b"[Other] Re: [Team] Hello", None),
        (b"Re: [Team]\r\n\tHello", None),
        (b"=?utf-8?q?Re=3A_=5BTeam=5D_Gr=C3=BC=C3=9Fe?=", None),
        (b"=?utf-8?q?Re=3A_=5BTe?=\r\n =?utf-8?q?am=5D_Gr=C3=BC=C3=9Fe?=", None),
        ("Ответ: [Team] Чай".encode(), None),
        ("Ответ: [Team] Чай".encode("koi8-r"), None),
        (b"About [Team]", b" [Team] About [Team]"),
        (b"=?utf-8?q?=C3=BC?=\r\n =?x?q?a?=", b" [Team] =?utf-8?q?=C3=BC?=\r\n =?x?q?a?="),
        ("Чай".encode("koi8-r"), b" [Team] " + "Чай".encode("koi8-r")),
        (b"\x1b$B$*Cc\x1b(B", b" [Team] \x1b$B$*Cc\x1b(B"),  # iso-2022-jp, raw
        ("Grüße".encode(), b" [Team] =?utf-8?b?R3LDvMOfZQ==?="),
        (b"folded\r\n\t here  and  there", b" [Team] folded\r\n\t here  and  there"),
        (UNFOLDED, b" [Team]\r\n " + UNFOLDED),
        (b"a\0\x1b\x7fb", b" [Team] a\0\x1b\x7fb"),
        (b"", b" [Team] (no subject)"),
        (None, b" [Team] (no subject)"),
        (b"re:" * 10_000, b" [Team]\r\n " + b"re:" * 10_000),
    ],
)  # fmt: skip
def test_prefix_is_put_once(subject: bytes | None, after: bytes | None) -> None:
    """The prefix leads, once, also where it stands after "Re:" in any language; what the author
    wrote stays octet for octet, but for raw UTF-8, which not every server takes."""
    to = b"To: team@example.org\r\n"
    block = (b"" if subject is None else b"Subject: " + subject + b"\r\n") + to
    done = apply(block, [edit("prefix", "Subject", "[Team] ")])
    assert done == (block if after is None else b"Subject:" + after + b"\r\n" + to)
    assert apply(done, [edit("prefix", "Subject", "[Team]")]) == done


SUBJECTS = st.one_of(
    st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=60).map(
        lambda text: text.strip()
    ),
    st.sampled_from(
        ["Re: [Team] Tea", "AW: [Team]", "[Team]", "Re: Re: SV: x", "=?utf-8?q?x", "?="]
    ),
)
AS_SENT = st.sampled_from(("raw", "words", "one word", "folded"))


@given(SUBJECTS, AS_SENT, st.sampled_from(["[Team]", "[Équipe A]", "Team:"]))
def test_a_prefix_takes_nothing_from_a_subject(subject: str, sent: str, prefix: str) -> None:
    """However a Subject was encoded, what people read afterwards is the prefix and the subject,
    or the subject alone where the prefix was there; a second list or a second time changes
    nothing."""
    if sent == "raw":
        value = subject.encode()
    elif sent == "folded":
        value = encode_unstructured(subject).replace(" ", "\r\n ").encode()
    else:
        value = (encode(subject) if sent == "words" else encode_phrase(subject)).encode()
    before = scan(b"Subject: " + value + b"\r\n\r\n")[0].subject
    done = apply(b"Subject: " + value + b"\r\n\r\n", [edit("prefix", "Subject", prefix)])
    got = scan(done)[0].subject
    expected = f"{prefix} {before}" if before else f"{prefix} (no subject)"
    assert got in (expected, before)
    assert prefix.casefold() in got.casefold()
    assert apply(done, [edit("prefix", "Subject", prefix)]) == done


@pytest.mark.parametrize(
    ("there", "after"),
    [
        ([], b"Cc: Ann <a@b.c>\r\n"),
        ([b"Cc: \r\n"], b"Cc: Ann <a@b.c>\r\n"),
        ([b"cc:  Bob <b@b.c>\r\n"], b"Cc: Ann <a@b.c>, Bob <b@b.c>\r\n"),
        ([b'Cc: "B,\r\n\t\xe4" <b@b.c>,\r\n c@b.c\r\n'], None),
        ([b"Cc: b@b.c\r\n", b"Cc: c@b.c\r\n"], b"Cc: Ann <a@b.c>, b@b.c,\r\n c@b.c\r\n"),
    ],
)  # fmt: skip
def test_mailboxes_are_put_before_others(there: list[bytes], after: bytes | None) -> None:
    """`also` touches no octet of the mailboxes that were there, and makes one field of several."""
    done = apply(b"".join(there) + b"\r\n", [edit("also", "Cc", "Ann <a@b.c>")])
    expected = after or b'Cc: Ann <a@b.c>, "B,\r\n\t\xe4" <b@b.c>,\r\n c@b.c\r\n'
    assert done == expected + b"\r\n"


@pytest.mark.parametrize(
    ("cc", "after"),
    [
        (b"Cc:  Bob <b@b.c> ,\r\n\tC <c@b.c>\r\n", None),
        (b"Cc: Bob <b@b.c>, Ann <A@B.c>\r\n", b"Cc: Bob <b@b.c>\r\n"),
        (b"Cc: a@b.c\r\nCc: s@b.c\r\n", b""),
        (b"", None),
    ],
)
def test_mailboxes_are_taken_out(cc: bytes, after: bytes | None) -> None:
    """`less` takes those of other fields out of an address list; others, and a list without them,
    stay."""
    block = b"From: Ann <a@b.c>\r\nSender: s@b.c\r\n\r\n"
    done = apply(cc + block, [edit("less", "Cc", "From Sender Reply-To")])
    assert done == (cc if after is None else after) + block


def test_all_fields_but_some_are_taken_off() -> None:
    """A name that ends in `*` begins names; those that the value names stay."""
    block = b"X-A: 1\r\nxb: 2\r\nDate: 3\r\nX-B: 4\r\n"
    assert apply(block, [edit("remove", "X-*")]) == b"xb: 2\r\nDate: 3\r\n"
    assert apply(block, [edit("remove", "X*", "x-b XB")]) == b"xb: 2\r\nDate: 3\r\nX-B: 4\r\n"
    assert apply(block, [edit("remove", "*", "Date")]) == b"Date: 3\r\n"


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


@pytest.mark.parametrize(
    "value", [b"(\r\n " * 200_000, "ü ".encode() * 200_000, b"<a@b.c>," * 100_000]
)
def test_long_fields_are_changed_in_linear_time(value: bytes) -> None:
    """Whatever stands in a field, what goes before it is put there and the rest is as it was."""
    edits = [
        edit("prefix", "Subject", "[Équipe]"),
        edit("also", "Cc", "Ann <a@b.c>"),
        edit("munge", "From", "Team <team@lists.example>"),
    ]
    block = b"".join(b"%b: %b\r\n" % (name, value) for name in (b"Subject", b"Cc", b"From"))
    done = apply(block + b"\r\n", edits)
    assert done.count(value.strip()) == 2
    assert done.count(b"<team@lists.example>") == 1


def test_a_body_stays_one_where_every_field_goes() -> None:
    """In a mail without an empty line, whose body looks like a header once nothing is above it."""
    head, body = b"X-Only: 1\r\n", b"From me\r\nBcc: x@y.example\r\n"
    assert scan(head + body)[1] == len(head)
    left = apply(head, [edit("remove", "X-Only")])
    assert scan(left + body)[1] == len(left)
