"""The content filter: it answers, its answer is final, and no password is left in it."""

from __future__ import annotations

from postroad.mail import approval
from postroad.mail.parts import first_lines
from services.router.content.approvalline import without_approval
from services.router.content.filtering import filtered
from services.router.content.job import Criteria, Left, joined

CRITERIA = (
    Criteria(filter_types=("text/html", "image"), filter_extensions=("exe",)),
    Criteria(pass_types=("text", "multipart"), convert_html_to_plaintext=True),
    Criteria(pass_types=("text/plain",), pass_extensions=("txt",), collapse_alternatives=False),
    Criteria(convert_html_to_plaintext=True),
)


def one_input(data: bytes) -> None:
    """The settings of a list (its first octet), and a whole mail."""
    criteria, mail = CRITERIA[data[0] % len(CRITERIA) if data else 0], data[1:]
    once = filtered(mail, criteria)
    assert once.held.isprintable()
    if once.pieces:
        twice = filtered(made(mail, once), criteria.unformed)
        assert not twice.held
        assert not twice.empty
        assert not twice.pieces

    left = without_approval(mail)
    assert left.held.isprintable()
    if left.pieces and not left.held:
        line = next(iter(first_lines(made(mail, left), 1)), "")
        assert approval.in_line(line) is None


def made(mail: bytes, left: Left) -> bytes:
    """The mail that is left, whose body begins where it should."""
    data = joined(mail, left.pieces)
    assert 0 <= left.head <= len(data)
    return data
