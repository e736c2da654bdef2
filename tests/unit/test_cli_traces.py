"""What `postroad trace` makes of what is typed, and of spans."""

from __future__ import annotations

import msgspec
import pytest

from postroad.cli.copytrace import answer, apart, road_of
from postroad.cli.spanreader import Trace
from postroad.cli.tracelist import Lines, chosen, fitting
from postroad.runtime.errors import UsageError
from projections.windows import Window, Windows, next_try
from schemas.road import Failure, Intent, Outcome, WindowRecorded
from schemas.spans import Attribute, Span

TRACE = "0199d2c64d3070008abcdef012345678"
SECOND = 1_000_000_000


def span(name: str, id_: str, parent: str = "", *, trace: str = TRACE, **more: Attribute) -> Span:
    error = str(more.pop("error", ""))
    seconds = float(more.pop("seconds", 0.01))
    said = {f"postroad.{key}": value for key, value in more.items()}
    return Span(
        trace=trace,
        span=id_,
        parent=parent,
        name=name,
        service=name.partition(".")[0],
        start=0,
        end=int(seconds * SECOND),
        error=error,
        attributes=said,
    )


def window(id_: str, parent: str, chunk: str) -> Span:
    said: dict[str, Attribute] = {"postroad.chunk": chunk, "postroad.window.start": 0}
    return msgspec.structs.replace(span("sender.window", id_, parent), attributes=said)


def entry(
    chunk: str = "0", *, of: tuple[int, int] | None = None, then: tuple[int, int] | None = None
) -> WindowRecorded:
    """A ledger entry of a chunk to p0, p1, ...: what became of one window, and who is next."""
    failures = (Failure(index=1, code=450, text="later", kind="deferred"),)
    outcome = Outcome(start=of[0], end=of[1], failures=failures) if of else None
    people = tuple(f"p{n}" for n in range(*then)) if then else ()
    intent = Intent(start=then[0], end=then[1], people=people) if then else None
    return WindowRecorded(
        mail_id="m", list="l", chunk=chunk, outcome=outcome, intent=intent, relay="out"
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("0199d2c64d30", ""), ("", "0199d2c64d30")),
        (("<1@posts>", ""), ("", "<1@posts>")),
        (("ann@example.net", "0199d2c64d30"), ("ann@example.net", "0199d2c64d30")),
        (("0199d2c64d30", "ann@example.net"), ("ann@example.net", "0199d2c64d30")),
        (("ann+x@example.net+0199d2c64d30", ""), ("ann+x@example.net", "0199d2c64d30")),
        (("ann@example.net+<1@posts>", ""), ("ann@example.net", "<1@posts>")),
        (("ann@example.net", "1@posts"), ("ann@example.net", "1@posts")),
    ],
)
def test_an_address_and_a_post_in_any_form(typed: tuple[str, str], meant: tuple[str, str]):
    """Two words in either order, or one with a plus behind the address; else it is a mail."""
    assert apart(*typed) == meant


def test_two_words_without_an_address_are_none():
    """Whoever forgets the address is told what to give."""
    with pytest.raises(UsageError, match="ADDRESS POST"):
        apart("ann", "0199d2c64d30")


def test_a_person_s_windows_are_found_in_the_ledger():
    """By the intent that names the person, with what the relay said to them and to nobody else."""
    found = Windows("p1")
    assert not found.concerns("d.0", b'["p0","p9"]')
    found.take("d.0", entry(then=(0, 2)), "chunk", None)
    assert found.concerns("d.0", b"an outcome names nobody")
    found.take("d.0", entry(of=(0, 2), then=(2, 4)), "window", None)
    found.take("d.0", entry(of=(2, 4)), "other", None)
    (window,) = found.found
    assert (window.start, window.end, window.span, window.deferred) == (0, 2, "window", True)
    assert answer(window) == "put off by out: 450 later (recipients 1 to 2 of chunk 0)"
    taken = Windows("p0")
    for each in (entry(then=(0, 2)), entry(of=(0, 2))):
        taken.take("d.0", each, "window", None)
    assert answer(taken.found[0]) == "taken by out: 250 (recipients 1 to 2 of chunk 0)"
    assert [next_try("3s1", 1), next_try("3r1", 2)] == ["3s1r1", "3r2"]


def test_the_road_of_a_copy_has_no_chunk_but_its_own():
    """What all copies have in common stays, and of chunks, batches and windows those that led to
    this copy; an entry of an older release names the chunk, and its window is found below it."""
    spans = [
        span("ingest.receive", "r"),
        span("router.handle", "h", "r"),
        span("membership.fanout", "f", "h"),
        span("membership.queue", "q1", "f"),
        span("membership.queue", "q2", "f"),
        span("sender.chunk", "c1", "q1"),
        span("sender.chunk", "c2", "q2"),
        window("w1", "c1", "0"),
        window("w2", "c2", "1"),
    ]
    common = ["r", "h", "f"]
    for named in ("w2", "c2"):
        sent = Window("l", "1", 0, 2, "out", Outcome(start=0, end=2), None, f"00-x-{named}-01")
        kept = road_of(Trace(trace=TRACE, spans=spans), [sent])
        assert [each.span for each in kept] == [*common, "q2", "c2", "w2"]
    assert [each.span for each in road_of(Trace(trace=TRACE, spans=spans), [])] == common


def test_traces_are_chosen_by_what_was_slow_or_failed():
    """One line a trace, named for what it began with; the projector's own only where asked for."""
    lines = Lines()
    for each in (
        span("router.handle", "b", "a", trace="1", seconds=3.0, list="team"),
        span("ingest.receive", "a", trace="1"),
        span("membership.list_ls", "a", trace="2", error="Retry"),
        span("projector.fold", "a", trace="3", seconds=9.0),
    ):
        lines.take(each)
    every = lines.latest()
    (first,) = chosen(every, slow=1.0)
    assert (first.what, first.list, first.spans, first.slowest) == ("ingest.receive", "team", 2, 3)
    assert [line.trace for line in chosen(every, errors=True)] == ["2"]
    assert [line.trace for line in chosen(every, service="projector")] == ["3"]
    assert {line.trace for line in chosen(every)} == {"1", "2"}
    assert {line.trace for line in chosen(every, mails=True)} == {"1"}


@pytest.mark.parametrize(
    ("width", "list_", "what", "whole"),
    [
        (120, "announcements-of-all", "membership.list_ls", 7),
        (109, "announcements-of-a…", "membership.list_ls", 7),
        (94, "announc…", "membership.li…", 7),
        (80, "announcem…", "", 6),
        (60, "announc…", "", 4),
    ],
)
def test_traces_fit_a_narrow_terminal(width: int, list_: str, what: str, whole: int):
    """No heading and no duration is broken in two: the list is shortened, then what a trace began
    with, and then that is left out; in the narrowest, numbers fold before anything is cut off."""
    columns = {
        "UTC": ["08:00:00"],
        "trace": ["0199d2c64d307abc"],
        "began with": ["membership.list_ls"],
        "list": ["announcements-of-all"],
        "spans": ["12"],
        "took": ["123.4 ms"],
        "slowest": ["123.4 ms"],
        "failed": ["UnknownEvent, Retry ×2"],
    }
    fitted, unfolded = fitting(columns, width)
    assert unfolded == whole
    assert fitted["list"] == [list_]
    assert fitted.get("began with", [""]) == [what]
    assert fitted.keys() - {"began with"} == columns.keys() - {"began with"}


def test_what_is_done_again_takes_no_time():
    """A post that is given out once more after a reset took as long as it took."""
    lines = Lines()
    again = span("sender.chunk", "c2", "a", replay=True)
    for each in (
        span("ingest.receive", "a", seconds=2.0),
        msgspec.structs.replace(again, start=600 * SECOND, end=601 * SECOND),
    ):
        lines.take(each)
    assert [line.seconds for line in lines.latest()] == [2.0]
