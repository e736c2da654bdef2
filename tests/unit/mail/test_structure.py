"""How mails are put together, and which are not taken apart."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.structure import BOUNDARY, LOOKALIKES, Entity, Unreadable, read

BOMB_SECONDS = 1.0


def told(whole: Entity) -> str:
    """The types of an entity and its parts, as in `multipart/mixed(text/plain text/html)`."""
    inner = " ".join(map(told, whole.parts))
    return f"{whole.type}({inner})" if whole.parts else whole.type


def mixed(*parts: str, boundary: str = "b", end: str = "\r\n") -> bytes:
    """A multipart/mixed of these parts, each with its header."""
    lines = [f'Content-Type: multipart/mixed; boundary="{boundary}"', ""]
    for part in parts:
        lines += [f"--{boundary}", *part.split("\n")]
    return end.join([*lines, f"--{boundary}--", ""]).encode()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_parts_lie_between_delimiters_whatever_the_line_ends(end: str) -> None:
    """Places are exact: a part is neither the delimiter line nor the line end before it."""
    data = mixed("\nHello", "Content-Type: text/html; name=x.html\n\n<p>", end=end)
    whole = read(data)
    assert told(whole) == "multipart/mixed(text/plain text/html)"
    first, second = whole.parts
    assert data[first.body : first.end] == b"Hello"
    assert data[second.body : second.end] == b"<p>"
    assert second.names == ("x.html",)
    assert data[first.line : first.start].strip() == b"--b"
    assert data[whole.close :].strip() == b"--b--"


def test_boundaries_that_begin_alike_are_told_apart() -> None:
    """A line is a delimiter only as a whole, so `--ab` is none of boundary `a`."""
    inner = mixed("\none", "\ntwo", boundary="ab").decode().replace("\r\n", "\n")
    whole = read(mixed(inner, "\nthree", boundary="a"))
    assert told(whole) == "multipart/mixed(multipart/mixed(text/plain text/plain) text/plain)"


def test_an_outer_delimiter_ends_an_inner_multipart() -> None:
    """One whose end is missing does not swallow what follows; the last goes on to the end."""
    inner = 'Content-Type: multipart/mixed; boundary="in"\n\n--in\n\none'
    data = mixed(inner, "\ntwo").replace(b"--b--\r\n", b"")
    assert told(read(data)) == "multipart/mixed(multipart/mixed(text/plain) text/plain)"


def test_attached_messages_are_looked_into() -> None:
    """With what they are made of; in a digest a part without type is one."""
    message = "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: text/html\n\n<p>"
    assert told(read(mixed(message))) == "multipart/mixed(message/rfc822(text/html))"
    digest = mixed("\nSubject: x\n\ntext").replace(b"mixed", b"digest")
    assert told(read(digest)) == "multipart/digest(message/rfc822(text/plain))"


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Type: application/x; name=a.exe",
        'Content-Disposition: attachment; filename="a.exe"',
        "Content-Disposition: attachment; filename=b.txt; filename=a.exe",
        "Content-Disposition: attachment; filename*=utf-8''a%2Eexe",
        "Content-Disposition: attachment; filename*0=a.; filename*1=exe",
        "Content-Disposition: attachment; filename=b.txt; filename*0*=''a.; filename*1=exe",
        "Content-Type: application/x; name==?utf-8?q?a=2Eexe?=",
        "Content-Type: application/x; name=" + "=?utf-8?b?YS5leGU=?=",
        "Content-Disposition: attachment;\r\n filename=a\r\n\t.exe".replace("\r\n\t", ""),
        f'Content-Disposition: attachment; filename="{"x" * 5_000}a.exe"',
        "Content-Disposition: attachment; filename*1=xe; filename*0=a.e",
        "Content-Disposition: attachment; (c) filename(c)=(c)a.exe(c)",
        'Content-Disposition: attachment; filename("; (in)) (c)=a.exe',
        "Content-Disposition: filename=a.exe",
        "Content-Disposition: attachment, filename=a.exe",
        "Content-Disposition: attachment; filename=a.exe, size=3",
        "Content-Disposition: attachment; filename*0*=utf-8''a%2; filename*1*=Eexe",
        "Content-Disposition: attachment; filename*=utf-16le''a%00%2e%00e%00x%00e%00",
        "Content-Disposition: attachment; filename*0=a.exe; filename*2=.txt",
        "Content-Disposition: attachment; filename*0=a.; filename*1=txt; filename*1=exe",
        "Content-Disposition: attachment; filename = my a.exe",
        'Content-Disposition: attachment; filename="b; name=a.exe"',
    ],
)
def test_a_part_has_every_name_that_it_gives_itself(fields: str) -> None:
    """However it is written (RFC 2045, 2047, 2183, 2231), and however often; what programs read
    that are more lenient than the standards is a name too."""
    names = read(f"{fields}\r\n\r\nx".encode()).names
    assert any(name.endswith("a.exe") for name in names), names


@pytest.mark.parametrize(
    "fields",
    [
        'Content-Type: application/pdf; name="v1.0 a.exe.pdf"',
        "Content-Disposition: attachment; filename*=utf-8''v1.0%20a%2Epdf",
        "Content-Disposition: attachment; filename*0=a.ex; filename*1=e.pdf",
        'Content-Disposition: (a.exe) attachment; filename="a(1).pdf"; size=3',
        "Content-Type: application/pdf; profile-name=a.exe; charset=x.exe; name=a.pdf",
    ],
)
def test_an_ordinary_name_has_one_end(fields: str) -> None:
    """However leniently it is read, `pass_extensions` knows it."""
    names = read(f"{fields}\r\n\r\nx".encode()).names
    assert {name.rpartition(".")[2] for name in names} == {"pdf"}, names


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n", "two fields"),
        (b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n", "two bound"),
        (b"Content-Type: multipart/mixed\r\n\r\n--a\r\n", "no boundary"),
        (b"Content-Type: multipart/mixed; boundary=a\r\n\r\nx", "no parts"),
        (b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a--\r\n", "no parts"),
        (b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n" % (b"a" * (BOUNDARY + 1)), "long"),
        (b"Content-Type: multipart/=mixed; boundary=b\r\n\r\n--b\r\n", "a type that cannot"),
        (mixed("X: 1\nno field\nmore\nContent-Type: a/b\n\nx"), "no field"),
        (mixed(*["\nx"] * 501), "more than 500 parts"),
        (mixed("X: " + "a" * 102_400 + "\n\nx"), "longer than 102,400"),
        (mixed("X: a\n" * 1_001 + "\nx"), "1,000 fields"),
        (mixed("Content-Type: text/plain" + ";a=b" * 1_001 + "\n\nx"), "1,000 parameters"),
        (mixed("\n" + "--b x\n" * (LOOKALIKES + 1)), "look like"),
    ],
)
def test_what_is_in_doubt_or_too_much_is_not_taken_apart(data: bytes, why: str) -> None:
    """The reason names the limit, and nothing of the mail."""
    with pytest.raises(Unreadable, match=why):
        read(data)


def nested(levels: int, size: int = 0) -> bytes:
    """Multiparts in each other."""
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(levels)
    )
    return head + b"\r\n" + b"x" * size


BOMBS = {
    "nested": nested(10_000),
    "nested-large": nested(30, 10 << 20),
    "messages": b"Content-Type: message/rfc822\r\n\r\n" * 10_000,
    "parts": mixed(*["\nx"] * 100_000),
    "empty-parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 1_000_000,
    "prefixes": mixed("\n" + "--b\x00\n" * 1_000_000),
    "inline-prefixes": mixed("\n" + "--b" * 5_000_000),
    "blanks": mixed("\n" + ("--b" + " " * 1_000_000 + "x\n") * 10),
    "header-line": b"X: " + b"a" * 10_000_000,
    "header-fields": b"X: a\r\n" * 1_000_000,
    "parameters": b"Content-Type: text/plain" + b"; a=b" * 1_000_000,
    "sections": b"Content-Type: text/plain" + b"".join(b"; a*%d*=%%61" % n for n in range(9_000)),
    "names": b"Content-Type: text/plain" + b';name*1="' * 9_000 + b"(" * 9_000,
    "unquoted-names": b"Content-Type: text/plain " + b"name=" * 16_000,
    "quotes": b"Content-Type: text/plain" + b';a="\\' * 20_000,
    "semicolons": b"Content-Type: text/plain" + b";" * 100_000,
    "words": b"Content-Type: text/plain; name=" + b"=?a?q?" * 16_000,
    "alike": mixed("\n" + "-a" * 9_000_000, boundary="a" * 200),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_or_refused_at_once(name: str) -> None:
    """Whatever it is made of, in less than a second of the processor."""
    began = time.process_time()
    with contextlib.suppress(Unreadable):
        read(BOMBS[name])
    assert time.process_time() - began < BOMB_SECONDS


@given(st.binary(max_size=400))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    """Nothing else is raised, and every part lies in what it is a part of."""
    for data in (octets, nested(2) + octets, b"Content-Type: message/rfc822\n\n" + octets):
        try:
            whole = read(data)
        except Unreadable:
            continue
        check(whole, 0, len(data))


def check(entity: Entity, low: int, high: int) -> None:
    """Fails where places are out of order."""
    assert low <= entity.line <= entity.start <= entity.fields_end <= entity.body <= high
    assert entity.body <= entity.end <= high
    at = entity.body
    for part in entity.parts:
        check(part, at, entity.end)
        at = part.end


def test_most_real_mail_can_be_taken_apart(corpora: Path) -> None:
    """All but what lacks delimiters, or says twice what it is; each within a second."""
    refused = count = 0
    for path in corpora.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            began = time.process_time()
            count += 1
            try:
                check(read(data), 0, len(data))
            except Unreadable:
                refused += 1
            assert time.process_time() - began < BOMB_SECONDS
    assert refused < count * 0.05
