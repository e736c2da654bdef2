"""When a stream has gone back, and what is known of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from postroad.runtime.streamends import NAME, End, lost, read, write

KNOWN = End("2026-11-22T03:00:00Z", 3000, 2)


@pytest.mark.parametrize(
    ("stream", "now", "how"),
    [
        ("MEMBERSHIP", KNOWN, ""),
        ("MEMBERSHIP", End(KNOWN.created, 3001, 2), ""),
        ("MEMBERSHIP", End(KNOWN.created, 0, 0), "has gone back: it ends at 0, and ended at 3,000"),
        ("MEMBERSHIP", End(KNOWN.created, 3001, 3), "has lost 1 message"),
        ("RECEIVED", End(KNOWN.created, 3001, 3001), ""),
        ("RECEIVED", End("2026-11-23T03:00:00Z", 3001, 2), "was made anew"),
        ("RECEIVED", End(KNOWN.created, 2999, 2), "has gone back"),
        ("RECEIVED", None, "is gone; it had 3,000 messages"),
    ],
)
def test_less_than_there_was(stream: str, now: End | None, how: str) -> None:
    """A stream has gone back that ends before its end, is another or none, or has lost what
    nothing deletes; what finished mail leaves is no loss."""
    told = lost({stream: KNOWN}, {stream: now}, 0.0)
    assert told.get(stream, "").startswith(how)
    assert bool(told) == bool(how)


DAY = 86_400.0
AGED = End("then", 3000, 500, first=401, newest=DAY, age=90 * DAY)  # and a hole of 100


@pytest.mark.parametrize(
    ("stream", "change", "day", "how"),
    [
        ("DELIVERY", {"gone": 3000, "first": 3001}, 80, "has lost 2,500 messages"),
        ("DELIVERY", {"gone": 3000, "first": 3001}, 83, ""),  # by another clock it has its age
        ("DELIVERY", {"gone": 3000, "first": 3001, "age": 2 * DAY}, 10, ""),
        ("DELIVERY", {"gone": 3000, "first": 3001, "age": 0.0}, 95, ""),  # as it was, it had it
        ("DELIVERY", {"gone": 3000, "first": 3001, "newest": 0.0}, 10, "has lost"),
        ("DELIVERY", {"last": 3010, "gone": 3005, "first": 3006}, 10, "has lost 2,500 messages"),
        ("DELIVERY", {"last": 3010, "gone": 3005, "first": 3006}, 100, ""),
        ("DELIVERY", {"gone": 2000, "first": 1901}, 10, ""),
        ("DELIVERY", {"gone": 2000, "first": 1981}, 10, ""),
        ("DELIVERY", {"gone": 501}, 100, "has lost 1 message"),
        ("DELIVERY", {"gone": 501, "first": -1}, 100, ""),  # an operator's limit
        ("THREADS", {"gone": 3000, "first": -1}, 80, "has lost 2,500 messages"),
        ("THREADS", {"gone": 2999, "first": -1}, 80, ""),
        ("RECEIVED", {"gone": 3000, "first": 3001}, 2, ""),
        ("PENDING", {"gone": 3000, "first": -1}, 2, ""),
    ],
)
def test_what_age_takes_is_no_loss(
    stream: str, change: dict[str, float], day: int, how: str
) -> None:
    """From a stream that only age deletes from, the last message is lost where it cannot have had
    its age, and any between others ever; of one from which we delete nothing is said."""
    now = msgspec.structs.replace(AGED, **change)
    told = lost({stream: AGED}, {stream: now}, day * DAY)
    assert told.get(stream, "").startswith(how)
    assert bool(told) == bool(how)


@pytest.mark.parametrize(
    ("stream", "before", "after", "how"),
    [
        ("PEOPLE", 3, 3, ""),
        ("PEOPLE", 3, 2, "has lost all messages of 1 subject, which nothing deletes"),
        ("PEOPLE", 3000, 0, "has lost all messages of 3,000 subjects, which nothing deletes"),
        ("PEOPLE", -1, 0, ""),
        ("PEOPLE", 3, -1, ""),
        ("KV_CHECKPOINTS", 3, 2, ""),
        ("KV_CHECKPOINTS", 3, 0, "has lost all messages of 3 subjects, which nothing deletes"),
        ("RAW", 3, 0, ""),
    ],
)
def test_what_keeps_its_last_word_has_all_its_subjects(
    stream: str, before: int, after: int, how: str
) -> None:
    """Where an address is erased its mark stays, so PEOPLE has no less subjects than it had; the
    pause behind a restore is all that leaves the checkpoints."""
    then = msgspec.structs.replace(KNOWN, subjects=before)
    now = msgspec.structs.replace(KNOWN, gone=2000, subjects=after)
    assert lost({stream: then}, {stream: now}, 0.0).get(stream, "") == how


def test_what_is_not_seen_or_was_empty_is_not_lost() -> None:
    """A stream that cannot be seen is not said to be lost, and one that never had anything may
    be made anew."""
    assert not lost({"SEND": KNOWN, "PENDING": End("then", 0, 0)}, {"PENDING": None}, 0.0)


def test_it_is_kept_in_a_file(tmp_path: Path) -> None:
    """What is known is read as it was written; a file that is damaged says nothing."""
    assert read(tmp_path) == {}
    write(tmp_path, {"SEND": KNOWN})
    assert read(tmp_path) == {"SEND": KNOWN}
    (tmp_path / NAME).write_text('{"SEND":{"created":"2026-11-22T03:00:00Z","last":3000,"gone":2}}')
    assert read(tmp_path) == {"SEND": KNOWN}  # as older releases wrote it
    (tmp_path / NAME).write_text('{"SEND": {')
    assert read(tmp_path) == {}
