"""An audience into chunks: everybody once, in an order that survives a kill."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from schemas.mail import RawRef
from schemas.road import AsOf, Copy, PostRouted
from services.membership.fanout import (
    PERSONAL_CHUNK,
    SHARED_CHUNK,
    Position,
    chunk_size,
    chunks,
    progressed,
)
from services.membership.mirror import Recipient

RAW = RawRef(mail_id="m1", chunks=1, size=10, sha256="", head=5)
POST = PostRouted(mail_id="m1", list="team", raw=RAW, as_of=AsOf(membership=12))


def copy(*, personal: bool = True) -> Copy:
    """How a copy looks does not matter here."""
    return Copy(
        raw=RAW,
        personal=personal,
        list="team",
        list_address="team@example.org",
        bounces=("team-bounces+", "@example.org"),
        post=7,
    )


def people(count: int) -> list[Recipient]:
    """That many, in order of person, over five domains."""
    return [
        Recipient(f"{n:024x}", f"u{n}@d{n * 7 % 5}.example", f"d{n * 7 % 5}.example")
        for n in range(count)
    ]


@given(st.integers(1, 1200), st.data())
def test_everybody_stands_in_one_chunk_wherever_it_was_cut(count: int, data: st.DataObject) -> None:
    """Queued in one go or in several, the same people stand in the chunks, each once, and the
    recipient numbers run through from 0."""
    everybody = people(count)
    size = chunk_size(copy())
    cut = size * data.draw(st.integers(0, (count - 1) // size))
    start = Position().after(everybody[:cut], size)
    first = chunks(POST, everybody[:cut], Position(), copy(), end=False)
    rest = chunks(POST, everybody[cut:], start, copy(), end=True)
    queued = [*first, *rest]
    assert sorted(who for chunk in queued for who in chunk.people) == [p.person for p in everybody]
    assert [chunk.chunk for chunk in queued] == [str(n) for n in range(len(queued))]
    assert [chunk.first for chunk in queued] == list(range(0, count, size))
    assert [chunk.last for chunk in queued] == [False] * (len(queued) - 1) + [True]
    assert {chunk.as_of for chunk in queued} == {12}


def test_a_chunk_is_grouped_by_domain() -> None:
    """Within a chunk one domain follows another, so that a relay is served in a row; each begins
    with another one, so that it is not served by all lanes at once."""
    begun = set()
    for number in range(5):
        (chunk,) = chunks(POST, people(100), Position(chunk=number), copy(), end=True)
        domains = [address.partition("@")[2] for address in chunk.addresses]
        assert len([*groupby(domains)]) == len(set(domains)) == 5
        begun.add(domains[0])
        reached = dict(zip(chunk.people, chunk.addresses, strict=True))
        assert reached == {one.person: one.address for one in people(100)}
    assert len(begun) >= 4


def test_shared_copies_go_in_larger_chunks() -> None:
    """128 recipients where each gets an own message, 500 where many share one."""
    assert chunk_size(copy()) == PERSONAL_CHUNK == 128
    assert chunk_size(copy(personal=False)) == SHARED_CHUNK == 500


def test_progress_is_a_place_to_go_on_from() -> None:
    """What is stored of a position is enough to take it up again."""
    position = Position().after(people(300), 128)
    assert (position.chunk, position.count, position.person) == (3, 300, people(300)[-1].person)
    stored = progressed("m1", "team", position)
    assert Position.of(stored, seq=9).after([], 128) == Position(
        chunk=3, count=300, person=position.person, seq=9
    )
