"""What the hooks say of a mail. They are functions, so nothing has to run."""

from __future__ import annotations

import dataclasses

from postroad_loud import BANNER, check, count, mark, without_banner

from postroad.hooks import Edit, Hit, Mail

QUIET = Mail(list="team@lists.example.org", subject="Minutes of Monday")
LOUD = Mail(list="team@lists.example.org", subject="READ THIS NOW!")


def noted(mail: Mail) -> Mail:
    """As Postroad gives it to rules and edits: with what the step noted."""
    notes = {f"loud.{name}": text for name, text in count(mail).items()}
    return dataclasses.replace(mail, notes=notes)


def test_strangers_who_shout_are_held() -> None:
    """And nobody else is."""
    assert check(noted(LOUD)) == Hit("its subject is in capitals", "hold")
    assert check(noted(dataclasses.replace(LOUD, member=True))) == Hit("its subject is in capitals")
    assert check(noted(QUIET)) is None


def test_copies_say_how_loud_they_are() -> None:
    """In a field of our own."""
    assert mark(noted(LOUD)) == [Edit("set", "X-Loudness", "100")]
    assert mark(noted(QUIET)) == [Edit("set", "X-Loudness", "13")]


def test_a_banner_is_taken_off() -> None:
    """With the tag in the Subject, and only where that stands."""
    text = b"Subject: [EXTERNAL] Minutes\r\n\r\n" + BANNER + b"Hello.\r\n"
    tagged = dataclasses.replace(QUIET, subject="[EXTERNAL] Minutes")
    assert without_banner(tagged, text) == b"Subject: Minutes\r\n\r\nHello.\r\n"
    assert without_banner(QUIET, text) is None
