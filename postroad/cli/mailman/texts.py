"""What a Mailman 2 says to who joins and leaves, as texts of letters. Pure.

It put a list's own words above its usual ones; so they stand above ours.
"""

from __future__ import annotations

from postroad.cli.mailman.form import OldList
from postroad.cli.mailman.settings import LETTERS, Line
from services.membership.languages import ENGLISH
from services.membership.letters import own
from services.membership.letters.catalog import built_in, texts
from services.membership.letters.texts import as_typed


def letters(old: OldList) -> tuple[dict[str, str], list[Line]]:
    """Own texts by letter, and the report."""
    found: dict[str, str] = {}
    report: list[Line] = []
    spoken = built_in(str(old.settings.get("preferred_language") or ENGLISH)).texts
    for name, letter in zip(LETTERS, ("welcome", "goodbye"), strict=True):
        said = own.kept(str(old.settings.get(name) or ""))
        if not said.strip():
            continue
        ours = spoken.get(letter, texts()[letter])
        text = own.kept(f"{said}\n\n{as_typed(ours.text)}")
        try:
            own.check(letter, text, "dash")
        except ValueError as error:
            report.append(Line(name, said, "none", why=str(error)))
        else:
            found[letter] = text
            report.append(Line(name, said, "taken", f"above our letter {letter}"))
    return found, report
