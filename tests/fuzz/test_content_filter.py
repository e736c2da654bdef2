"""Mails a few octets away from ordinary ones: what the filter takes off nobody finds."""

from __future__ import annotations

import email
from email.message import Message

from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import wire
from postroad.mail.structure import MESSAGES, read
from services.router.content.approvalline import without_approval
from services.router.content.filtering import filtered
from services.router.content.job import Criteria, Left, joined
from tests.unit.router.content.mime import EXE, HTML, PDF, SIGNATURE, TEXT, Part, mail, multipart

MAILS = [
    mail(multipart("mixed", TEXT, PDF, EXE)),
    mail(multipart("mixed", multipart("alternative", TEXT, HTML), EXE)),
    mail(multipart("signed", multipart("mixed", TEXT, EXE), SIGNATURE)),
    mail(multipart("encrypted", PDF, EXE)),
    mail(multipart("mixed", TEXT, Part("message/rfc822", mail(multipart("mixed", EXE), "9")))),
    mail(multipart("digest", Part("message/rfc822", mail(TEXT)), EXE)),
    mail(HTML),
]
TOKENS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b"\0",
        b"=",
        b":",
        b"--",
        b"\xff",
        b"From x\r\n",
    ),
    *(b"--=_0", b"--=_0--", b"\r\n--=_0\r\n", b"\r\n--=_0--\r\n", b"--=_00", b"<p>--=_0</p>"),
    b"Content-Type: multipart/mixed; boundary==_0\r\n",
    b'Content-Type: multipart/digest; boundary="=_0"\r\n',
    b"Content-Type: text/html\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename=a.exe\r\n",
    b"Approved: sesame street\r\n",
]
CRITERIA = [
    Criteria(filter_extensions=("exe", "pdf")),
    Criteria(pass_types=("text",), convert_html_to_plaintext=True),
    Criteria(pass_types=("text/plain", "message")),
    Criteria(filter_types=("text/html", "image"), convert_html_to_plaintext=True),
    Criteria(pass_extensions=("png",), pass_types=("text", "image", "multipart/encrypted")),
]
EDITS = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.integers(0, 30),
        st.sampled_from([b"", *TOKENS]) | st.binary(max_size=8),
    ),
    min_size=1,
    max_size=6,
)


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """The mail with octets replaced: where (counted round and round), how many, by which."""
    for where, gone, new in edits:
        at = where % (len(data) + 1)
        data = data[:at] + new + data[at + gone :]
    return data


@given(st.sampled_from(MAILS), EDITS, st.sampled_from(CRITERIA))
def test_what_is_left_is_a_mail_of_which_nothing_more_goes(
    data: bytes, edits: list[tuple[int, int, bytes]], criteria: Criteria
) -> None:
    """However the mail was broken, its filtered form is not, and its body begins where it is said
    to begin."""
    data = edited(data, edits)
    for change in (lambda octets: filtered(octets, criteria), without_approval):
        left = change(data)
        if left.pieces:
            made = joined(data, left.pieces)
            assert change(made) == Left()
            assert read(made).body == left.head


@given(st.sampled_from([data for data in MAILS if b".exe" in data]), EDITS)
def test_no_other_reader_finds_what_was_taken_off(
    data: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    """As the mail is sent, the standard library finds no part of that name in it."""
    data = edited(data, edits)
    left = filtered(data, Criteria(filter_extensions=("exe",)))
    if left.held or left.empty:
        return
    sent = wire.canonical(joined(data, left.pieces) if left.pieces else data)
    for part in seen(email.message_from_bytes(sent)):
        name = str(part.get_filename() or part.get_param("name") or "")
        assert not name.strip('" .').lower().endswith(".exe")


def seen(message: Message) -> list[Message]:
    """Its leaves; unlike the library, mail programs look into no other kinds of messages."""
    if not message.is_multipart():
        return [message]
    kind = message.get_content_type()
    if kind.startswith("message/") and kind not in MESSAGES:
        return []
    return [leaf for part in message.get_payload() for leaf in seen(part)]  # type: ignore[arg-type]
