"""Spans of one process: what is kept, what is linked, what is stored."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.runtime import telemetry
from postroad.runtime.settings import Telemetry as Settings
from postroad.runtime.telemetry import LINKS, PARENT, STATE, Telemetry, carry, current, inject
from schemas.spans import Attribute, Span, SpanBatch, first_span

MAIL = "0199d2c64d3070008abcdef012345678"
OTHER = "0199d2c64d317000812345678abcdef0"


async def kept(*of: Telemetry) -> list[SpanBatch]:
    """What these processes store."""
    found: list[tuple[str, SpanBatch]] = []

    async def store(subject: str, data: bytes) -> None:
        found.append((subject, msgspec.json.decode(data, type=SpanBatch)))

    for each in of:
        await each.flush(store)
    for subject, batch in found:
        shard = subject.rpartition(".")[2]
        assert {span.trace[-1] for span in batch.spans} <= {shard}
        assert {each.trace[-1] for each in batch.linked} <= {shard}
    return [batch for _, batch in found]


async def spans(*of: Telemetry) -> dict[str, Span]:
    """Their spans, by name."""
    return {span.name: span for batch in await kept(*of) for span in batch.spans}


def handed_on(of: Telemetry, name: str, headers: Mapping[str, str]) -> None:
    """Another process handles a message with these headers."""
    with of.consumer(name, headers, {"messaging.message.delivery_attempt": 1}):
        pass


async def test_a_trace_goes_on_in_another_process():
    """The span that publishes is the parent of the one that handles, and the mail's id names the
    trace and its beginning."""
    ingest, router = Telemetry("ingest"), Telemetry("router")
    with ingest.root(MAIL, "ingest.receive") as root, ingest.span("ingest.more"):
        handed_on(router, "router.handle", inject())
    root.step("ingest.parse", 1, 2, {"postroad.size": 3})
    found = await spans(ingest, router)
    assert {span.trace for span in found.values()} == {MAIL}
    first = found["ingest.receive"]
    assert (first.span, first.parent) == (first_span(MAIL), "")
    assert found["ingest.more"].parent == found["ingest.parse"].parent == first.span
    assert found["router.handle"].parent == found["ingest.more"].span
    assert found["ingest.parse"].end - found["ingest.parse"].start == 1


@given(sample=st.floats(0, 1), low=st.integers(0, (1 << 56) - 1))
def test_a_larger_share_keeps_what_a_smaller_one_does(sample: float, low: int):
    """All of it keeps every trace, none of it none, and whoever keeps less keeps some of the same
    traces, in every process."""
    of = f"{low:014x}"
    assert of >= telemetry.threshold(1.0)
    assert not of >= telemetry.threshold(0.0)
    if of >= telemetry.threshold(sample):
        assert of >= telemetry.threshold(min(1.0, sample * 1.5))


@pytest.mark.parametrize(("sample", "share"), [(0.1, 100), (0.5, 500)])
def test_the_share_is_what_was_asked_for(sample: float, share: int):
    """Of ids that are spread evenly it keeps that share."""
    step = (1 << 56) // 1000
    ids = [f"{number * step:014x}" for number in range(1000)]
    assert abs(sum(each >= telemetry.threshold(sample) for each in ids) - share) <= 1


async def test_what_fails_or_is_slow_is_kept_of_every_trace():
    """With what it is part of in that process, and nothing else of a trace that is not sampled."""
    of = Telemetry("router", Settings(sample=0.0, slow="1s"))

    def handle(name: str, *, took: int = 0, fails: bool = False) -> None:
        with of.root(MAIL, f"{name}.root"), of.span(f"{name}.below") as below:
            below._start -= took  # as if it had begun so long ago
            with of.span(f"{name}.beside"):
                pass
            if fails:
                raise ValueError("ann@example.net")

    handle("well")
    handle("slow", took=2_000_000_000)
    with pytest.raises(ValueError, match="ann"):
        handle("fails", fails=True)
    found = await spans(of)
    assert set(found) == {"fails.root", "fails.below", "slow.root", "slow.below"}
    assert found["fails.below"].error == "ValueError"
    assert "ann" not in str(found)


async def test_whoever_wants_none_has_none():
    """Without telemetry nothing is stored, no header is written, and all else is as ever."""
    of = Telemetry("router", Settings(enabled=False))
    with of.root(MAIL, "a") as root, of.span("b") as below:
        root.link("mail", f"00-{OTHER}-{first_span(OTHER)}-01")
        below.moment("rule hit", {})
        below.done_before()
        assert inject() == {}
        assert current().parent == ""
    assert await kept(of) == []


async def test_links_are_told_where_they_lead():
    """A span that links to another trace is named in the shard of that trace; a link to itself, to
    its own mail, or to nothing that is a span is none."""
    of = Telemetry("membership")
    with of.root(MAIL, "membership.bounce") as span:
        span.link("bounce", f"00-{OTHER}-{first_span(OTHER)}-01")
        span.link("bounce", f"00-{OTHER}-{first_span(OTHER)}-01")
        span.link("bounce", "nonsense")
        span.link("bounce", span.parent)
        span.link_mail("bounce", f"{MAIL}-2")
    batches = await kept(of)
    (found,) = [span for batch in batches for span in batch.spans]
    assert [(link.trace, link.how) for link in found.links] == [(OTHER, "bounce")]
    (linked,) = [each for batch in batches for each in batch.linked]
    assert (linked.trace, linked.by.trace, linked.by.span) == (OTHER, MAIL, found.span)


async def test_what_somebody_causes_goes_on_in_the_trace_of_the_mail():
    """A verdict, a retry or a replay publishes in the trace of what it is about, with a link to
    whoever asked for it; a replay is marked as one, and so is all that comes of it."""
    membership, router, sender = Telemetry("membership"), Telemetry("router"), Telemetry("sender")
    stored = {PARENT: f"00-{MAIL}-{first_span(MAIL)}-01"}
    with membership.root(OTHER, "membership.let_through"):
        head = carry("replay", stored, replay=True)
    with router.consumer("router.accept", head, {}):
        handed_on(sender, "sender.chunk", inject())
    found = await spans(router, sender)
    assert {span.trace for span in found.values()} == {MAIL}
    (link,) = found["router.accept"].links
    assert (link.trace, link.span, link.how) == (OTHER, first_span(OTHER), "replay")
    assert all(span.attributes["postroad.replay"] is True for span in found.values())
    assert carry("verdict", {}) == {}
    assert STATE not in carry("verdict", stored)
    assert LINKS not in carry("verdict", stored)  # nobody asked within a span


async def test_what_was_done_before_is_a_replay_where_it_is_given_out_the_first_time():
    """A consumer that was reset gives out everything anew, as a first time; what a crash left
    unanswered comes a second time."""
    of = Telemetry("router")
    for attempt in (1, 2):
        about: dict[str, Attribute] = {"messaging.message.delivery_attempt": attempt}
        with of.consumer(f"try {attempt}", {}, about):
            current().done_before()
    found = await spans(of)
    assert found["try 1"].attributes.get("postroad.replay") is True
    assert "postroad.replay" not in found["try 2"].attributes
    assert found["try 2"].attributes["postroad.done_before"] is True


async def test_hostile_headers_cost_nothing():
    """What is no trace context, in any header, is passed over, however much there is of it."""
    of = Telemetry("router")
    handed_on(of, "router.handle", {PARENT: "00-zz", LINKS: "=," * 100_000, STATE: "\0"})
    (found,) = (await spans(of)).values()
    assert (found.parent, found.links) == ("", ())
    assert len(found.trace) == 32


def test_a_letter_of_our_own_accord_is_a_trace_of_its_own():
    """Below what is handled a span is part of it; with nothing handled, it begins the trace that
    is named for the letter; without telemetry in this process there is none."""

    def begun() -> None:
        assert telemetry.span("membership.letter", trace=MAIL).parent == ""
        of = Telemetry("membership")
        of.begin()
        assert telemetry.span("membership.letter", trace=MAIL).trace == MAIL
        with of.root(OTHER, "membership.answer"):
            assert telemetry.span("membership.letter", trace=MAIL).trace == OTHER

    contextvars.Context().run(begun)  # of this test alone


OLD = (
    b'{"spans":[{"trace":"0199d2c64d3070008abcdef012345678","span":"00f067aa0ba902b7",'
    b'"parent":"53995c3f42cd8ad8","name":"sender.window","service":"sender","kind":"client",'
    b'"start":1763700000000000000,"end":1763700000100000000,"error":"relay",'
    b'"attributes":{"postroad.chunk":"0","postroad.accepted":16},"instance":"4711"}]}'
)


def test_spans_of_older_releases_are_read():
    """What the first release stored decodes as it did, with no links and no moments."""
    (span,) = msgspec.json.decode(OLD, type=SpanBatch).spans
    assert (span.name, span.kind, span.error, span.instance) == (
        *("sender.window", "client", "relay", "4711"),
    )
    assert span.attributes == {"postroad.chunk": "0", "postroad.accepted": 16}
    assert (span.links, span.moments) == ((), ())
    assert msgspec.json.encode(SpanBatch(spans=(span,))) == OLD
