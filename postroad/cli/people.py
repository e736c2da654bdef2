"""People in a CSV file: who is meant, how they read, and which lines are wrong. Pure but for the
clock.

The first line names the columns: `email`, and perhaps `display_name` (or `name`), `role`, `since`
and the options of a member; others are ignored, unless they are nearly one of these. Which of
comma, semicolon, tab and bar separates is read from that line alone, so that nothing in a name can
change it. What `member export --format json` writes is read as well.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec

from postroad.mail.words import printable
from postroad.runtime.clock import now
from postroad.runtime.errors import UsageError
from schemas.mass import ImportRow
from schemas.membership import DeliveryMode, DeliveryStatus, Moderation, Role
from services.membership.languages import TAG

SEPARATORS = ",;\t|"
LONGEST_FIELD = 10_000  # characters; where a quote is never closed, this is how far it reaches
LONGEST_LINE = 100_000  # characters
LONGEST_NAME = 200  # what is kept of it
EMAIL = "email"
SINCE = "since"
NAMES = ("display_name", "name")
WORDS: Mapping[str, tuple[str, ...]] = {
    "role": get_args(Role),
    "delivery_mode": get_args(DeliveryMode),
    "delivery_status": get_args(DeliveryStatus),
    "moderation_action": tuple(filter(None, get_args(Moderation))),
    "receive_own_postings": ("true", "false"),
    "receive_list_copy": ("true", "false"),
}
LANGUAGE = "preferred_language"
OPTIONS = (*WORDS, LANGUAGE)
KNOWN = (EMAIL, SINCE, *NAMES, *OPTIONS)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)  # a clock may be ahead, and a date begins earlier in the east
SPACE = " \t\r\n"
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NAMED = re.compile(r"([^<>]*)<([^<>]*)>")

Heading = tuple[Mapping[str, int], str, int]  # columns by name, separator, how many columns
BadLine = tuple[int, str]  # number of the line from 1, and what is wrong with it


def lines_of(data: bytes) -> list[str]:
    """The lines of a file in UTF-8, or in UTF-16 as spreadsheets write it with a mark.

    Raises UsageError for any other encoding.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding != "utf-16" and b"\0" in data:
        raise UsageError(
            "the file has zero octets in it, such as UTF-16 without a mark has; save it as CSV in "
            "UTF-8"
        )
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8 text; save it as CSV in UTF-8") from None
    return list(io.StringIO(text, newline=None))


def people(
    lines: Sequence[str], *, plain: bool = False, role: Role = "member"
) -> Iterator[ImportRow | BadLine]:
    """Each person of the file, or what is wrong with a line; empty lines are skipped. A `plain`
    file may also have one address a line and no heading; `role` is for lines that tell none.

    Raises UsageError at once where the file has no heading with a column `email`.
    """
    start = next((at for at, line in enumerate(lines) if _says_something(line)), None)
    if start is None:
        raise UsageError(
            "the file is empty; its first line must name the columns, one of them email"
        )
    if lines[start].lstrip().startswith("["):
        return _objects("".join(lines), role)
    heading = _heading(lines[start])
    if heading is None and plain and "@" in lines[start]:
        return _addresses(lines, role)
    if heading is None:
        raise UsageError(
            f"the first line names no column `email`: {lines[start].strip()[:60]!r}; "
            "add a first line such as: email,display_name"
        )
    return _rows(lines, start + 1, heading, role)


def _rows(
    lines: Sequence[str], start: int, heading: Heading, role: Role
) -> Iterator[ImportRow | BadLine]:
    columns, separator, width = heading
    for line, record in _records(lines, start, separator):
        if isinstance(record, str):
            yield line, record
        elif any(field.strip() for field in record[width:]):
            yield line, f"there are more fields than columns: {_shown(record[width:])}"
        elif any(field.strip() for field in record):
            told = {name: bare(record[at]) for name, at in columns.items() if at < len(record)}
            yield _person(line, told, role)


def _addresses(lines: Sequence[str], role: Role) -> Iterator[ImportRow | BadLine]:
    """The same of a file without heading: `ann@example.net` a line, or `Ann <ann@example.net>`."""
    for number, line in enumerate(lines, 1):
        name, text = named(line.strip(SPACE + ",;"))
        found = [one for one in re.split(r"[\s,;|]+", text) if "@" in one]
        if len(line) > LONGEST_LINE:
            yield number, f"the line is longer than {LONGEST_LINE:,} characters"
        elif len(found) > 1:
            yield number, f"there is more than one address in this line: {_shown(found)}"
        elif text:
            yield _person(number, {EMAIL: text, NAMES[0]: name}, role)


def named(text: str) -> tuple[str, str]:
    """Name and address of `"Ann Archer" <ann@example.net>`; an address alone may be in quotes."""
    if (both := _NAMED.fullmatch(text)) is not None:
        return both[1].strip().strip('"'), both[2].strip()
    alone = len(text) > 1 and text[0] == text[-1] == '"'
    return "", text[1:-1] if alone else text


def guarded(text: str) -> str:
    """As it is written to CSV: what spreadsheets would run as a formula has an apostrophe before it
    (OWASP, CSV injection). `bare` takes it off again."""
    return f"'{text}" if _FORMULA.match(text) else text


def bare(text: str) -> str:
    """What was `guarded`."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text


def _shown(texts: Sequence[str]) -> str:
    return printable(", ".join(filter(None, map(str.strip, texts))), 60)


def _person(line: int, fields: Mapping[str, str], role: Role) -> ImportRow | BadLine:
    told = {name: " ".join(text.split()) for name, text in fields.items()}
    if not told.get(EMAIL):
        return line, "there is no email in this line"
    options = {name: told[name] for name in OPTIONS if told.get(name)}
    options |= {name: word.lower() for name, word in options.items() if name in WORDS}
    for name, word in options.items():
        if name == LANGUAGE and not TAG.fullmatch(word):
            return line, f"{name} {word[:60]!r} is no language such as de or pt-BR"
        if word not in WORDS.get(name, (word,)):
            return line, f"{name} {word[:60]!r} is not one of {', '.join(WORDS[name])}"
    since = _time(told.get(SINCE) or "")
    if isinstance(since, str):
        return line, f"since {since[:60]!r} is no time such as 2026-10-01 or 2026-10-01T12:00:00Z"
    if since and not EARLIEST <= since <= now() + A_DAY:
        return line, f"since {told[SINCE][:60]!r} is no time that a member can have come at"
    name = next(filter(None, map(told.get, NAMES)), "") or ""
    if len(name) > LONGEST_NAME:
        return line, f"the name is longer than {LONGEST_NAME} characters"
    if any(unicodedata.category(char) == "Cc" for char in name):
        return line, f"the name {printable(name, 60)!r} has control characters in it"
    return msgspec.convert(
        {
            "line": line,
            "address": told[EMAIL][:LONGEST_FIELD],
            "display_name": name,
            "role": role,
            SINCE: since,
            **options,
        },
        ImportRow,
        strict=False,
    )


def _time(text: str) -> datetime | str | None:
    """A time as it is written, in UTC where it does not say so; the text where it is none."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _objects(text: str, role: Role) -> Iterator[ImportRow | BadLine]:
    """The same in JSON; a line is the number of an object."""
    try:
        found = msgspec.json.decode(text, type=list[dict[str, Any]])
    except msgspec.MsgspecError as error:
        raise UsageError(
            "the file begins as JSON, and is not an array of objects as `member export --format "
            f"json` writes it: {error}"
        ) from None
    objects = [{_column(name): value for name, value in one.items()} for one in found]
    _known(sorted({name for fields in objects for name in fields}))
    return _described(objects, role)


def _described(objects: Sequence[Mapping[str, Any]], role: Role) -> Iterator[ImportRow | BadLine]:
    for line, one in enumerate(objects, 1):
        fields = {name: value for name, value in one.items() if name in KNOWN and value is not None}
        wrong = [name for name in fields if not isinstance(fields[name], str | bool)]
        if wrong:
            yield line, f"{wrong[0]} is neither text nor true or false"
        else:
            yield _person(line, {name: str(value) for name, value in fields.items()}, role)


def _heading(line: str) -> Heading | None:
    """None where the line names no column `email`. Raises UsageError for a column that stands
    twice, or is nearly an option."""
    for separator in SEPARATORS:
        try:
            names = list(map(_column, next(csv.reader([line], delimiter=separator))))
        except csv.Error:
            continue
        if EMAIL not in names:
            continue
        wanted = _known(names)
        for name in wanted:
            if names.count(name) > 1:
                raise UsageError(f"the first line names two columns `{name}`; name one of them")
        return {name: names.index(name) for name in wanted}, separator, len(names)
    return None


def _known(names: Iterable[str]) -> list[str]:
    """Those that say something here. Raises UsageError for what is nearly an option."""
    found = []
    for name in names:
        if name in KNOWN:
            found.append(name)
        elif near := difflib.get_close_matches(name, (*OPTIONS, SINCE, NAMES[0]), 1, 0.85):
            raise UsageError(f"there is no column {printable(name, 60)!r}; is it `{near[0]}`?")
    return found


def _column(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lower().startswith("sep=")  # a hint for spreadsheets


def _records(
    lines: Sequence[str], first: int, separator: str
) -> Iterator[tuple[int, list[str] | str]]:
    """Number of its first line and fields of each record, or what is wrong with it.

    A wrong record ends where its quotes do, so that what stands in a field is never read as a
    person. A quote that nothing closes is a stray one, and costs one line.
    """
    csv.field_size_limit(LONGEST_FIELD)
    begin = first
    while begin < len(lines):
        rest = (_bounded(lines[at]) for at in range(begin, len(lines)))
        reader = csv.reader(rest, delimiter=separator, strict=True)
        offset = begin
        try:
            for record in reader:
                yield begin + 1, record
                begin = offset + reader.line_num
        except csv.Error as error:
            end = _end(lines, begin)
            until = f" (this record goes on to line {end})" if end > begin + 1 else ""
            yield begin + 1, f"not readable as CSV: {error}{until}"
            begin = end


def _end(lines: Sequence[str], begin: int) -> int:
    """The number of the last line of the record that begins behind `begin` lines: a line end is in
    quotes behind an odd number of them, since one that is meant is doubled (RFC 4180)."""
    quotes = 0
    for at in range(begin, len(lines)):
        quotes += lines[at].count('"')
        if quotes % 2 == 0:
            return at + 1
    return begin + 1


def _bounded(line: str) -> str:
    if len(line) > LONGEST_LINE:
        raise csv.Error(f"the line is longer than {LONGEST_LINE:,} characters")
    return line
