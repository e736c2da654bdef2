"""The words of `postroad status`."""

from __future__ import annotations

import pytest

from postroad.cli import statuspage
from postroad.cli.output import print_table
from postroad.runtime.condition import BrokerState, Disk, Instance, Peer, Stage, Status


def test_the_widest_page_fits_a_hundred_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Large numbers, several processes and long errors fold; no line is longer than 100."""
    many = tuple(Instance(pid=4_194_300 + n, ready=True, uptime=1.0, rss_mb=1.0) for n in range(4))
    stage = Stage(
        stage="membership",
        state="degraded",
        rate=12_345.6,
        unit="messages",
        lag=12_345_678,
        pending=4096,
        oldest_seconds=90_000.0,
        restarts=123,
        instances=many,
        last_error="relay out: " + "it is far away " * 12,
        last_error_at="2026-11-20T12:00:00+00:00",
    )
    print_table(statuspage.STAGES, [statuspage.stage(stage)], whole=statuspage.STAGES_WHOLE)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    for words in ("12,346 messages/s", "12,345,678", "25 h", "12:00:00"):
        assert words in shown
    assert len(shown.splitlines()) <= 6, "what went wrong stands below, not folded in a column"
    status = Status(
        state="degraded",
        stages=(stage,),
        sources=(),
        relays=(),
        broker=BrokerState(kind="embedded", state="healthy"),
    )
    ((line, _),) = statuspage.errors(status)
    assert line.startswith("membership, at 12:00:00: relay out: it is far away")


def test_a_relay_says_whether_copies_go_to_it() -> None:
    """Paused, about to be tried, or at work; what went wrong last stays to be read."""
    paused = Peer(name="out", ok=False, detail="away", breaker="open", paused_seconds=240.0)
    tried = Peer(name="out", ok=False, detail="away", breaker="half-open")
    last = "2026-11-20T12:00:00+00:00"
    well = Peer(name="out", ok=True, breaker="closed", last_error="away", last_error_at=last)
    status = Status(
        state="degraded",
        stages=(),
        sources=(),
        relays=(paused, tried, well),
        broker=BrokerState(kind="embedded", state="healthy"),
        disk=Disk(path="/state", free=10**9, total=10**10),
    )
    words = [row[-1] for row in statuspage.peers(status)]
    assert words == [
        "away; paused for 4 min more",
        "away; the next copy tries it again",
        "last error 11-20 12:00: away",
    ]
    assert (
        "disk: 1.0 of 10.0 GB free in /state" in [line for line, _ in statuspage.below(status)][-1]
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_an_age_is_short(seconds: float, words: str) -> None:
    """In the unit that says enough."""
    assert statuspage.age(seconds) == words
