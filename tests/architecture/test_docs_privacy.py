"""The page on what is kept of people names every place, and the limits that the program has."""

from __future__ import annotations

import re

from postroad.runtime.settings_retention import Retention
from schemas.subjects import DAY, STREAMS
from services.membership import expiry
from tests.architecture.documents import DOCS, Document

ROWS = Document(DOCS / "privacy.md").table("What is kept of people")


def limits(place: str) -> list[str]:
    """The numbers in the limits of a place."""
    rows = [row for row in ROWS if re.search(rf"\b{place}\b", row[0])]
    assert rows, place
    return [number for row in rows for number in re.findall(r"\d+", row[2])]


def test_every_stream_has_its_place() -> None:
    """No stream is forgotten, nor the age at which it drops what it has."""
    for stream in STREAMS:
        found = limits(stream.name)
        assert not stream.max_age or str(stream.max_age // DAY) in found, stream.name


def test_the_ages_are_those_of_the_program() -> None:
    """What an erasure leaves for a time, and what is overwritten by itself, goes when it says."""
    ages = Retention()
    for place, seconds in (
        ("SEND", ages.send_seconds),
        ("DEADLETTER", ages.deadletter_seconds),
        ("RECEIVED", ages.mail_seconds),
    ):
        assert f"{seconds / DAY:.0f}" in limits(place), place
    assert str(expiry.AGE.days) in limits("PENDING")
