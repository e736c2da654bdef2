"""Chunks made of some of the people of a chunk: nobody gets lost, and each stays who they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.sender import parts
from services.sender.routes import apart
from tests.unit.sender.chunks import chunk

THEN = datetime(2026, 11, 1, tzinfo=UTC)


def test_deferred_people_come_back_under_the_same_number() -> None:
    """A retry keeps who and which number, so that a bounce of it still finds its recipient."""
    smaller = parts.retry(chunk(20, last=True), (4, 17), THEN)
    assert smaller.chunk == "3r1"
    assert (smaller.people, smaller.numbers) == (("p4", "p17"), (104, 117))
    assert (smaller.attempt, smaller.since, smaller.last) == (1, THEN, False)
    again = parts.retry(smaller, (1,), THEN + timedelta(hours=1))
    assert (again.chunk, again.attempt) == ("3r2", 2)
    assert (again.people, again.numbers, again.since) == (("p17",), (117,), THEN)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.booleans())
def test_parts_are_the_whole(keys: list[str], numbered: bool) -> None:
    """The parts of a chunk have each of its people once, with their addresses and numbers, and
    the age of its first attempt."""
    size = len(keys)
    numbers = tuple(range(100, 100 + size))
    addresses = tuple(f"a{n}@{key}.example" for n, key in enumerate(keys))
    fields = {"numbers": numbers, "first": 0} if numbered else {}
    whole = chunk(size, chunk="7r1", attempt=1, last=True, addresses=addresses, **fields)
    made = parts.split(whole, apart(keys, range(size)), THEN)
    assert [part.chunk for part in made] == [f"7r1s{n}" for n in range(len(set(keys)))]
    assert all(len({address.partition("@")[2] for address in part.addresses}) == 1 for part in made)
    rows = [
        row for part in made for row in zip(part.people, part.addresses, part.numbers, strict=True)
    ]
    assert sorted(rows) == sorted(zip(whole.people, addresses, numbers, strict=True))
    assert {(part.attempt, part.since, part.last) for part in made} == {(1, THEN, False)}
