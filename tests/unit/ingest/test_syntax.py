"""IMAP's grammar: what we write to a server and read from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest import syntax
from services.ingest.syntax import Row

DONE = b"Fetch completed."


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("lists", '"lists"'), ('a"b\\c', '"a\\"b\\\\c"'), ("", '""'), ("a b", '"a b"')],
)
def test_arguments_are_quoted(text: str, quoted: str) -> None:
    """Quotes and backslashes are escaped, so that an argument stays one argument."""
    assert syntax.quote(text) == quoted


@pytest.mark.parametrize("text", ["a\r\nb", "a\nb", "\0", "\x7f", "pässword"])
def test_what_would_break_the_line_is_refused(text: str) -> None:
    """No control character and no letter outside ASCII gets into a quoted string."""
    with pytest.raises(ValueError):
        syntax.quote(text)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("INBOX", '"INBOX"'),
        ("Lists & more", '"Lists &- more"'),
        ("Entwürfe", '"Entw&APw-rfe"'),
        ("~peter/mail/台北/日本語", '"~peter/mail/&U,BTFw-/&ZeVnLIqe-"'),  # of RFC 3501 5.1.3
    ],
)
def test_folders_are_named_in_modified_utf7(name: str, argument: str) -> None:
    """Folder names are encoded as RFC 3501 section 5.1.3 has it."""
    assert syntax.folder_argument(name) == argument


@pytest.mark.parametrize("name", ["a\r\nA1 DELETE INBOX", "ü\n", "\x00"])
def test_a_folder_name_cannot_hold_a_second_command(name: str) -> None:
    """Control characters in a folder name are refused."""
    with pytest.raises(ValueError):
        syntax.folder_argument(name)


@given(st.sets(st.integers(1, 400)))
def test_uid_sets_name_exactly_their_uids(uids: set[int]) -> None:
    """A set written as ranges holds each of its UIDs and no other."""
    named: set[int] = set()
    for part in filter(None, syntax.uid_set(uids).split(",")):
        first, _, last = part.partition(":")
        named.update(range(int(first), int(last or first) + 1))
    assert named == uids


def test_uid_sets_are_short() -> None:
    """Neighbours become one range."""
    assert syntax.uid_set([7, 3, 2, 1]) == "1:3,7"


def test_search_results_end_before_the_tagged_line() -> None:
    """Numbers in the server's closing remark are no UIDs; without results there are none."""
    assert syntax.searched([b"4 2 9", b"Search completed (0.001 + 3 secs)."]) == [2, 4, 9]
    assert syntax.searched([b"", b"Search completed"]) == []
    assert syntax.searched([b"Search completed 1 2 3"]) == []


def test_search_results_are_uids_in_any_order() -> None:
    """Whatever order and number they come in, and on how many lines, each UID counts once; what
    can be no UID is none."""
    assert syntax.searched([b"3 1 3", b"2 1", DONE]) == [1, 2, 3]
    assert syntax.searched([b"0 7 4294967296 -1 " + b"9" * 5_000, DONE]) == [7]


def test_no_uid_comes_in_a_literal() -> None:
    """A server that puts numbers where none belong is passed over, and nothing is raised."""
    assert syntax.searched([b"SEARCH 2 {3}", bytearray(b"9 1"), b" 4", b"SEARCH completed"]) == [
        2,
        4,
    ]


def test_a_quotation_without_end_costs_no_time() -> None:
    """A string of a hundred thousand escaped quotation marks is looked at once, not once for each
    of them (the test's own limit is far off)."""
    endless = b'1 FETCH (UID 1 BODY[] "' + b'\\"' * 100_000
    assert syntax.bodies([endless, b"FETCH completed"]) == {}
    assert syntax.bodies([endless + b'")', b"FETCH completed"]) == {1: b'"' * 100_000}


def test_listing_reads_what_the_decider_needs() -> None:
    """UID, size, date and the two flags, in whatever order the server puts them."""
    lines = [
        b'1 FETCH (UID 5 FLAGS (\\Seen $) INTERNALDATE " 7-Nov-2026 02:44:25 -0700" RFC822.SIZE 9)',
        b'2 FETCH (RFC822.SIZE 7 INTERNALDATE "nonsense" FLAGS (\\DELETED) UID 4)',
        DONE,
    ]
    assert syntax.listed(lines) == [
        Row(uid=4, size=7, deleted=True),
        Row(uid=5, size=9, arrived=datetime(2026, 11, 7, 9, 44, 25, tzinfo=UTC), seen=True),
    ]


def test_flag_changes_of_others_are_no_rows() -> None:
    """A server may tell of flags it changed for somebody else in between."""
    lines = [b"3 FETCH (FLAGS (\\Seen))", b"1 FETCH (UID 5 RFC822.SIZE 1 FLAGS ())", DONE]
    assert [row.uid for row in syntax.listed(lines)] == [5]


def test_bodies_are_found_whatever_surrounds_them() -> None:
    """The UID may follow the literal, items may come unasked, an empty mail may be quoted."""
    lines: list[bytes | bytearray] = [
        *(b"1 FETCH (UID 5 BODY[] {3}", bytearray(b"a\r\n"), b")"),
        *(b"2 FETCH (BODY[]<1048576> {2}", bytearray(b"UI"), b" UID 6 FLAGS (\\Seen))"),
        b"3 FETCH (FLAGS (\\Seen))",
        b'4 FETCH (UID 7 BODY[] "")',
        b'5 FETCH (UID 8 BODY[] "a\\"b")',
        b"6 FETCH (UID 9 BODY[] NIL)",
        DONE,
    ]
    assert syntax.bodies(lines) == {5: b"a\r\n", 6: b"UI", 7: b"", 8: b'a"b'}


def test_a_mail_that_quotes_imap_is_still_one_mail() -> None:
    """Only lines of the protocol are read as such, never the octets of a mail."""
    mail = bytearray(b"2 FETCH (UID 99 BODY[] {1}\r\nx)\r\n")
    lines: list[bytes | bytearray] = [b"1 FETCH (UID 5 BODY[] {29}", mail, b")", DONE]
    assert syntax.bodies(lines) == {5: bytes(mail)}
    quoted = b'1 FETCH (BODY[] "UID 9 BODY[] \\" {3}" UID 5)'
    assert syntax.bodies([quoted, DONE]) == {5: b'UID 9 BODY[] " {3}'}


@pytest.mark.parametrize("text", ["", "32-Nov-2026 00:00:00 +0000", "01-Jan-0001 00:00:00 +2300"])
def test_impossible_dates_are_none(text: str) -> None:
    """A server's nonsense never raises."""
    assert syntax.internal_date(text) is None


def test_response_codes_hold_numbers() -> None:
    """UIDVALIDITY stands in brackets in some line of the answer."""
    lines = [b"OK [UIDNEXT 4392] next", b"OK [UIDVALIDITY 17] UIDs valid"]
    assert syntax.response_code(lines, "UIDVALIDITY") == 17
    assert syntax.response_code(lines, "HIGHESTMODSEQ") is None
