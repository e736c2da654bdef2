"""The page of letters is true of what is sent."""

from __future__ import annotations

from services.membership.letters import mailman
from services.membership.letters.catalog import ALWAYS, READER, placeholders, texts
from tests.architecture.documents import DOCS, Document, code

LETTERS = Document(DOCS / "letters.md")


def test_every_letter_is_in_the_table_with_its_fields() -> None:
    """Owners find each letter, what it is for, what may be filled in, and Mailman's name for it."""
    told = {code(row[0])[0]: row[1:] for row in LETTERS.table("Every letter")}
    assert told.keys() == texts().keys()
    for name, text in texts().items():
        about, fields, theirs = told[name]
        own = [field for field in placeholders(name) if field not in (*ALWAYS, READER)]
        assert about == text.about
        assert code(fields) == [f"{{{field}}}" for field in own], name
        for field in own:
            assert (f"**`{{{field}}}`**" in fields) == (field in text.needs), name
        assert code(theirs) == [word for word, ours in mailman.NAMES.items() if ours == name]


def test_every_field_is_explained() -> None:
    """There is a line for each field that any letter may have, and for no other."""
    told = {code(row[0])[0] for row in LETTERS.table("Fields")}
    assert told == {f"{{{field}}}" for name in texts() for field in placeholders(name)}
