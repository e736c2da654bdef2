"""A trace as a waterfall."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.waterfall import ALIKE, Row, bar, duration, parts, rows
from schemas.spans import Attribute, Moment, Span

SECOND = 1_000_000_000


def span(
    name: str,
    parent: str = "",
    *,
    start: float = 0,
    end: float = 1,
    id_: str = "",
    error: str = "",
) -> Span:
    return Span(
        trace="t",
        span=id_ or name,
        parent=parent,
        name=name,
        service="s",
        start=int(start * SECOND),
        end=int(end * SECOND),
        error=error,
    )


def test_children_stand_below_their_parent_in_order_of_time():
    """Depth follows the parents, order the clock, whatever order the spans came in."""
    found = list(
        rows(
            [
                span("late", "root", start=2, end=3),
                span("root", start=0, end=3),
                span("early", "root", start=1, end=2),
                span("leaf", "early", start=1, end=2),
            ]
        )
    )
    assert [(row.depth, row.name) for row in found] == [
        (0, "root"),
        (1, "early"),
        (2, "leaf"),
        (1, "late"),
    ]
    assert [(row.start, row.seconds) for row in found] == [(0, 3), (1, 1), (1, 1), (2, 1)]


def test_a_span_whose_parent_is_missing_is_shown_at_the_top():
    """Spans arrive in groups: what is there is shown, whatever is not."""
    assert [(row.depth, row.name) for row in rows([span("lost", "unknown")])] == [(0, "lost")]


def test_many_alike_are_summed_up():
    """Beyond ten of one name under one parent, one line stands for the rest."""
    windows = [span("window", "root", start=n, end=n + 1, id_=f"w{n}") for n in range(25)]
    found = list(rows([span("root", end=25), *windows]))
    assert len(found) == 1 + ALIKE + 1
    assert (found[-1].count, found[-1].start, found[-1].seconds) == (15, 10, 15)


def test_tries_that_failed_alike_are_one_line():
    """A relay that is dead for an hour is a line with a count, at the time of the first try; what
    went well in the end, and what failed in another way, have their own."""
    tries = [
        span("chunk", "root", start=n, end=n + 1, id_=f"c{n}", error="Retry") for n in range(200)
    ]
    other = span("chunk", "root", start=3, end=4, id_="other", error="Reject")
    good = span("chunk", "root", start=200, end=201, id_="good")
    window = span("window", "good", start=200, end=201)
    found = list(rows([span("root", end=201), *tries, other, good, window]))
    assert [(row.depth, row.name, row.error, row.count) for row in found] == [
        (0, "root", "", 1),
        (1, "chunk", "Retry", 200),
        (1, "chunk", "Reject", 1),
        (1, "chunk", "", 1),
        (2, "window", "", 1),
    ]
    assert (found[1].start, found[1].seconds) == (0, 200)


def test_what_is_done_again_stands_beside_the_first_try():
    """Each try is the cause of the next; a hundred of them are not a hundred steps to the right."""
    tries = [
        span("chunk", f"c{n - 1}" if n else "root", start=n, end=n + 1, id_=f"c{n}", error="Retry")
        for n in range(100)
    ]
    window = span("window", "c99", start=99.5, end=100)
    found = list(rows([span("root", end=100), *tries, window]))
    assert [(row.depth, row.name, row.count) for row in found] == [
        (0, "root", 1),
        (1, "chunk", 100),
        (2, "window", 1),
    ]


def test_what_happened_within_a_span_stands_below_it():
    """A rule that hit is a line of its own, at its time, alike ones once; what a span is about, and
    that it is not the first time, stands behind its name."""
    hits = tuple(
        Moment(name="rule hit", at=SECOND * at, attributes={"postroad.rule": rule})
        for at, rule in ((1, "max-size"), (2, "max-size"), (2, "no-subject"))
    )
    said: dict[str, Attribute] = {"postroad.kind": "held", "postroad.redelivered": True}
    whole = msgspec.structs.replace(span("handle", end=4), moments=hits, attributes=said)
    found = list(rows([whole, span("leaf", "handle", start=3, end=4)]))
    assert [(row.depth, row.name, row.mark, row.note) for row in found] == [
        (0, "handle", False, "held, given out again"),
        (1, "rule hit: max-size", True, ""),
        (1, "rule hit: no-subject", True, ""),
        (1, "leaf", False, ""),
    ]
    assert bar(found[1], 4.0, 40) == f"{' ' * 10}◆"


def test_what_comes_much_later_stands_apart():
    """A consumer that was reset makes a dot of no bar; tries every five minutes are one part."""
    post = [span("receive", end=0.1), span("handle", "receive", start=0.02, end=0.12)]
    again = [span("handle", "receive", start=579, end=579.1, id_="again")]
    assert parts([*again, *post]) == [post, again]
    assert parts([*post, span("late", "receive", start=1)]) != parts(post)
    tries = [span("chunk", "receive", start=300 * n, end=300 * n + 1) for n in range(1, 20)]
    assert parts([*post, *tries]) == [post, tries]
    assert parts([]) == []


def test_a_window_says_what_became_of_its_recipients():
    """One that a relay refused is seen; so is the window that something else leads to, even of many
    alike; and from which folder a mail came."""
    said: list[dict[str, Attribute]] = [{"accepted": 48, "failed": 0}] * (ALIKE + 1)
    said += [{"accepted": 45, "failed": 4, "deferred": 1, "left": 2}]
    spans = [
        msgspec.structs.replace(
            span("window", start=n, id_=str(n)),
            attributes={f"postroad.{name}": value for name, value in each.items()},
        )
        for n, each in enumerate(said)
    ]
    *first, _, refused = rows(spans, {"11": "◀"})
    assert [row.note for row in first] == ["48 taken"] * ALIKE
    assert refused.note == "◀ 45 taken, 1 refused, 1 put off, 2 not sent"
    found: dict[str, Attribute] = {"postroad.source": "box", "postroad.uid": 7}
    (mail,) = rows([msgspec.structs.replace(span("receive"), attributes=found)])
    assert mail.note == "box, UID 7"


def test_no_spans_no_lines():
    """Nothing gives nothing."""
    assert list(rows([])) == []


@given(
    start=st.floats(0, 10),
    seconds=st.floats(0, 10),
    width=st.integers(1, 60),
)
def test_a_bar_stays_within_its_width(start: float, seconds: float, width: int):
    """Every bar shows at least one mark and never leaves its column."""
    total = start + seconds
    row = Row(depth=0, name="", service="", start=start, seconds=seconds)
    drawn = bar(row, total, width)
    assert 1 <= len(drawn) <= width
    assert drawn.strip()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0000123, "12 µs"), (0.0321, "32.1 ms"), (1.754, "1.75 s")]
)
def test_durations_read_well(seconds: float, text: str):
    """Three digits and a unit that fits."""
    assert duration(seconds) == text
