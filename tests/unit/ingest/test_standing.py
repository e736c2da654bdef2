"""What a source remembers of mails that have names."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.standing import MOST, Standing, Stored, digest, place_of, restored

SINCE = datetime(2026, 3, 4, tzinfo=UTC)
names = st.frozensets(st.text(max_size=5).map(digest), max_size=20)


def standing(
    left: frozenset[bytes] = frozenset(), taken: frozenset[bytes] = frozenset()
) -> Standing:
    """A standing at some place."""
    return Standing("here", SINCE, "now", left, taken)


@given(names, names)
def test_what_is_stored_comes_back(left: frozenset[bytes], taken: frozenset[bytes]) -> None:
    """By way of KV, at the same place; another place knows nothing."""
    data = msgspec.json.encode(standing(left, taken).stored())
    again = restored(msgspec.json.decode(data, type=Stored), "here")
    assert again is not None
    assert (again.left, again.taken) == (set(left), set(taken))
    assert (again.since, again.start) == (SINCE, "now")
    assert restored(msgspec.json.decode(data, type=Stored), "there") is None


def test_all_that_is_remembered_fits_a_message() -> None:
    """The broker takes messages of up to 1 MB."""
    most = frozenset(digest(str(number)) for number in range(MOST))
    assert len(msgspec.json.encode(standing(most).stored())) < 800_000
    assert not standing(most).full


def test_what_left_its_place_is_forgotten() -> None:
    """A name may be given again once its mail is gone."""
    known = standing(frozenset([b"a", b"b", b"c"]), frozenset([b"d"]))
    known.keep([b"a", b"b", b"d", b"new"])
    assert (known.left, known.taken) == ({b"a", b"b"}, {b"d"})


@given(names, names)
def test_much_that_vanishes_at_once_is_remembered(
    left: frozenset[bytes], there: frozenset[bytes]
) -> None:
    """An empty mailbox for a moment makes no old mail new."""
    known = standing(left)
    known.keep(there)
    few = len(left & there) * 2 < len(left)
    assert known.left == (left if few else left & there)


def test_new_names_for_everything_are_noticed() -> None:
    """Not where mail was only taken away and other came."""
    known = standing(frozenset([b"a", b"b", b"c", b"d"]))
    assert known.renamed([b"1", b"2", b"3", b"4"])
    assert not known.renamed([b"1", b"2", b"3", b"a"])
    assert not known.renamed([b"1"])
    assert not standing().renamed([b"1"])


def test_no_address_can_be_read_in_a_place() -> None:
    """KV outlives the settings."""
    assert "lists" not in place_of("pop3", "lists@example.org")
    assert place_of("pop3", "a") != place_of("pop3", "b")
