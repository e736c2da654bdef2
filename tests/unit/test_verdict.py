"""What counts as healthy, degraded and down, and what a person is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroad.runtime.condition import Clock, Disk, Lag, Seen
from postroad.runtime.health import LEFT_OUT, Fact, Report
from postroad.runtime.verdict import REFUSED, STAGES, SUPERVISOR, judge


def report(service: str, *facts: Fact, ready: bool = True, **more: Any) -> Report:
    return Report(service=service, pid=1, ready=ready, facts=list(facts), **more)


def road(*without: str) -> tuple[Report, ...]:
    return tuple(report(name) for name in STAGES if name not in without)


def kept(name: str, *, kind: str = "service", detail: str = "", **facts: Any) -> Fact:
    return Fact(kind=kind, name=name, detail=detail, facts=facts)


def test_all_at_work_is_healthy():
    """Every service ready, no complaint, nothing parked: healthy, and nothing to say."""
    found = judge(Seen(reports=road()))
    assert (found.state, found.exit_code, found.problems) == ("healthy", 0, ())
    assert [stage.stage for stage in found.stages] == ["ingest", "router", "membership", "sender"]


def test_what_was_left_out_on_purpose_is_not_missed():
    """A service beside the road that the supervisor was not to run is named only where it runs."""
    left_out = report(SUPERVISOR, Fact(kind=LEFT_OUT, name="web"))
    away = judge(Seen(reports=(*road(), left_out), beside=("web",)))
    assert (away.state, [stage.stage for stage in away.stages]) == ("healthy", [*STAGES])
    there = judge(Seen(reports=(*road(), left_out, report("web")), beside=("web",)))
    assert (there.state, [stage.stage for stage in there.stages]) == ("healthy", [*STAGES, "web"])
    assert judge(Seen(reports=road(), beside=("web",))).state == "degraded"


def test_no_broker_is_down():
    """Without a broker everything is down, and the one problem is the broker's."""
    found = judge(Seen(unreachable="no broker answers at nats.example.org:4222; start it"))
    assert (found.state, found.exit_code) == ("down", 2)
    assert found.problems == ("no broker answers at nats.example.org:4222; start it",)
    assert {stage.state for stage in found.stages} == {"down"}


def test_no_service_is_down():
    """A broker on which nobody answers is down, and the remedy is named."""
    found = judge(Seen())
    assert (found.state, found.exit_code) == ("down", 2)
    assert found.problems == (
        "the broker answers, but no service runs; start them with `postroad up`",
    )


@pytest.mark.parametrize("missing", STAGES)
def test_one_service_missing_is_down(missing: str):
    """The road is as good as its weakest stage: one service away is down, and it is named."""
    found = judge(Seen(reports=road(missing)))
    assert (found.state, found.exit_code) == ("down", 2)
    assert [stage.stage for stage in found.stages if stage.state == "down"] == [missing]
    assert len(found.problems) == 1
    assert missing in found.problems[0]
    assert f"postroad run {missing}" in found.problems[0]


def test_a_supervised_service_comes_back_by_itself():
    """Where a supervisor keeps the missing service, its words say how it ended."""
    keeper = report("supervisor", kept("router", detail="was ended by SIGKILL", restarts=1))
    found = judge(Seen(reports=(*road("router"), keeper)))
    assert found.state == "down"
    assert "was ended by SIGKILL" in found.problems[0]
    assert "`postroad up` sees to it" in found.problems[0]
    assert [s.restarts for s in found.stages if s.stage == "router"] == [1]


def test_a_crash_loop_is_told_even_while_the_service_answers():
    """A service that keeps dying is a problem in the moments it lives, too: how it died is told,
    not how it is."""
    died: dict[str, Any] = {"crash_looping": True, "last_exit": "was ended by SIGKILL"}
    keeper = report("supervisor", kept("sender", detail="ready", **died))
    found = judge(Seen(reports=(*road(), keeper)))
    assert (found.state, found.exit_code) == ("degraded", 1)
    assert "sender kept dying (the last time it was ended by SIGKILL)" in found.problems[0]


def test_the_broker_is_called_what_people_call_it():
    """The embedded broker that kept dying runs again, for else nobody could say so."""
    died: dict[str, Any] = {"crash_looping": True, "last_exit": "was ended by SIGKILL", "pid": 7}
    keeper = report("supervisor", kept("embedded", kind="broker", **died))
    (problem,) = judge(Seen(reports=(*road(), keeper))).problems
    assert problem.startswith("the embedded broker kept dying (the last time it was ended by SIG")
    assert "and runs again" in problem


def test_a_starting_service_is_degraded():
    """A service that answers and is not ready yet is degraded, not down."""
    found = judge(Seen(reports=(*road("membership"), report("membership", ready=False))))
    assert (found.state, found.exit_code) == ("degraded", 1)
    assert "membership is not ready" in found.problems[0]


@pytest.mark.parametrize(("kind", "service"), [("source", "ingest"), ("relay", "sender")])
def test_a_failing_peer_is_degraded(kind: str, service: str):
    """A source or relay that fails for one instance degrades the whole, with its own words."""
    good = report(service, Fact(kind=kind, name="home"))
    bad = report(service, Fact(kind=kind, name="home", ok=False, detail="wrong password"))
    seen = Seen(reports=(*road(service), good, bad), sources=("home",), relays=("home",))
    found = judge(seen)
    assert (found.state, found.exit_code) == ("degraded", 1)
    assert len(found.problems) == 1
    assert found.problems[0].startswith(f"{kind} home does not work: wrong password")
    peer = (found.sources if kind == "source" else found.relays)[0]
    assert peer.ok is False


def test_a_hook_that_fails_is_degraded():
    """It is named, with what is wrong and what that does to mail, until it works again."""
    bad = report("router", Fact(kind="hook", name="loud (rules)", ok=False, detail="it fails"))
    found = judge(Seen(reports=(*road("router"), bad)))
    assert (found.state, found.exit_code) == ("degraded", 1)
    (problem,) = found.problems
    assert problem.startswith("the hook loud (rules) could not be asked: it fails; posts are held")
    well = report("router", Fact(kind="hook", name="loud (rules)"))
    assert judge(Seen(reports=(*road("router"), well))).state == "healthy"


def test_a_janitor_that_cannot_look_is_degraded():
    """It says why nothing is deleted, until it looks again."""
    bad = report("janitor", Fact(kind="janitor", name="look", ok=False, detail="nobody answers"))
    found = judge(Seen(reports=(*road(), bad)))
    assert found.state == "degraded"
    (problem,) = found.problems
    assert problem.startswith("the janitor deletes nothing: nobody answers")


def test_a_provider_that_fails_is_degraded():
    """It is named, and the list, and where it is told why."""
    name = "big.example, team@lists.example.org"
    bad = Fact(kind="incident", name=name, ok=False, detail="since 2026-03-02 08:00; look there")
    found = judge(Seen(reports=(*road("membership"), report("membership", bad))))
    assert (found.state, found.exit_code) == ("degraded", 1)
    (problem,) = found.problems
    assert problem.startswith(
        "big.example takes no mail of team@lists.example.org since 2026-03-02"
    )
    well = report("membership", Fact(kind="incident", name=name))
    assert judge(Seen(reports=(*road("membership"), well))).state == "healthy"


def test_a_peer_nobody_has_tried_is_no_problem():
    """A configured source that no service has spoken of yet is shown as unknown."""
    found = judge(Seen(reports=road(), sources=("home",)))
    assert found.state == "healthy"
    assert found.sources[0].ok is None


def test_parked_messages_degrade():
    """Anything in DEADLETTER needs a person, so it is degraded until resolved."""
    found = judge(Seen(reports=road(), parked=2, last_parked="by router: no header"))
    assert (found.state, found.parked) == ("degraded", 2)
    assert found.problems[0].startswith("2 messages are parked")
    assert "by router: no header" in found.problems[0]


def test_lag_is_summed_over_the_lanes_of_a_stage():
    """The sender has two durables; its lag is what waits in both."""
    lags = {"sender-now": Lag(waiting=3, pending=1), "sender-bulk": Lag(waiting=40, redelivered=2)}
    sender = judge(Seen(reports=road(), lags=lags)).stages[-1]
    assert (sender.lag, sender.pending, sender.redelivered) == (43, 1, 2)
    assert sender.state == "healthy"


def test_the_last_error_of_a_stage_is_its_newest():
    """Of several instances, the error that happened last is shown."""
    older = report("router", last_error="old", last_error_at="2026-01-01T00:00:00+00:00")
    newer = report("router", last_error="new", last_error_at="2026-01-02T00:00:00+00:00")
    stage = judge(Seen(reports=(*road("router"), newer, older))).stages[1]
    assert stage.last_error == "new"
    assert len(stage.instances) == 2


def test_an_error_is_forgotten_after_an_hour():
    """What went wrong long ago helps nobody who looks now."""
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    failed = report("router", last_error="old", last_error_at=at.isoformat())
    for later, told in ((timedelta(minutes=59), "old"), (timedelta(minutes=61), "")):
        seen = Seen(reports=(*road("router"), failed), at=at + later)
        stage = judge(seen).stages[1]
        assert (stage.last_error, bool(stage.last_error_at)) == (told, bool(told))


def test_a_relay_at_its_limit_is_well():
    """Whatever the limit, and whoever reports it as a failure: nothing is wrong, and it is told
    apart. A limit of a domain behind it is not the relay's."""
    limit = "daily limit of 25 reached; goes on at 12:10 UTC on 22 November"
    behind = "limit of 5 for a.example reached; goes on at 12:10 UTC on 22 November"
    facts = (
        Fact(kind="relay", name="one", ok=False, detail=limit),
        Fact(kind="relay", name="two", detail=f"b.example slow; {limit.removeprefix('daily ')}"),
        Fact(kind="relay", name="three", detail=behind),
    )
    seen = Seen(reports=(*road("sender"), report("sender", *facts)), relays=("one", "two", "three"))
    found = judge(seen)
    assert (found.state, found.problems) == ("healthy", ())
    assert [(relay.ok, relay.limited) for relay in found.relays] == [
        (True, True),
        (True, True),
        (True, False),
    ]


def test_a_dead_relay_among_several():
    """Its copies wait only where no other works; a relay at its limit takes none either."""
    dead = Fact(kind="relay", name="one", ok=False, detail="cannot be reached")
    limit = "limit of 5 reached; goes on at 12:10 UTC on 22 November"
    ends = {"": "the rest waits", limit: "its copies wait"}
    for detail, end in ends.items():
        other = Fact(kind="relay", name="two", detail=detail)
        sender = report("sender", dead, other)
        (problem,) = judge(Seen(reports=(*road("sender"), sender), relays=("one", "two"))).problems
        assert problem.endswith(end)


def test_a_supervisor_that_stops_starts_nothing_again():
    """Told to stop, it lets services finish: they are away, and that is the only problem."""
    stopping = Fact(kind="supervisor", name="stopping")
    keeper = report("supervisor", stopping, kept("router", detail="ready"))
    found = judge(Seen(reports=(*road("router", "ingest"), keeper)))
    assert found.state == "down"
    (problem,) = found.problems
    assert problem.startswith("Postroad is stopping")


def test_warnings_do_not_degrade():
    """Settings that are merely unwise are shown and change no exit code."""
    found = judge(Seen(reports=road(), warnings=("there is no [[relay]]",)))
    assert (found.state, found.warnings) == ("healthy", ("there is no [[relay]]",))


def test_the_web_service_is_beside_the_road():
    """Where it is wanted it is shown; away, or without its port, links lead nowhere and mail goes
    on."""
    away = judge(Seen(reports=road(), beside=("web",)))
    assert [stage.stage for stage in away.stages] == [*STAGES, "web"]
    assert (away.state, away.problems) == (
        "degraded",
        ("web does not answer; start it with `postroad up` or `postroad run web`",),
    )
    taken = report("web", Fact(kind="web", name="127.0.0.1:8080", ok=False, detail="no port"))
    found = judge(Seen(reports=(*road(), taken), beside=("web",)))
    assert found.state == "degraded"
    assert found.problems[0].startswith("web at 127.0.0.1:8080: no port; ")
    assert judge(Seen(reports=(*road(), report("web")), beside=("web",))).state == "healthy"
    assert judge(Seen(beside=("web",))).problems == judge(Seen()).problems


def test_one_of_several_that_keeps_dying_is_told():
    """A second sender that keeps dying degrades the whole while the first works; its deaths count
    for the stage, and its last words are told."""
    died: dict[str, Any] = {"service": "sender", "pid": 99, "crash_looping": True, "restarts": 7}
    died |= {"last_exit": "ended with exit code 1", "said": "no room", "pause": 30.0}
    first = kept("sender", service="sender", pid=1, restarts=1)
    found = judge(Seen(reports=(*road(), report(SUPERVISOR, first, kept("sender-2", **died)))))
    assert found.state == "degraded"
    (problem,) = found.problems
    assert problem.startswith("sender-2 keeps dying (the last time it ended with exit code 1, ")
    assert "saying: no room);" in problem
    assert "it is tried every 30 s and runs by itself once that is mended" in problem
    assert [stage.restarts for stage in found.stages if stage.stage == "sender"] == [8]


def test_who_is_alive_and_silent_is_told():
    """A process that hangs is named with what happens to it, also where others answer."""
    hangs = kept("router-2", detail="no answer for 30 s", service="router", silent=True)
    found = judge(Seen(reports=(*road(), report(SUPERVISOR, hangs))))
    assert found.problems == ("router-2 is alive and does not answer; no answer for 30 s",)


def test_a_stage_tells_how_fast_and_how_late_it_is():
    """Rates of its instances are added up, of its durables the oldest message counts."""
    senders = [report("sender", rates={"copies": rate, "chunks": 1.0}) for rate in (20.0, 1.5)]
    lags = {
        "sender-now": Lag(waiting=2, oldest=3.0, asking=1),
        "sender-bulk": Lag(waiting=5, pending=4, oldest=90.0),
    }
    found = judge(Seen(reports=(*road("sender"), *senders), lags=lags))
    (stage,) = (each for each in found.stages if each.stage == "sender")
    assert (stage.rate, stage.unit) == (21.5, "copies")
    assert (stage.lag, stage.pending, stage.oldest_seconds) == (7, 4, 90.0)
    assert [each.name for each in stage.consumers] == ["sender-now", "sender-bulk"]


def test_a_relay_is_open_while_it_is_paused():
    """While the pause lasts the breaker is open; then half-open, until a copy went through."""
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for seconds, breaker, left in ((20, "open", 20.0), (-1, "half-open", 0.0), (0, "closed", 0.0)):
        until = (at + timedelta(seconds=seconds)).isoformat() if seconds else ""
        fact = Fact(kind="relay", name="out", ok=not until, facts={"paused_until": until})
        seen = Seen(at=at, reports=(*road("sender"), report("sender", fact)), relays=("out",))
        (relay,) = judge(seen).relays
        assert (relay.breaker, relay.paused_seconds) == (breaker, left)


def test_a_full_disk_degrades_and_a_scarce_one_is_a_warning():
    """Below 200 MB free somebody must act, below 2 GB it is worth knowing; of a small disk its
    share counts, and what the broker needs. Nobody is told where the disk cannot be asked."""
    for free, total, state, words in (
        (100_000_000, 10**12, "degraded", "is full: 100 MB free"),
        (10**9, 10**12, "healthy", "fills up: 1.0 GB free"),
        (400_000_000, 5 * 10**9, "healthy", "fills up: 400 MB free"),
        (60_000_000, 80_000_000, "healthy", "fills up: 60 MB free"),
        (30_000_000, 80_000_000, "degraded", "is full: 30 MB free"),
        (0, 0, "healthy", ""),
    ):
        found = judge(Seen(reports=road(), disk=Disk(path="/state", free=free, total=total)))
        assert found.state == state
        assert words in " ".join((*found.problems, *found.warnings))
    full = Disk(path="/state", free=0, total=10**9)
    (_, told) = judge(Seen(unreachable="it does not run", disk=full)).problems
    assert told.endswith("is full: 0 MB free; make room")  # what ended does not come back by itself
    roomy = Disk(path="/state", free=79_000_000, total=80_000_000)
    assert not judge(Seen(reports=road(), disk=roomy)).warnings


def test_who_was_not_to_run_here_is_started_beside_it():
    """With `up --only` a second `postroad up` is refused: what helps is `postroad run`."""
    (told,) = judge(Seen(reports=(*road("ingest"), report(SUPERVISOR)))).problems
    assert "`postroad run ingest`" in told
    assert "start it with `postroad up`" not in told


def test_a_sender_without_its_journal_is_a_warning():
    """Mail goes on, but more would be in doubt after a crash."""
    fact = Fact(kind="journal", name="/state/sender", ok=False, detail="not a directory")
    found = judge(Seen(reports=(*road("sender"), report("sender", fact))))
    assert found.state == "healthy"
    assert "no journal in /state/sender: not a directory" in found.warnings[0]


def test_a_broker_in_another_time_is_told():
    """Clocks that differ make ages and schedules wrong."""
    found = judge(Seen(reports=road(), clock=Clock(at="", broker_ahead=-61.0)))
    assert found.problems == (
        "the broker's clock is 61 s behind this machine's; keep both right by NTP",
    )


def test_a_port_of_the_monitor_that_is_taken_is_a_warning():
    """Nobody can ask for metrics there, and nothing is wrong with Postroad for it."""
    detail = "cannot listen there: address already in use"
    taken = Fact(kind="telemetry", name="127.0.0.1:9464", ok=False, detail=detail)
    monitor = Report(service="monitor", pid=9, ready=True, facts=[taken])
    found = judge(Seen(reports=(*road(), monitor)))
    assert found.state == "healthy"
    assert found.warnings == (f"no health and metrics at 127.0.0.1:9464: {detail}",)


def left(mails: int) -> Fact:
    return Fact(kind=REFUSED, name="md", facts={"mails": mails})


@pytest.mark.parametrize(
    ("mails", "said"),
    [
        (1, "a mail could not be taken in the last hour and stays where it is"),
        (4, "4 mails could not be taken in the last hour and stay where they are"),
    ],
)
def test_mail_that_stays_at_a_source_is_told(mails: int, said: str):
    """The source works; what it left behind in the last hour wants a person, who is told how many
    and where to read on."""
    source = report("ingest", Fact(kind="source", name="md"))
    reports = (*road("ingest"), source, report("monitor", left(mails)))
    found = judge(Seen(reports=reports, sources=("md",)))
    page = "docs/operators/mail-refused.md"
    assert found.problems == (f"source md: {said} ({page})",)
    assert (found.state, found.sources[0].ok, found.sources[0].refused) == ("degraded", True, mails)


def test_who_stood_in_for_the_monitor_is_asked_only_without_one():
    """What the supervisor counted while no monitor was there says nothing once one is back."""
    standin = report(SUPERVISOR, left(4))
    without = judge(Seen(reports=(*road(), standin), sources=("md",)))
    back = judge(Seen(reports=(*road(), standin, report("monitor", left(0))), sources=("md",)))
    assert [each.sources[0].refused for each in (without, back)] == [4, 0]
    assert (without.state, back.state) == ("degraded", "healthy")
