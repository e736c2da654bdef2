"""What the content filter takes off a mail, and what it leaves as it was."""

from __future__ import annotations

import email
import email.policy
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.structure import read
from services.router.content.filtering import NOTHING_LEFT, filtered
from services.router.content.job import Criteria, Left, joined
from tests.unit.router.content.mime import (
    EXE,
    HEAD,
    HTML,
    PDF,
    SIGNATURE,
    TEXT,
    Part,
    mail,
    multipart,
)

ALL = Criteria(collapse_alternatives=False)
PLAIN = Criteria(pass_types=("text/plain",))


def left(data: bytes, criteria: Criteria) -> bytes:
    """What is left of a mail, which must be something."""
    found = filtered(data, criteria)
    assert (found.empty, found.held) == ("", "")
    made = joined(data, found.pieces) if found.pieces else data
    if found.pieces:
        assert read(made).body == found.head
    return made


def told(data: bytes) -> list[str]:
    """The types of a mail's entities as the standard library sees them."""
    found = email.message_from_bytes(data, policy=email.policy.compat32)
    assert not found.defects
    return [part.get_content_type() for part in found.walk()]


TWO = ["multipart/mixed", "text/plain", "application/pdf"]
MIXED = mail(multipart("mixed", TEXT, PDF, EXE))


@pytest.mark.parametrize(
    ("criteria", "types"),
    [
        (ALL, ["multipart/mixed", "text/plain", "application/pdf", "application/octet-stream"]),
        (PLAIN, ["text/plain"]),
        (Criteria(filter_types=("application",)), ["text/plain"]),
        (
            Criteria(filter_extensions=("exe",)),
            TWO,
        ),
        (Criteria(pass_extensions=("pdf",)), TWO),
        (
            Criteria(pass_types=("text", "application/pdf")),
            TWO,
        ),
    ],
)
def test_parts_pass_or_go_by_type_and_name(criteria: Criteria, types: list[str]) -> None:
    """A type is named whole or by its first half; a multipart need not be named; a part without a
    file name passes `pass_extensions`. Where one part is left, it is the mail."""
    made = left(MIXED, criteria)
    assert told(made) == types
    assert made.startswith(HEAD)
    assert b"Hello\r\n" in made


@pytest.mark.parametrize("name", ["a.EXE", "a.exe.", "a.exe ", "a.tar.exe", 'a.exe"'])
def test_a_file_name_is_read_as_systems_read_it(name: str) -> None:
    """Letters of either case; dots and blanks behind it are dropped."""
    data = mail(multipart("mixed", TEXT, Part("image/png", b"MZ", name.replace('"', '\\"'))))
    assert told(left(data, Criteria(filter_extensions=("exe",)))) == ["text/plain"]


@pytest.mark.parametrize(
    "whole",
    [PDF, multipart("mixed", PDF), multipart("mixed", multipart("related", PDF), EXE)],
)
def test_a_mail_of_which_nothing_is_left_is_empty(whole: Part) -> None:
    """Also where all that is left is text without a word."""
    assert filtered(mail(whole), PLAIN).empty == NOTHING_LEFT
    blank = multipart("mixed", Part("text/plain", b" \r\n"), whole)
    assert filtered(mail(blank), PLAIN).empty == NOTHING_LEFT


def test_a_mail_that_was_empty_stays_as_it_is() -> None:
    """The filter takes nothing off it."""
    assert left(mail(Part("text/plain", b"")), PLAIN) == mail(Part("text/plain", b""))


def test_alternatives_become_the_first_that_says_something() -> None:
    """Of those that pass; only where the list wants that."""
    both = mail(multipart("mixed", multipart("alternative", TEXT, HTML), PDF))
    assert told(left(both, Criteria())) == TWO
    assert left(both, ALL) == both
    assert told(left(both, Criteria(filter_types=("text/plain", "application")))) == ["text/html"]
    blank = mail(multipart("alternative", Part("text/plain", b"\r\n"), HTML))
    assert told(left(blank, Criteria())) == ["text/html"]


def test_html_becomes_text() -> None:
    """With its type and encoding; what it says stays; a header of the mail's own stays too."""
    criteria = Criteria(convert_html_to_plaintext=True)
    made = left(
        mail(Part("text/html; charset=iso-8859-1", b"<p>Gr\xfc\xdfe, <b>Ann</b>")), criteria
    )
    assert made.startswith(HEAD)
    text = email.message_from_bytes(made, policy=email.policy.default)
    assert text.get_content_type() == "text/plain"
    assert text.get_content().strip() == "Grüße, **Ann**"
    made = left(mail(multipart("mixed", HTML, PDF)), criteria)
    assert told(made) == TWO
    assert PDF.octets() in made


def test_text_of_html_makes_no_part() -> None:
    """A delimiter in it is no delimiter any more, or a part that was taken off would be back."""
    evil = b"<pre>--=_0\nContent-Type: application/x; name=a.exe\n\nMZ</pre>"
    data = mail(multipart("mixed", Part("text/html", evil.replace(b"--", b"&#45;-")), TEXT))
    made = left(data, Criteria(convert_html_to_plaintext=True))
    assert told(made) == ["multipart/mixed", "text/plain", "text/plain"]


def test_a_signed_part_stays_while_all_in_it_passes() -> None:
    """Octet for octet, though its signature is of a type or name that is not listed, and though
    the list wants no alternatives."""
    signed = multipart("signed", multipart("alternative", TEXT, HTML), SIGNATURE)
    wanted = Criteria(pass_types=("text",), pass_extensions=("txt",))
    assert left(mail(signed), wanted) == mail(signed)


@pytest.mark.parametrize(
    ("criteria", "types"),
    [
        (PLAIN, ["text/plain"]),
        (Criteria(filter_types=("application/pgp-signature",)), ["multipart/mixed", "text/plain"]),
        (Criteria(filter_extensions=("asc",)), ["multipart/mixed", "text/plain"]),
    ],
)
def test_a_signature_goes_with_what_it_signs(criteria: Criteria, types: list[str]) -> None:
    """Where something signed must go, or the list wants no signatures, what is left is no longer
    a signed part."""
    signed = multipart("signed", multipart("mixed", TEXT, PDF), SIGNATURE)
    assert told(left(mail(signed), criteria))[: len(types)] == types
    assert b"signed" not in left(mail(signed), criteria)


def test_an_encrypted_part_passes_as_a_whole_or_goes() -> None:
    """Nobody can look into it: it must be named where anything must be, and nothing in it may be
    what the list wants to be rid of."""
    control = Part("application/pgp-encrypted", b"Version: 1")
    data = mail(multipart("encrypted", control, Part("application/octet-stream", b"hQ", "x.asc")))
    assert left(data, ALL) == data
    named = Criteria(pass_types=("multipart/encrypted", "text"), pass_extensions=("txt",))
    assert left(data, named) == data
    for criteria in (
        Criteria(pass_types=("multipart", "text")),
        Criteria(filter_types=("application",)),
        Criteria(filter_extensions=("asc",)),
    ):
        assert filtered(data, criteria).empty


def test_attached_messages_are_filtered_too() -> None:
    """Their own headers stay; one that is encoded, which none may be, goes as a whole."""
    inner = mail(multipart("mixed", TEXT, EXE), "9")
    data = mail(multipart("mixed", TEXT, Part("message/rfc822", inner)))
    criteria = Criteria(filter_extensions=("exe",))
    made = left(data, criteria)
    assert told(made) == ["multipart/mixed", "text/plain", "message/rfc822", "text/plain"]
    assert made.count(HEAD) == 2
    encoded = data.replace(
        b"message/rfc822\r\n", b"message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    )
    assert told(left(encoded, criteria)) == ["text/plain"]
    assert left(encoded, ALL) == encoded


def test_what_cannot_be_taken_apart_is_held() -> None:
    """With the reason."""
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts"
    assert filtered(data, ALL).held == "it cannot be taken apart: a multipart has no parts"


# What the filter must and must not touch, whatever mails look like.

LEAVES = st.sampled_from([TEXT, HTML, PDF, EXE, Part("image/png", bytes(range(256)), "a.png")])
BODIES = st.binary(max_size=60).filter(lambda octets: b"--" not in octets and octets.strip())
RANDOM = st.builds(Part, st.sampled_from(["text/plain", "application/x"]), BODIES)
WHOLES = st.recursive(
    LEAVES | RANDOM,
    lambda inner: (
        st.builds(
            multipart,
            st.sampled_from(["mixed", "alternative", "related", "digest"]),
            *[inner] * 1,
        )
        | st.builds(multipart, st.sampled_from(["mixed", "related"]), inner, inner)
        | st.builds(multipart, st.just("mixed"), inner, inner, inner)
    ),
    max_leaves=12,
)
CRITERIA = st.builds(
    Criteria,
    st.sets(st.sampled_from(["image", "text/html", "application/pdf"])).map(tuple),
    st.sampled_from([(), ("text",), ("text/plain", "application"), ("text/html", "image/png")]),
    st.sets(st.sampled_from(["exe", "png"])).map(tuple),
    st.sampled_from([(), ("pdf",), ("png", "exe")]),
    st.booleans(),
)


def leaves(part: Part) -> Iterator[Part]:
    """The parts that are no multiparts."""
    if part.parts:
        for each in part.parts:
            yield from leaves(each)
    else:
        yield part


def passes(part: Part, criteria: Criteria) -> bool:
    """Whether it may stay, as the settings of Mailman say it."""
    type_ = part.type.partition(";")[0]
    kinds = {type_, type_.partition("/")[0]}
    extension = part.name.rpartition(".")[2]
    if kinds & set(criteria.filter_types) or extension in criteria.filter_extensions:
        return False
    if criteria.pass_types and not kinds & set(criteria.pass_types):
        return False
    return not (extension and criteria.pass_extensions) or extension in criteria.pass_extensions


@given(WHOLES)
def test_a_mail_of_which_all_passes_is_the_same_mail(whole: Part) -> None:
    """Octet for octet."""
    data = mail(whole)
    assert left(data, ALL) == data


@given(WHOLES, CRITERIA)
def test_what_is_left_are_the_parts_that_pass(whole: Part, criteria: Criteria) -> None:
    """All of them, in order, each octet for octet, and no other; and then nothing more is taken."""
    criteria = criteria.unformed
    data = mail(whole)
    wanted = [part for part in leaves(whole) if passes(part, criteria)]
    found = filtered(data, criteria)
    if not wanted:
        assert found.empty
        return
    if found.empty:  # only where what passes are blank texts
        assert all(not part.body.strip() for part in wanted)
        return
    made = left(data, criteria)
    assert [(types, octets) for types, octets in bodies(made)] == [
        (part.type.partition(";")[0], part.body) for part in wanted
    ]
    assert left(made, criteria) == made


def bodies(data: bytes) -> list[tuple[str, bytes]]:
    """Type and body of each part of a mail that is no multipart."""

    def walk(entity: object) -> Iterator[tuple[str, bytes]]:
        parts = getattr(entity, "parts", ())
        for part in parts:
            yield from walk(part)
        if not parts:
            yield entity.type, data[entity.body : entity.end]  # type: ignore[attr-defined]

    return list(walk(read(data)))


@given(st.binary(max_size=300), CRITERIA)
def test_any_octets_give_an_answer(octets: bytes, criteria: Criteria) -> None:
    """And what is left of them is a mail of which nothing more is taken."""
    for data in (octets, HEAD + octets, MIXED[:-20] + octets):
        found = filtered(data, criteria)
        if found.pieces:
            made = joined(data, found.pieces)
            assert not filtered(made, criteria).pieces


@pytest.mark.parametrize(
    "criteria",
    [
        ALL,
        Criteria(pass_types=("text",), convert_html_to_plaintext=True),
        Criteria(filter_extensions=("pdf", "gif", "jpg", "zip"), filter_types=("image",)),
    ],
)
def test_real_mail_is_filtered(corpora: Path, criteria: Criteria) -> None:
    """Each within a second; what passes as a whole is the same mail; what is left stays left."""
    for path in corpora.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            began = time.process_time()
            found = filtered(data, criteria)
            assert time.process_time() - began < 1.0
            assert criteria is not ALL or not (found.pieces or found.empty)
            if found.pieces:
                again = filtered(joined(data, found.pieces), criteria)
                assert again == Left(), path.name
