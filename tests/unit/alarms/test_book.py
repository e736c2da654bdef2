"""The file of what was told."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.alarms.book import Book
from postroad.runtime.alarms.standing import Key, Standing


def test_what_a_full_disk_does_not_take_is_known_all_the_same(tmp_path: Path) -> None:
    """An alarm that could not be written down is not raised anew at each look."""
    place = tmp_path
    place.chmod(0o700)
    (place / "alarms.new").mkdir()  # so it cannot be written
    book = Book(place)
    standing = Standing(alarm="analytics", name="a.duckdb", kind="f", text="full", since=1, told=2)
    book.write([standing])
    assert book.read() == {Key("analytics", "a.duckdb"): standing}
    (place / "alarms.new").rmdir()
    book.write([standing])
    assert Book(place).read() == book.read() != {}
