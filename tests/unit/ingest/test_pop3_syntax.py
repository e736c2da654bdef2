"""POP3 on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.wire import canonical, dot_stuff
from services.ingest.pop3 import syntax
from services.ingest.pop3.syntax import Block, Listed, Status


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"+OK", Status(True)),
        (b"+ok  2 messages ", Status(True, b"2 messages")),
        (b"-ERR [IN-USE] no", Status(False, b"[IN-USE] no")),
        (b"+OKAY", None),
        (b"* OK IMAP", None),
        (b"", None),
    ],
)
def test_a_status(line: bytes, status: Status | None) -> None:
    """The first word says whether it went well; anything else is no answer."""
    assert syntax.status(line) == status


def test_a_code_stands_in_front() -> None:
    """A bracket later in the text is no code (RFC 2449 section 8)."""
    assert Status(False, b"[sys/temp] later").code == "SYS/TEMP"
    assert Status(False, b"the mailbox [IN-USE]").code == ""


@given(st.binary(max_size=400))
def test_any_listing_will_do(block: bytes) -> None:
    """Whatever the server lists, what is read has numbers from 1, sizes from 0, and ids that no
    other mail has."""
    sizes, uidls = syntax.sizes(block), syntax.uidls(block)
    mails = syntax.listed(sizes, uidls)
    assert all(mail.number > 0 and mail.size >= 0 for mail in mails)
    ids = [mail.uidl for mail in mails if mail.uidl]
    assert len(ids) == len(set(ids))
    syntax.capabilities(block)
    syntax.status(block)


def test_sizes_that_make_no_sense_are_none() -> None:
    """Of a negative or endless size nothing is believed but that there is a mail."""
    block = b"1 120\r\n2 -5\r\n3 " + b"9" * 30 + b"\r\n0 7\r\n-1 7\r\nx y\r\n"
    assert syntax.sizes(block) == {1: 120, 2: 0, 3: 0}


def test_an_id_of_several_mails_is_no_id() -> None:
    """It would tell none of them apart."""
    found = syntax.listed({1: 10, 2: 20, 3: 30}, {1: "a", 2: "b", 3: "a"})
    assert found == [Listed(1, 10), Listed(2, 20, "b"), Listed(3, 30)]


@pytest.mark.parametrize("text", ["a\r\nDELE 1", "a\nb", "a\0b", "a\rb"])
def test_no_argument_ends_its_line(text: str) -> None:
    """Nothing that a setting holds becomes a command."""
    with pytest.raises(ValueError, match="holds a line end"):
        syntax.argument(text)


@given(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b".", b"..", b"\r\n", b"\n", b"\r", b"x"]), max_size=12),
    st.lists(st.integers(0, 400), max_size=6),
    st.binary(max_size=20),
)
def test_a_mail_is_read_as_it_was_sent(
    start: bytes, parts: list[bytes], cuts: list[int], rest: bytes
) -> None:
    """In whatever pieces it comes, and whatever dots it has; what follows it is left."""
    data = canonical(start + b"".join(parts)).replace(b"\0", b"")
    wire = dot_stuff(data) + b".\r\n" + rest
    block = Block(b"\r\n", 1_000)
    at, left = 0, None
    for cut in sorted({min(each, len(wire)) for each in cuts} | {len(wire)}):
        left = block.feed(wire[at:cut])
        if left is not None:
            left += wire[cut:]
            break
        at = cut
    assert left == rest
    assert block.content() == data


def test_a_lone_line_feed_ends_nothing() -> None:
    """Or a mail could end its own answer, and speak for the server."""
    block = Block(b"\r\n", 1_000)
    assert block.feed(b"one\n.\n-ERR two\r\n") is None
    assert block.feed(b".\r\n") == b""
    assert block.content() == b"one\n.\n-ERR two\r\n"


def test_nothing_is_endless() -> None:
    """More than may come is not read to its end."""
    block = Block(b"\r\n", 100)
    assert block.feed(b"x" * 1_000) is None
    with pytest.raises(ValueError, match="too long"):
        block.feed(b"x" * 1_000)
