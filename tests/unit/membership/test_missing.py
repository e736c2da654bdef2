"""Who has a copy of a post, and the names and numbers of those who are to get one after all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.roster import NOBODY, Standing
from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy, Intent, Outcome, WindowRecorded
from services.membership.missing import Had, stayed

COPY = Copy(
    raw=RawRef(mail_id="m", chunks=1, size=9, sha256="0" * 64, head=5),
    list="team",
    list_address="team@x.example",
    bounces=("", ""),
    post=1,
)


def chunk(name: str, first: int, *people: str, numbers: tuple[int, ...] = ()) -> ChunkQueued:
    """A chunk of these people."""
    return ChunkQueued(
        mail_id="m",
        list="team",
        chunk=name,
        first=first,
        people=people,
        addresses=tuple(f"{person}@x.example" for person in people),
        numbers=numbers,
        copy=COPY,
    )


def test_everybody_is_known_once_all_chunks_of_the_fan_out_are() -> None:
    """Where one is gone nobody can say who has a copy, and nobody is sent a second one."""
    had = Had(3)
    had.queued(chunk("0", 0, "a", "b"))
    assert not had.whole
    had.queued(chunk("0r1", 0, "a", numbers=(0,)))
    assert not had.whole
    had.queued(chunk("x", 2, "c"))
    assert (had.whole, had.people, had.numbers) == (True, {"a", "b", "c"}, 3)


def test_the_ledger_says_who_it_was_where_the_chunks_are_gone() -> None:
    """It is kept longer, and names everybody once."""
    had = Had(3)
    window = WindowRecorded(mail_id="m", list="team", chunk="0")
    intent = Intent(start=0, end=2, people=("a", "b"))
    had.sent(WindowRecorded(mail_id="m", list="team", chunk="0", intent=intent))
    had.sent(window)
    assert not had.whole
    outcome = Outcome(start=2, end=3)
    had.sent(WindowRecorded(mail_id="m", list="team", chunk="0", outcome=outcome, people=("c",)))
    assert (had.whole, had.people) == (True, {"a", "b", "c"})


def member(since: int, status: str = "enabled") -> Standing:
    """A member from this sequence on."""
    roles = frozenset({"member"})
    return Standing(roles=roles, delivery_status=status, from_seq=since)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("periods", "did"),
    [
        ([(member(3), None)], True),
        ([(member(3), 9), (member(9), None)], True),
        ([(member(1), 3), (member(5), None)], True),
        ([], False),
        ([(member(3), 9)], False),
        ([(member(3), 7), (member(9), None)], False),
        ([(member(3), 7), (member(7, "by_user"), 9), (member(9), None)], False),
        ([(member(6), None)], False),
        ([(member(3), 9), (NOBODY, None)], False),
    ],
)
def test_who_left_or_wanted_no_mail_in_between_misses_nothing(
    periods: list[tuple[Standing, int | None]], did: bool
) -> None:
    """Of a post whose audience was fixed at 5."""
    assert stayed(periods, 5) is did


@given(st.lists(st.integers(1, 5), max_size=6), st.integers(0, 6))
def test_no_number_and_no_name_is_given_twice(sizes: list[int], gone: int) -> None:
    """A bounce finds one person: also where the chunks that came before are stored no more, and the
    ledger alone tells of them."""
    had, used, at = Had(4), set(range(4)), 4
    had.queued(chunk("0", 0, "p0", "p1", "p2", "p3"))
    for count, size in enumerate(sizes):
        assert (had.rounds, had.numbers >= at) == (count, True)
        people = tuple(f"m{count}-{index}" for index in range(size))
        first = had.numbers
        if count < gone:
            had.sent(
                WindowRecorded(
                    mail_id="m",
                    list="team",
                    chunk=f"m{count}",
                    outcome=Outcome(start=0, end=size),
                    people=people,
                )
            )
        else:
            had.queued(chunk(f"m{count}", first, *people))
        mine = set(range(first, first + size))
        assert used.isdisjoint(mine)
        used |= mine
        at = max(used) + 1
