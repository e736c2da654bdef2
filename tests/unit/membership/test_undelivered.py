"""What owners read of copies that failed."""

from __future__ import annotations

from services.membership.letters.texts import LINES
from services.membership.letters.undelivered import Undelivered, fields, named


def failed(person: int, why: str = "the mailbox is full", mail: int = 1) -> Undelivered:
    """A copy that failed."""
    return Undelivered(f"{mail:032x}", f"Minutes {mail}", f"p{person}", why, "452 4.2.2 full")


def test_people_are_named_once_under_each_reason_the_commonest_first() -> None:
    """Who missed two mails for one reason stands there once; mails are counted, newest first."""
    found = [failed(1), failed(1, mail=2), failed(2, "gone"), failed(3, "gone", mail=2)]
    said = fields(found, {"p1": "a@x.example", "p2": "b@x.example"})
    assert said["people"] == "3"
    assert said["failures"].split("\n") == [
        'gone ("452 4.2.2 full"):',
        "- b@x.example",
        "- (unknown)",
        'the mailbox is full ("452 4.2.2 full"):',
        "- a@x.example",
    ]
    assert said["mails"].split("\n") == [
        f"{'0' * 16}: Minutes 2, 2 copies",
        f"{'0' * 16}: Minutes 1, 2 copies",
    ]
    assert sorted(named(found)) == ["p1", "p2", "p3"]


def test_a_thousand_failures_make_a_letter_that_can_be_read() -> None:
    """What is left out is counted, and everything fits into the letter."""
    found = [failed(n, f"reason {n % 50}", n) for n in range(1_000)]
    found += [failed(n, "common", n) for n in range(100)]
    said = fields(found, {})
    lines = said["failures"].split("\n")
    assert "- and 80 more" in lines
    assert lines[-1] == f"and {1_000 - 7 * 20:,} more, for other reasons"
    assert len(lines) <= LINES
    assert said["mails"].endswith("and 980 more mails")
    assert len(named(found)) <= 8 * 20
