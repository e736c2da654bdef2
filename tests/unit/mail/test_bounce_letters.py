"""Letters of servers about mail to ann@example.net, in `bounces`, named by their class."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.mail.bounce import read
from postroad.mail.headers import scan

LETTERS = sorted((Path(__file__).parent / "bounces").glob("*.eml"))


@pytest.mark.parametrize("path", LETTERS, ids=lambda path: path.stem)
def test_every_letter_names_its_recipient_and_its_class(path: Path) -> None:
    """No form of a server is known as such: in each it is told who has no copy, and why."""
    data = path.read_bytes()
    found = read(data, scan(data)[0])
    assert found is not None
    assert found.kind == path.stem.partition("_")[0]
    assert found.recipients == ("ann@example.net",)
