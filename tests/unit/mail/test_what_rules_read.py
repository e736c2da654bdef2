"""Header fields and first lines, as the rules of a list read them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.headers import HEADER_OCTETS, decoded_fields
from postroad.mail.parts import first_lines


def test_every_field_is_given_in_order_and_decoded() -> None:
    """Fields come as they stand, repeated ones too: names in lower case, words decoded."""
    head = b"X-One: a\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n folded\r\nx-one: b\r\n"
    assert decoded_fields(head + b"\r\nX-Not: c\r\n") == (
        ("x-one", "a"),
        ("subject", "Grüße folded"),
        ("x-one", "b"),
    )


def test_a_head_is_read_up_to_its_bound() -> None:
    """What lies behind 100 KiB of headers is not looked at."""
    head = b"X-Long: " + b"a" * HEADER_OCTETS + b"\r\nX-After: b\r\n\r\n"
    assert [name for name, _ in decoded_fields(head)] == ["x-long"]


@given(st.binary(max_size=2_000))
def test_any_bytes_have_fields_and_lines(data: bytes) -> None:
    """No octets make the readers raise, and all they give is one printable line."""
    for _, value in decoded_fields(data):
        assert "\n" not in value
        assert "\r" not in value
    lines = first_lines(data, 10)
    assert len(lines) <= 10
    assert all(line and line == line.strip() and "\n" not in line for line in lines)


def test_the_first_lines_are_those_of_the_first_text_part() -> None:
    """Empty lines and other parts are passed over; an encoded text is decoded first."""
    mail = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: image/png\r\n\r\nnot this\r\n"
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nCiAgb25lCgp0d28KdGhyZWU=\r\n--b--\r\n"
    )
    assert first_lines(mail, 2) == ("one", "two")
