"""Which people stand in a CSV file, and which lines are wrong."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.mass import portions
from postroad.cli.member import change_of
from postroad.cli.memberfiles import COLUMNS, exported
from postroad.cli.people import BadLine, guarded, lines_of, people
from postroad.runtime.errors import UsageError
from schemas.commands import ChangeMember, RosterRow
from schemas.mass import ImportRow
from schemas.membership import DeliveryMode, DeliveryStatus, Moderation, Role


def read(text: str | bytes) -> tuple[list[tuple[int, str, str, str | None]], list[BadLine]]:
    """Rows and bad lines of a file."""
    data = text if isinstance(text, bytes) else text.encode()
    found = list(people(lines_of(data)))
    rows = [one for one in found if isinstance(one, ImportRow)]
    bad = [one for one in found if isinstance(one, tuple)]
    return [(row.line, row.address, row.display_name, row.delivery_mode) for row in rows], bad


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_usual_separator(separator: str):
    """The separator is read from the heading alone; names may hold the others."""
    text = f'Name{separator}Email\r\n"Ann, of; the | house"{separator}ann@example.net\r\n'
    rows, bad = read(text)
    assert rows == [(2, "ann@example.net", "Ann, of; the | house", None)]
    assert bad == []


@pytest.mark.parametrize(
    "data",
    [
        "email\nann@example.net\n".encode("utf-8-sig"),
        "email\nann@example.net\n".encode("utf-16"),
        b"email\rann@example.net",
        b"sep=,\r\nemail\r\nann@example.net\r\n",
        b"\r\n\r\n EMAIL \r\n\r\nann@example.net\r\n\r\n",
    ],
    ids=["byte-order-mark", "utf-16", "cr", "sep-line", "empty-lines"],
)
def test_what_spreadsheets_write(data: bytes):
    """Byte order marks, any line ends, the separator hint and empty lines are no obstacle."""
    rows, bad = read(data)
    assert [row[1] for row in rows] == ["ann@example.net"]
    assert bad == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"address,name\nann@example.net,Ann\n", "no column `email`: 'address,name'"),
        (b"ann@example.net\n", "add a first line such as: email"),
        ("email,name\na@b,Jürgen".encode("latin-1"), "not UTF-8"),
        ("email,name\na@b,Jim".encode("utf-16-le"), "UTF-16 without a mark"),
        (b"email,name,Email\na@b,Jim,c@d\n", "two columns `email`"),
        (b"email,delivery_staus\na@b,by_user\n", "no column 'delivery_staus'; is it `delivery_"),
        (b'[{"email": "a@b"', "array of objects as `member export --format json` writes it"),
    ],
    ids=[
        *("empty", "blank", "no-email", "no-heading", "latin-1", "utf-16", "twice", "mistyped"),
        "cut-json",
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(data: bytes, words: str):
    """Without a heading or in another encoding nothing is imported, and the remedy is named."""
    with pytest.raises(UsageError, match=words.replace("[", r"\[")):
        people(lines_of(data))  # before anything else begins


def test_a_wrong_line_is_named_and_costs_only_itself():
    """No email, an unknown mode, a stray quote: each is named by its line; the others are taken."""
    rows, bad = read(
        "email,name,delivery_mode\n"
        "ann@example.net,Ann,none\n"
        ",Nobody,\n"
        "bob@example.net,Bob,weekly\n"
        'cid@example.net,"Cid\n'
        "dan@example.net\n"
    )
    assert rows == [(2, "ann@example.net", "Ann", "none"), (6, "dan@example.net", "", None)]
    assert [line for line, _ in bad] == [3, 4, 5]
    assert "no email" in bad[0][1]
    assert "'weekly' is not one of regular, none" in bad[1][1]


def test_a_quoted_name_may_run_over_lines():
    """A record is named by its first line, and its name is put on one line."""
    rows, bad = read('email,name\nann@example.net,"Ann\nof the house"\nbob@example.net,Bob\n')
    assert rows == [
        (2, "ann@example.net", "Ann of the house", None),
        (4, "bob@example.net", "Bob", None),
    ]
    assert bad == []


@pytest.mark.parametrize("lines", [1, 1_100], ids=["one long line", "many lines"])
def test_what_stands_in_a_field_is_never_a_person(lines: int):
    """A field that is too long is skipped to the end of its record, and the next one is taken."""
    note = "x" * 10_001 + "\nvictim@example.com,Victim\n" * lines + 'said ""so""'
    rows, bad = read(f'email,name,notes\nann@example.net,Ann,"{note}"\nbob@example.net,Bob,\n')
    assert [row[1] for row in rows] == ["bob@example.net"]
    ((line, why),) = bad
    assert line == 2
    assert f"goes on to line {rows[0][0] - 1}" in why


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.org", fullmatch=True),
            st.text(st.characters(exclude_categories=("C", "Z")), max_size=20),
        ),
        max_size=20,
    ),
    st.sampled_from(",;\t|"),
)
def test_whatever_the_csv_module_writes_is_read_back(
    members: list[tuple[str, str]], separator: str
):
    """Any names, quoted as need be, come back unchanged and in order."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator)
    writer.writerow(("email", "display_name"))
    writer.writerows(members)
    rows, bad = read(file.getvalue())
    assert [(address, name) for _, address, name, _ in rows] == members
    assert bad == []


def test_a_line_of_ten_million_octets_costs_only_itself():
    """It is named and left out, wherever it stands, also where its quote is never closed."""
    long = "x" * 10_000_000
    for line in (long, f'ann@example.net,"{long}', "," * 10_000_000):
        rows, bad = read(f"email,name\n{line}\nbob@example.net,Bob\n")
        assert [row[:2] for row in rows] == [(3, "bob@example.net")]
        assert [(line, "longer than 100,000" in why) for line, why in bad] == [(2, True)]
    with pytest.raises(UsageError, match="no column `email`"):
        read(long)


def test_what_spreadsheets_make_of_true_and_names():
    """Any case of a word that is known, and a blank in the name of a column."""
    (row,) = people(lines_of(b"Email,Display Name,receive_own_postings\na@b.org,Ann,FALSE\n"))
    assert isinstance(row, ImportRow)
    assert (row.display_name, row.receive_own_postings) == ("Ann", False)


@pytest.mark.parametrize(
    ("columns", "value", "words"),
    [
        ("since", "2999-01-01", "no time that a member can have come at"),
        ("since", "0001-01-01", "no time that a member can have come at"),
        ("name", "x" * 201, "longer than 200"),
        ("name", "A\x07nn", "control characters"),
    ],
)
def test_what_would_be_kept_otherwise_than_it_stands_is_named(columns: str, value: str, words: str):
    """Nothing of a line is changed or dropped without a word."""
    ((line, why),) = read(f"email,{columns}\nann@example.net,{value}\n")[1]
    assert line == 2
    assert words in why


def test_a_wrong_object_is_named_by_its_number():
    """In JSON a value of another kind costs its object; true and false are as good as text."""
    text = '[{"email": 7}, {"email": "a@b.org", "receive_own_postings": false, "n": [1]}]'
    bad, row = people(lines_of(text.encode()))
    assert bad == (1, "email is neither text nor true or false")
    assert isinstance(row, ImportRow)
    assert row.receive_own_postings is False


def test_no_address_is_lost_without_a_word():
    """What the heading has no column for, and a second address in a line, are named."""
    rows, bad = read("email,name\nann@example.net,Doe, Ann\nbob@example.net,Bob,,\n")
    assert [row[1] for row in rows] == ["bob@example.net"]
    assert bad == [(2, "there are more fields than columns: Ann")]
    text = "ann@example.net\nbob@example.net, cid@example.net\ndan@example.net;eve@example.net\n"
    ann, *others = people(lines_of(text.encode()), plain=True)
    assert isinstance(ann, ImportRow)
    assert others == [
        (2, "there is more than one address in this line: bob@example.net, cid@example.net"),
        (3, "there is more than one address in this line: dan@example.net, eve@example.net"),
    ]


def test_addresses_with_names_and_no_heading():
    """A line as `list_members -f` writes it, or an address in quotes or with a comma behind it."""
    text = 'Ann <ann@example.net>\n"Doe, Bob" <bob@example.net>\n"cid@example.net"\ndan@b.org,\n'
    found = list(people(lines_of(text.encode()), plain=True))
    assert [(row.address, row.display_name) for row in found if isinstance(row, ImportRow)] == [
        ("ann@example.net", "Ann"),
        ("bob@example.net", "Doe, Bob"),
        ("cid@example.net", ""),
        ("dan@b.org", ""),
    ]


def test_all_options_of_a_member_can_stand_in_a_file():
    """A cell that is empty tells nothing; a word that is none is named with those there are."""
    data = (
        b"email,role,delivery_mode,delivery_status,moderation_action\n"
        b"ann@example.net,owner,none,by_user,hold\n"
        b"bob@example.net,,,,\n"
        b"cid@example.net,boss,,,\n"
        b"dan@example.net,,,,never\n"
    )
    ann, bob, *bad = people(lines_of(data))
    assert ann == ImportRow(
        line=2,
        address="ann@example.net",
        role="owner",
        delivery_mode="none",
        delivery_status="by_user",
        moderation_action="hold",
    )
    assert bob == ImportRow(line=3, address="bob@example.net")
    assert bad == [
        (4, "role 'boss' is not one of member, owner, moderator, nonmember"),
        (5, "moderation_action 'never' is not one of defer, accept, hold, reject, discard"),
    ]


def test_a_time_may_be_a_date():
    """Without an offset it is UTC; what is no time is named."""
    times = ("2003-05-01", "2003-05-01T14:00+02:00", "May")
    data = "\n".join(["email,since", *(f"a@d{n}.example,{time}" for n, time in enumerate(times))])
    first, second, bad = people(lines_of(data.encode()))
    assert isinstance(first, ImportRow)
    assert isinstance(second, ImportRow)
    assert first.since == datetime(2003, 5, 1, tzinfo=UTC)
    assert second.since == datetime(2003, 5, 1, 12, tzinfo=UTC)
    assert bad == (4, "since 'May' is no time such as 2026-10-01 or 2026-10-01T12:00:00Z")


def test_a_mere_list_of_addresses_where_it_is_allowed():
    """One address a line needs no heading; a heading with `email` is one all the same."""
    for text in ("ann@example.net\nbob@example.net\n", "email\nann@example.net\nbob@example.net\n"):
        found = list(people(text.splitlines(), plain=True, role="owner"))
        assert [getattr(one, "address", one) for one in found] == [
            "ann@example.net",
            "bob@example.net",
        ]
        assert {getattr(one, "role", one) for one in found} == {"owner"}


def written(text: str) -> Iterator[dict[str, str]]:
    """What a spreadsheet reads."""
    yield from csv.DictReader(io.StringIO(text))


def _as_told(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}Z"
    return "" if value is None else value


@given(
    st.lists(
        st.builds(
            RosterRow,
            address=st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.org", fullmatch=True),
            display_name=st.text(st.characters(exclude_categories=("C", "Z")), max_size=20)
            | st.text("'=+-@x", max_size=4),
            role=st.sampled_from(get_args(Role)),
            delivery_mode=st.sampled_from(get_args(DeliveryMode)),
            delivery_status=st.sampled_from(get_args(DeliveryStatus)),
            moderation_action=st.sampled_from(get_args(Moderation)),
            receive_own_postings=st.booleans(),
            receive_list_copy=st.booleans(),
            preferred_language=st.sampled_from(["", "de"]),
            since=st.integers(0, 1_700_000_000).map(
                lambda at: _as_told(datetime.fromtimestamp(at, UTC))
            ),
        )
    ),
    st.booleans(),
)
def test_what_is_exported_is_read_back(rows: list[RosterRow], as_json: bool):
    """As CSV and as JSON, with every option and the time since when; no cell is a formula."""
    records = [exported(row) for row in rows]
    if as_json:
        text = json.dumps(records)
    else:
        file = io.StringIO()
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({name: guarded(word) for name, word in row.items()} for row in records)
        text = file.getvalue()
        assert not any(row["display_name"].startswith(tuple("=+-@")) for row in written(text))
    names = ("address", "display_name", *COLUMNS[2:])
    read_back = [
        tuple(_as_told(getattr(one, name)) for name in names)
        for one in people(lines_of(text.encode()))
    ]
    assert read_back == [tuple(getattr(row, name) for name in names) for row in rows]


@given(st.binary(max_size=300))
def test_no_file_breaks_the_reader(data: bytes):
    """Any bytes after a heading give rows, named lines, or one refusal; nothing else."""
    try:
        rows, bad = read(b"email\n" + data)
    except UsageError:
        return
    assert all(line > 1 for line, *_ in rows)
    assert all(reason for _, reason in bad)


def test_rows_go_in_portions_and_bad_lines_aside():
    """A request holds at most the number of rows membership takes; nothing is left behind, and an
    address that stands twice goes once."""
    rows = [ImportRow(line=line, address=f"a{line}@example.net") for line in range(2, 9)]
    bad: list[BadLine] = []
    twice: list[tuple[int, int]] = []
    again = ImportRow(line=12, address="A3@example.net")
    found = list(portions([*rows[:4], (99, "bad"), again, *rows[4:]], bad, twice, 3))
    assert [(len(portion), more) for portion, more in found] == [(3, True), (3, True), (1, False)]
    assert [row for portion, _ in found for row in portion] == rows
    assert (bad, twice) == ([(99, "bad")], [(12, 3)])


def test_member_options_by_name():
    """Options are typed as key=value and leave the others alone."""
    change = change_of(
        "l@example.org", "a@example.net", ["delivery_mode=none", "moderation_action="]
    )
    assert change == ChangeMember(
        list="l@example.org",
        address="a@example.net",
        delivery_mode="none",
        moderation_action="",
    )


def test_truths_among_member_options():
    """Whether somebody gets copies of their own posts, or of those that name them, is true or
    false."""
    change = change_of("l@example.org", "a@example.net", ["receive_list_copy=false"])
    assert (change.receive_list_copy, change.receive_own_postings) == (False, None)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("receive_own_postings=no", "must be one of true, false"),
        ("delivery_mode=mime_digests", "there are no digests yet; use regular"),
        ("delivery_mode=weekly", "must be one of regular, none"),
        ("delivery=none", "there are delivery_mode, delivery_status, moderation_action"),
        ("delivery_mode", "is not of the form key=value"),
    ],
)
def test_a_wrong_member_option_names_the_right_ones(word: str, words: str):
    """An unknown option or value is refused with those that exist."""
    with pytest.raises(UsageError, match=words):
        change_of("l@example.org", "a@example.net", [word])
