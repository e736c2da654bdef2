"""What somebody wrote, and what their mail program quoted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.replytext import LINES, written


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Yes\n\n> Somebody asked\n> to join\n", ["Yes"]),
        ("Yes\n\nOn Mon, 9 Mar 2026, Team wrote:\n> Somebody\n", ["Yes"]),
        ("Yes\nOn Mon, 9 Mar 2026 at 8:30 Team <team-confirm+x@e.org>\nwrote:\n> A\n", ["Yes"]),
        ("No\nOn Monday Team wrote:\n> Somebody\n", ["No"]),
        ("No\nTeam wrote:\n> Somebody\n", ["No"]),
        ("Non\nLe 9 mars 2026 à 8:30, Team <t@e.org> a\nécrit :\n> A\n", ["Non"]),
        ("Am 9.3.2026 schrieb Team:\n> Jemand\n> fragt\n\nNein\n", ["Nein"]),
        ("Oui\n-----Message d'origine-----\nDe : Team\nno\n", ["Oui"]),
        ("Yes\n________________________________\nFrom: Team\nout of office\n", ["Yes"]),
        ("Ja\nVon: Team\nGesendet: Montag\n", ["Ja"]),
        ("Yes\n-- \nAnna, out of office on Fridays\n", ["Yes"]),
        ("| quoted\nYes\r\n", ["Yes"]),
        ("Note:\nyes\n", ["Note:", "yes"]),
        ("", []),
    ],
)
def test_what_stands_above_the_quotation(text: str, lines: list[str]) -> None:
    """Quotations in the form of any mail program, what introduces them, and signatures are not
    what the author says."""
    assert list(written(text)) == lines


@given(st.text(st.sampled_from("> :-a1\n|_")))
def test_any_text_can_be_read(text: str) -> None:
    """Ten lines at most, none empty, none quoted."""
    lines = written(text)
    assert len(lines) <= LINES
    assert all(line and line[0] not in ">|" for line in lines)
