"""What counts as healthy, degraded and down, and what a person is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroad.runtime.condition import Lag, Seen
from postroad.runtime.health import LEFT_OUT, Fact, Report
from postroad.runtime.verdict import STAGES, SUPERVISOR, judge


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
    assert "the supervisor restarts it" in found.problems[0]
    assert [s.restarts for s in found.stages if s.stage == "router"] == [1]


def test_a_crash_loop_is_told_even_while_the_service_answers():
    """A service that keeps dying is a problem in the moments it lives, too: how it died is told,
    not how it is."""
    died: dict[str, Any] = {"crash_looping": True, "last_exit": "was ended by SIGKILL"}
    keeper = report("supervisor", kept("sender", detail="ready", **died))
    found = judge(Seen(reports=(*road(), keeper)))
    assert (found.state, found.exit_code) == ("degraded", 1)
    assert "sender kept dying (the last time it was ended by SIGKILL)" in found.problems[0]


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
