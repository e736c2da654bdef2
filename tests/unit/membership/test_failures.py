"""Who finally got no copy, and into which chunks they go again."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy, Failure, Intent, Outcome, WindowRecorded
from services.membership.failures import Again, Ledger, reasons, round_of

PEOPLE = tuple(f"{letter}1" * 12 for letter in "abcdef")
ADDRESSES = tuple(f"{letter}@{'one' if letter < 'd' else 'two'}.example" for letter in "abcdef")
COPY = Copy(
    raw=RawRef(mail_id="m", chunks=1, size=9, sha256="", head=4),
    list="team",
    list_address="team@lists.example",
    bounces=("team-bounces+", "@lists.example"),
    post=7,
)


def failure(index: int, code: int = 550, enhanced: str = "5.1.1", **more: Any) -> Failure:
    """A final failure, unless `more` says otherwise."""
    return Failure(**{"index": index, "code": code, "enhanced": enhanced, "kind": "failed", **more})


def entry(chunk: str = "0", **more: Any) -> WindowRecorded:
    """One ledger entry."""
    return WindowRecorded(mail_id="m", list="team", chunk=chunk, **more)


def whole(chunk: str, people: tuple[str, ...], *failures: Failure) -> WindowRecorded:
    """The only entry of a chunk of one window."""
    return entry(chunk, people=people, outcome=Outcome(start=0, end=len(people), failures=failures))


def folded(*entries: WindowRecorded) -> Ledger:
    """A ledger with these entries."""
    ledger = Ledger()
    for seq, each in enumerate(entries, 1):
        ledger.take(seq, each)
    return ledger


def queued(
    chunk: str = "0", first: int = 0, *whom: int, numbers: tuple[int, ...] = ()
) -> ChunkQueued:
    """A chunk of these people, by index; of all where none is named."""
    chosen = whom or range(len(PEOPLE))
    return ChunkQueued(
        mail_id="m",
        list="team",
        chunk=chunk,
        first=first,
        people=tuple(PEOPLE[at] for at in chosen),
        addresses=tuple(ADDRESSES[at] for at in chosen),
        numbers=numbers,
        copy=COPY,
    )


def looked_for(ledger: Ledger, *chunks: ChunkQueued) -> Again:
    """The failed of the ledger, looked for in these chunks."""
    again = Again(ledger.failed)
    for chunk in chunks:
        again.take(chunk)
    return again


def test_people_are_named_in_the_intent_or_with_the_outcome() -> None:
    """Whose window it was stands one entry before its outcome, or with it."""
    ledger = folded(
        entry(intent=Intent(start=0, end=3, people=PEOPLE[:3])),
        entry(
            outcome=Outcome(start=0, end=3, failures=(failure(1),)),
            intent=Intent(start=3, end=6, people=PEOPLE[3:]),
        ),
        entry(outcome=Outcome(start=3, end=6, failures=(failure(5, 452, "4.2.2"),))),
        whole("1", ("z" * 24,), failure(0)),
    )
    assert {(each.person, each.chunk, each.seq) for each in ledger.failed.values()} == {
        (PEOPLE[1], "0", 2),
        (PEOPLE[5], "0", 3),
        ("z" * 24, "1", 4),
    }
    assert ledger.failed[PEOPLE[1]].why == "the mailbox does not exist"
    assert ledger.failed[PEOPLE[5]].why == "given up after many tries: the mailbox is full"


def test_the_last_outcome_counts() -> None:
    """Who failed and then got it, waits again, or has left, has not failed."""
    failed = whole("0", PEOPLE, *(failure(at) for at in range(4)))
    later = whole("f1-0", PEOPLE[:3], failure(1, kind="deferred"), failure(2, kind="left"))
    assert set(folded(failed, later).failed) == {PEOPLE[3]}


def test_a_window_cut_short_blames_nobody_behind_it() -> None:
    """Of a window that ended early only who was reached has an outcome."""
    ledger = folded(
        entry(intent=Intent(start=0, end=6, people=PEOPLE)),
        entry(outcome=Outcome(start=0, end=2, failures=(failure(1),))),
    )
    assert set(ledger.failed) == {PEOPLE[1]}


def test_a_notice_has_nobody_who_failed() -> None:
    """What we wrote ourselves goes to no person; so no report is ever about a report."""
    assert not folded(whole("0", ("",), failure(0))).failed


def test_the_failed_keep_their_numbers_in_a_chunk_of_a_new_name() -> None:
    """A bounce of the second copy finds its recipient as one of the first would; retries of the
    chunk have the round in front of their names too."""
    ledger = folded(whole("0", PEOPLE, failure(4), failure(1)))
    again = looked_for(ledger, queued("0", 100), queued("0r1", 0, 2, numbers=(102,)))
    (chunk,) = again.chunks("m", again.places())
    assert (chunk.chunk, chunk.people) == ("f1-0", (PEOPLE[1], PEOPLE[4]))
    assert (chunk.numbers, chunk.addresses) == ((101, 104), (ADDRESSES[1], ADDRESSES[4]))
    assert (chunk.attempt, chunk.since, chunk.copy) == (0, None, COPY)
    assert [round_of(name) for name in ("0", "12r3", "f1-0", "f12-3r1", "f2-0s1")] == [
        0,
        0,
        1,
        12,
        2,
    ]


def test_one_domain_alone() -> None:
    """The others stay failed."""
    again = looked_for(folded(whole("0", PEOPLE, failure(1), failure(4))), queued())
    assert [place.person for place in again.places("TWO.example")] == [PEOPLE[4]]


def test_who_is_tried_again_is_not_tried_twice() -> None:
    """Asked again before there is an outcome nobody is queued; after it, who failed again is, in a
    round of its own."""
    first = whole("0", PEOPLE, failure(1), failure(4))
    once = (queued(), queued("f1-0", 0, 1, 4, numbers=(1, 4)))
    again = looked_for(folded(first), *once)
    assert (again.waiting(), again.places()) == ({PEOPLE[1], PEOPLE[4]}, [])
    deferred = whole("f1-0", (PEOPLE[1], PEOPLE[4]), failure(0, 450, kind="deferred"), failure(1))
    once_more = looked_for(folded(first, deferred), *once)
    (chunk,) = once_more.chunks("m", once_more.places())
    assert (chunk.chunk, chunk.people) == ("f2-0", (PEOPLE[4],))


def test_who_shares_a_copy_goes_on_sharing_it() -> None:
    """An archive that gets the shared copy of a personal list gets that again, and a member theirs,
    whichever chunk was stored last."""
    shared = msgspec.structs.replace(COPY, personal=False)
    archive = msgspec.structs.replace(
        queued("x", 6), people=("z" * 24,), addresses=("archive@x.example",), copy=shared
    )
    entries = whole("0", PEOPLE, failure(1)), whole("x", ("z" * 24,), failure(0))
    again = looked_for(folded(*entries), queued(), archive)
    made = {chunk.chunk: (chunk.people, chunk.copy) for chunk in again.chunks("m", again.places())}
    assert sorted(made) == ["f1-0", "f1-1"]
    assert set(made.values()) == {((PEOPLE[1],), COPY), (("z" * 24,), shared)}


@given(st.lists(st.sets(st.sampled_from(range(6))), max_size=4))
def test_asking_after_every_outcome_reaches_who_still_fails(rounds: list[set[int]]) -> None:
    """Each round holds exactly those who failed in the one before, and names never repeat."""
    entries = [whole("0", PEOPLE, *(failure(at) for at in range(6)))]
    chunks, failing = [queued()], set(range(6))
    for survivors in rounds:
        again = looked_for(folded(*entries), *chunks)
        made = list(again.chunks("m", again.places()))
        assert {PEOPLE.index(who) for chunk in made for who in chunk.people} == failing
        assert not {chunk.chunk for chunk in made} & {chunk.chunk for chunk in chunks}
        failing &= survivors
        for chunk in made:
            bad = [at for at, who in enumerate(chunk.people) if PEOPLE.index(who) in failing]
            entries.append(whole(chunk.chunk, chunk.people, *map(failure, bad)))
        chunks += made


def test_reasons_are_counted() -> None:
    """The commonest first."""
    ledger = folded(whole("0", PEOPLE, failure(0), failure(1, 554, ""), failure(2), failure(3)))
    assert reasons(ledger.failed.values(), PEOPLE[:3]) == (
        ("the mailbox does not exist", 2),
        ("the server does not take this mail", 1),
    )
