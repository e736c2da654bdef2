"""The ledger of a chunk: whoever reads its last entry knows all that is needed to go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.road import ChunkQueued, Failure, Outcome, WindowRecorded
from services.sender import ledger
from tests.unit.sender.chunks import chunk

THEN = datetime(2026, 11, 1, tzinfo=UTC)


def write(queued: ChunkQueued, at: int, outcome: Outcome | None, **rest: object) -> WindowRecorded:
    """One entry, with the usual relay and worker."""
    next_end = rest.get("next_end", 0)
    options: dict[str, object] = {
        "named": True,
        "next_end": next_end,
        "may_have": range(at, next_end),  # type: ignore[call-overload]
        "sent": (),
        "deferred": (),
        **rest,
    }
    return ledger.entry(queued, at=at, outcome=outcome, relay="r", worker="w", **options)  # type: ignore[arg-type]


def test_an_unknown_chunk_starts_at_its_beginning() -> None:
    """Without a ledger nothing is done and nothing is in doubt."""
    assert ledger.position(None, 0) == ledger.Position()


def test_an_intent_without_outcome_is_in_doubt() -> None:
    """After a crash between intent and outcome, exactly that window may have gone out."""
    entry = write(chunk(40), 16, Outcome(start=0, end=16), next_end=32)
    at = ledger.position(entry, 7)
    assert (at.done, set(at.doubt), at.finished, at.seq) == (16, set(range(16, 32)), False, 7)


def test_what_is_known_of_a_window_outlives_the_next_crash() -> None:
    """Who has a copy, who may have one and who is not offered any are three kinds in an intent; a
    window narrower than what is in doubt keeps the doubt."""
    entry = write(chunk(40), 8, None, next_end=12, may_have={8, 9, 13, 15}, sent={5, 10, 13})
    assert entry.intent is not None
    assert (entry.intent.end, entry.intent.without) == (16, (11, 12, 14))
    assert (entry.intent.sent, entry.intent.twice) == ((10, 13), (13,))
    at = ledger.position(entry, 7, "id")
    assert (at.done, set(at.doubt), set(at.sent), at.id) == (8, {8, 9, 13, 15}, {10, 13}, "id")


def test_an_outcome_without_intent_leaves_no_doubt() -> None:
    """A chunk that was paused goes on after its last outcome, with nobody in doubt."""
    at = ledger.position(write(chunk(40), 5, Outcome(start=0, end=5)), 3)
    assert (at.done, len(at.doubt), at.finished) == (5, 0, False)


def test_the_last_outcome_finishes_the_chunk() -> None:
    """The chunk is finished when the outcome reaches its end, whatever failed in it."""
    failed = Failure(index=39, code=550, kind="failed")
    entry = write(chunk(40), 40, Outcome(start=32, end=40, failures=(failed,)), deferred=(3,))
    assert entry.finished
    assert ledger.position(entry, 9).deferred == (3,)


def test_people_are_named_once() -> None:
    """Names stand in the intent; only a window without an intent names them with its outcome."""
    queued = chunk(10)
    assert write(queued, 10, Outcome(start=0, end=10), named=False).people == queued.people
    assert write(queued, 10, Outcome(start=0, end=10), named=True).people == ()
    intent = write(queued, 0, None, next_end=10).intent
    assert intent is not None
    assert intent.people == queued.people


def test_passed_over_is_who_waits_for_relay_or_domain_alone() -> None:
    """One recipient who asked for time himself makes the whole chunk wait as he asked; only those
    who wait for their domain may go in chunks of their own."""
    queued = chunk(20)
    relays = Failure(index=4, code=454, kind="deferred", scope="relay")
    dead = Failure(index=5, code=550, kind="failed")
    first = write(queued, 10, Outcome(start=0, end=10, failures=(relays, dead)), next_end=20)
    grey = Failure(index=17, code=450, kind="deferred")
    domain = Failure(index=18, code=0, kind="deferred", scope="destination")
    waits = write(queued, 20, Outcome(start=10, end=20, failures=(domain,)))
    asks = write(queued, 20, Outcome(start=10, end=20, failures=(grey, domain)))
    assert ledger.passed_over([first])
    assert ledger.passed_over([first, waits])
    assert not ledger.passed_over([first, asks])
    assert ledger.of_their_domain([first, asks]) == {18}


def test_after_its_time_a_refusal_is_the_last() -> None:
    """The first attempt counts, not the latest."""
    young, five = chunk(1, since=THEN), timedelta(days=5)
    assert not ledger.given_up(young, THEN + timedelta(days=4), five)
    assert ledger.given_up(young, THEN + timedelta(days=5, seconds=1), five)
    assert not ledger.given_up(chunk(1), THEN + timedelta(days=50), five)


@given(st.integers(1, 60), st.lists(st.integers(1, 20), max_size=60), st.data())
def test_every_recipient_has_exactly_one_outcome_whatever_breaks(
    size: int, widths: list[int], data: st.DataObject
) -> None:
    """Windows of any width, cut at any place, cover the chunk once and without a gap."""
    queued, seq = chunk(size), 0
    covered: list[int] = []
    last: WindowRecorded | None = None
    for width in [*widths, *[size] * size]:
        at = ledger.position(last, seq)
        if at.finished:
            break
        end = min(at.done + width, size)
        last, seq = write(queued, at.done, None, next_end=end), seq + 1
        if data.draw(st.booleans()):  # killed: the intent stays, the window is in doubt
            assert ledger.position(last, seq).doubt == set(range(at.done, end))
            continue
        reach = data.draw(st.integers(at.done, end))
        covered += range(at.done, reach)
        last, seq = write(queued, reach, Outcome(start=at.done, end=reach)), seq + 1
    assert covered == list(range(ledger.position(last, seq).done))
