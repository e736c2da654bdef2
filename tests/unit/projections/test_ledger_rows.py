"""Specification: the ledger as rows says of everybody what really became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.cli.story import Fate
from postroad.cli.timeline import Teller
from projections.analytics import deliveries, routing, sending
from projections.projection import Message, Projection
from schemas.road import ChunkQueued, WindowRecorded
from tests.unit.projections.analysis import Analysis, together
from tests.unit.projections.ledgers import BEGAN, Story, Written, interleaved

FOLDED: dict[str, Projection] = {
    "ROUTED": routing.PROJECTION,
    "SEND": sending.PROJECTION,
    "DELIVERY": deliveries.PROJECTION,
}
seeds = st.integers(min_value=0, max_value=2**32)


def of(written: Sequence[Written], stream: str) -> list[Message]:
    """The messages of one stream."""
    return [each.message for each in written if each.stream == stream]


def cut(chance: Random, messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """The messages in batches, as it falls out."""
    ends = sorted(chance.randrange(len(messages) + 1) for _ in range(chance.randrange(5)))
    for start, end in zip([0, *ends], [*ends, len(messages)], strict=True):
        yield messages[start:end]


def shown(written: Sequence[Written], mail: str) -> Fate:
    """What `postroad post show` says of a mail."""
    teller = Teller(mail, {})
    for stream in ("ROUTED", "DELIVERY", "SEND"):
        for message in of(written, stream):
            for event in message.body.events:
                teller.take(BEGAN, event)
    for message in of(written, "SEND"):
        for event in message.body.events:
            if isinstance(event, ChunkQueued):
                teller.wait(event, "")
    (fate,) = teller.tell().lists
    return fate


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Every table."""
    return Analysis()


@settings(max_examples=8)
@given(st.lists(seeds, min_size=1, max_size=20), st.floats(min_value=0.1, max_value=1))
def test_rows_say_what_became_of_everybody(
    analysis: Analysis, story_seeds: Sequence[int], part: float
) -> None:
    """After any beginning of any stories, counts and last words are what the sender did, and what
    `post show` tells."""
    chance = Random(story_seeds[0])
    stories = [
        Story(Random(seed), f"{number:032x}").tell(1 + seed % 20)
        for number, seed in enumerate(story_seeds)
    ]
    written = interleaved(chance, stories)
    written = written[: max(1, int(part * len(written)))]
    analysis.clear()
    for stream, projection in FOLDED.items():
        for batch in cut(chance, of(written, stream)):
            analysis.fold(projection, batch)
    last = {each.message.body.correlation: each.fates for each in written}
    check(analysis, last)
    counts = {row["mail"]: row for row in analysis.dicts("select * from counts")}
    for mail, fates in last.items():
        mine = [each for each in written if each.message.body.correlation == mail]
        if not torn(mine):
            compare(counts[mail], fates, shown(mine, mail))


def check(analysis: Analysis, last: Mapping[str, Mapping[str, str]]) -> None:
    """The tables against what is true of everybody, by mail."""
    found: dict[str, dict[str, str]] = {mail: {} for mail in last}
    for mail, person, outcome in analysis.rows("select mail, person, outcome from recipients"):
        found[mail][person] = outcome
    assert found == last
    kinds = ("accepted", "failed", "deferred", "departed")
    (by_day,) = analysis.rows("select sum(accepted) from delivery_by_day")
    assert (by_day[0] or 0) == sum(list(f.values()).count("accepted") for f in last.values())
    counted = analysis.rows(f"select mail, {', '.join(kinds)} from counts")
    assert {mail: counts for mail, *counts in counted} == {
        mail: [list(fates.values()).count(kind) for kind in kinds] for mail, fates in last.items()
    }


def compare(counts: Mapping[str, object], fates: Mapping[str, str], fate: Fate) -> None:
    """The counts of one mail against what `post show` says of it."""
    told = (fate.recipients, fate.accepted, fate.failed, fate.left, fate.waiting)
    names = ("audience", "accepted", "failed", "departed", "waiting")
    assert tuple(counts[name] for name in names) == told
    assert (counts["doubtful"], counts["windows"]) == (fate.possible_duplicates, fate.windows)
    troubles = {trouble.person: trouble.kind for trouble in fate.troubles}
    assert troubles == {who: what for who, what in fates.items() if what in ("failed", "deferred")}


def torn(written: Sequence[Written]) -> bool:
    """Whether a chunk is split, and its parts are not queued yet: `post show` then misses them."""
    events = [event for each in written for event in each.message.body.events]
    split = {e.chunk for e in events if isinstance(e, WindowRecorded) and e.split}
    queued = {e.chunk for e in events if isinstance(e, ChunkQueued)}
    return any(f"{chunk}s1" not in queued for chunk in split)


@given(seeds, st.integers(min_value=1, max_value=20))
def test_batches_make_no_difference(seed: int, people: int) -> None:
    """However the messages of a stream are cut into batches, the rows are the same."""
    chance = Random(seed)
    written = Story(chance).tell(people).written
    for stream, projection in FOLDED.items():
        messages = of(written, stream)
        pieces = cut(chance, messages)
        assert together(projection, pieces) == together(projection, [messages])
