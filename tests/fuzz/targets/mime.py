"""What walks through the parts of a mail: every part lies in the mail, and a text is a text."""

from __future__ import annotations

from postroad.mail.headers import scan
from postroad.mail.opening import opening
from postroad.mail.parts import BODY_OCTETS, PARTS, first_lines, first_text, parts, words_of
from postroad.mail.structure import Entity, Unreadable, below, read


def one_input(data: bytes) -> None:
    """A whole mail."""
    found = list(parts(data))
    assert 1 <= len(found) <= PARTS
    for part in found:
        assert len(part.body) <= BODY_OCTETS
        assert "\r" not in part.text
        assert isinstance(words_of(part.text), str)
    assert isinstance(first_text(data), str)
    lines = first_lines(data, 10)
    assert len(lines) <= 10
    assert all(lines)
    assert opening(data, scan(data)[0].subject) in ("", "approval", "command")

    try:
        whole = read(data)
    except Unreadable as error:
        why = str(error)
    else:
        why = ""
        for entity in below(whole):
            lies_within(entity)
    assert why.isprintable()


def lies_within(whole: Entity) -> None:
    """The parts of an entity lie in it, in order, and do not overlap."""
    assert whole.line <= whole.start <= whole.fields_end <= whole.body <= whole.end
    at = whole.body
    for part in whole.parts:
        assert at <= part.line
        assert part.end <= whole.end
        at = part.end
