"""The moderator's password is in no copy, however the mail is written."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.content.approvalline import STAYS, without_approval
from services.router.content.change import left_of
from services.router.content.job import Criteria, Job, joined
from tests.unit.router.content.mime import HEAD, PDF, Part, mail, multipart

SECRET = "Kreuz & Quer 7"
LINE = f"Approved: {SECRET}"


def message(text: str, cte: str, html: str = "", charset: str = "utf-8") -> bytes:
    """A mail as a mail program writes it."""
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"], made["Subject"] = "ann@example.org", "team@example.org", "Hi"
    made.set_content(text, cte=cte, charset=charset)
    if html:
        made.add_alternative(html, subtype="html", cte=cte)
    return made.as_bytes()


def less(data: bytes) -> EmailMessage:
    """The mail without its password, as a mail program reads it."""
    left = without_approval(data)
    assert left.held == ""
    made = joined(data, left.pieces)
    assert made[left.head - 4 : left.head] == b"\r\n\r\n"
    return email.message_from_bytes(made, policy=email.policy.default)


@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("before", ["", "\n \n"])
def test_the_line_goes_and_the_text_stays(cte: str, before: str) -> None:
    """In every encoding, in the HTML too, with what a mail program makes of it there."""
    text = f"{before}{LINE}\n\nGrüße,\n  Ann = {'x' * 90}\n"
    html = f"<div>Approved:&nbsp;<b>Kreuz &amp; Quer</b> 7<br></div><p>Grüße = {'x' * 90}</p>"
    both = less(message(text, cte, html))
    plain, marked_up = both.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(marked_up, EmailMessage)
    words = plain.get_content().replace("\r\n", "\n")
    assert words == f"{before}Grüße,\n  Ann = {'x' * 90}\n"
    assert f"Grüße = {'x' * 90}</p>" in marked_up.get_content()
    for part in (plain, marked_up):
        assert "Kreuz" not in part.get_content()
        assert "pproved" not in part.get_content()


def test_all_the_lines_go_that_the_text_begins_with() -> None:
    """Whoever mistypes it and writes it again leaves neither there."""
    text = f"Approved: wrongone9\r\n{LINE}\r\n\r\nHello\r\nApproved: by Ann\r\n"
    data = mail(Part("text/plain", text.encode()))
    left = without_approval(data)
    assert left.held == ""
    assert joined(data, left.pieces).endswith(b"\r\n\r\nHello\r\nApproved: by Ann\r\n")
    assert b"wrongone9" not in joined(data, left.pieces)


def test_what_else_is_in_the_mail_stays_octet_for_octet() -> None:
    """Only the line is cut out."""
    text = Part("text/plain", f"X-Approve:{SECRET}\r\nHello\r\n".encode())
    data = mail(multipart("mixed", text, PDF))
    left = without_approval(data)
    assert joined(data, left.pieces) == data.replace(f"X-Approve:{SECRET}\r\n".encode(), b"")


def test_a_mail_of_html_alone_has_none_either() -> None:
    """Its words begin with the line."""
    data = mail(Part("text/html; charset=utf-8", f"<p>{LINE}</p><p>Hello</p>".encode()))
    assert joined(data, without_approval(data).pieces).endswith(b"<p></p><p>Hello</p>")


@pytest.mark.parametrize(
    "text",
    [
        message(f"{LINE}\n\n", "base64", charset="utf-16"),
        mail(Part("text/plain", f"{LINE}\r\nHello\r\n> {LINE}\r\n".encode())),
        mail(Part("text/plain", f"{LINE}\r\nby the way, {SECRET}\r\n".encode())),
        mail(Part("text/html", b"<p>Approved: Kreuz &#38; Quer 7</p>")),
        mail(
            multipart(
                "alternative",
                Part("text/plain", f"{LINE}\r\n".encode()),
                Part("text/html", b"<p>Approved: <b>another</b></p>"),
            )
        ),
    ],
)
def test_a_mail_that_still_tells_it_waits(text: bytes) -> None:
    """Where it stands twice, or in a way that nobody writes."""
    assert without_approval(text).held == STAYS


def test_a_mail_that_cannot_be_taken_apart_waits() -> None:
    """Its text may be in it twice."""
    data = HEAD + b"Content-Type: text/plain\r\nContent-Type: text/x\r\n\r\nApproved: x"
    assert without_approval(data).held.startswith("it cannot be taken apart")


def test_a_mail_without_a_password_is_the_same_mail() -> None:
    """Also where people write of approval."""
    data = mail(Part("text/plain", b"It is approved: go!\r\nApproved: yes\r\n"))
    assert without_approval(data).pieces == ()


def test_the_filter_gets_what_is_left() -> None:
    """Both are done to one mail."""
    text = Part("text/plain", f"{LINE}\r\nHello\r\n".encode())
    data = mail(multipart("mixed", text, PDF))
    left = left_of(data, Job(Criteria(pass_types=("text",)), approval=True))
    assert left.filtered
    assert joined(data, left.pieces) == mail(Part("text/plain", b"Hello\r\n"))
    only = left_of(data, Job(Criteria(), approval=True))
    assert not only.filtered
    assert PDF.octets() in joined(data, only.pieces)


def test_what_the_filter_stops_goes_without_it_too() -> None:
    """A moderator may let a mail through of which the filter leaves nothing; not the password."""
    data = mail(Part("text/plain", f"{LINE}\r\nHello\r\n".encode()))
    left = left_of(data, Job(Criteria(pass_types=("image",)), approval=True))
    assert left.empty
    assert joined(data, left.pieces) == mail(Part("text/plain", b"Hello\r\n"))


@given(st.binary(max_size=200))
def test_any_octets_give_an_answer(octets: bytes) -> None:
    """And nothing of what is left begins with a password."""
    for data in (octets, mail(Part("text/plain", b"Approved: xyzzy\r\n" + octets))):
        left = without_approval(data)
        if left.pieces and not left.held:
            made = joined(data, left.pieces)
            assert without_approval(made).pieces == ()
