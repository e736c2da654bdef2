"""What raises an alarm, from one look at the whole."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from postroad.runtime.alarms.sights import Behind, Look, behind
from postroad.runtime.alarms.standing import Key
from postroad.runtime.alarms.table import TABLE, look_through, told_of
from postroad.runtime.condition import Disk, Lag, Seen
from postroad.runtime.health import Fact, Report
from postroad.runtime.verdict import STAGES, SUPERVISOR, judge

NOW = 1_800_000_000.0
OLD = 3600.0


def look(*facts: Fact, service: str = "sender", **more: Any) -> Look:
    """A look at a road that is well, but for what these facts of a service say."""
    reports = [
        Report(service=name, pid=1, ready=True, facts=list(facts) if name == service else [])
        for name in (*STAGES, SUPERVISOR)
    ]
    of_look = {key: more.pop(key) for key in ("behind", "refused", "known") if key in more}
    seen = Seen(reports=tuple(reports), **more)
    return Look(status=judge(seen), seen=seen, now=NOW, **{"behind": {}, "refused": {}, **of_look})


def wrong(at: Look) -> dict[str, str]:
    """What is wrong, by alarm and name."""
    return {"/".join(each.key): each.text for each in look_through(at)[0]}


def test_a_road_that_is_well_raises_nothing():
    """Nothing is wrong with a road on which everything answers."""
    assert not wrong(look())


def test_what_only_a_person_can_mend_is_told_at_once():
    """A login that is refused does not wait; a server that is away may come back by itself."""
    login = Fact(kind="relay", name="out", ok=False, detail="x", alarm="refused the login")
    away = Fact(kind="relay", name="out", ok=False, detail="cannot be reached")
    ((one,), _), ((other,), _) = (
        look_through(look(each, relays=("out",))) for each in (login, away)
    )
    assert (one.text, one.after, one.again) == ("refused the login", 0, 0)
    assert (other.text, other.after > 60) == ("cannot be reached", True)


def test_a_limit_of_ours_is_no_trouble_by_itself():
    """A relay that has had what the settings allow is well, unless the sender calls a person."""
    detail = "daily limit of 25 reached; goes on at 03:54 UTC on 23 November"
    limited = Fact(kind="relay", name="out", ok=False, detail=detail)
    assert not wrong(look(limited, relays=("out",)))
    limited.alarm = detail
    assert wrong(look(limited, relays=("out",))) == {"relay/out": detail}


def test_what_was_not_tried_is_neither_wrong_nor_well():
    """A sender that was just started knows nothing of its relay: no all-clear by it."""
    fresh = Fact(kind="relay", name="out", detail="not used yet", untried=True)
    assert Key("relay", "out") not in look_through(look(fresh, relays=("out",)))[1]
    used = Fact(kind="relay", name="out")
    assert Key("relay", "out") in look_through(look(used, relays=("out",)))[1]


def test_what_is_configured_no_more_fails_nobody():
    """The alarm of a source that was taken out of the settings is over."""
    known = [Key("source", "old"), Key("source", "new")]
    well = look_through(look(sources=("new",), known=known))[1]
    assert Key("source", "old") in well
    assert Key("source", "new") not in well


def test_without_the_broker_nothing_else_is_known():
    """A broker that is away is told, and the disk of this machine; no alarm is raised or cleared
    for what lies behind it."""
    full = Disk(path="x", free=1, total=100)
    seen = Seen(unreachable="no broker answers", sources=("box",), disk=full)
    found, well = look_through(
        Look(status=judge(seen), seen=seen, now=NOW, behind={}, refused={}, known=[])
    )
    assert [each.key.alarm for each in found] == ["broker", "disk"], "a full disk may be why"
    assert {key.alarm for key in well} == {"monitor"}


def test_each_thing_that_goes_wrong_has_its_alarm():
    """Parked messages, a stage that gets nowhere, an old message, a disk that is full, a refused
    mail, a service that dies or does not answer, late tables, a hook, a provider."""
    gb = 10**9
    loop = {"crash_looping": True, "last_exit": "was ended by SIGKILL"}
    stream = {"position": 1, "lag": 5, "lag_seconds": OLD}
    assert wrong(look(parked=2, last_parked="by router, message 3 of RECEIVED: a bug")) == {
        "parked/DEADLETTER": "2 messages are parked, kept but not processed; the last by router, "
        "message 3 of RECEIVED; see postroad deadletter ls"
    }
    stuck = {"router": Behind(7, NOW - 700)}
    lags = {"router": Lag(waiting=9, oldest=OLD)}
    assert wrong(look(lags=lags, behind=stuck)).keys() == {"behind/router", "oldest/router"}
    assert "disk/state_dir" in wrong(look(disk=Disk(path="x", free=5 * gb, total=100 * gb)))
    assert "refused/box" in wrong(look(refused={"box": 1}))
    dying = Fact(kind="service", name="janitor", ok=False, detail="x", facts=loop)
    assert "was ended by SIGKILL" in wrong(look(dying, service=SUPERVISOR))["crashing/janitor"]
    assert "folding/analytics.duckdb" in wrong(_with_projector(stream))
    hook = Fact(kind="hook", name="loud (rules)", ok=False, detail="it fails with ValueError")
    assert "hook/loud (rules)" in wrong(look(hook, service="router"))
    incident = Fact(kind="incident", name="big.example, team@lists.example.org", ok=False)
    told = wrong(look(incident, service="membership"))
    assert "@" not in str(told), "the address of a list is nobody's business where alarms go"
    assert "incident/big.example" in told
    assert wrong(_without("router")).keys() == {"away/router"}


@pytest.mark.parametrize(
    ("free", "told"),
    [
        (9_900, "is nearly full: less than 10 GB of 100 GB free in /state; "),
        (9_100, "is nearly full: less than 10 GB of 100 GB free in /state; "),
        (750, "is nearly full: less than 1 GB of 100 GB free in /state; "),
        (7, "is full: less than 10 MB of 100 GB free in /state; "),
        (0, "is full: less than 1 MB of 100 GB free in /state; "),
    ],
)
def test_a_disk_is_told_by_its_path_and_room(free: int, told: str) -> None:
    """In steps, so that nobody is told again of every mail that was stored."""
    disk = Disk(path="/state", free=free * 10**6, total=10**11)
    text = told + "make room before the broker must refuse mail"
    assert wrong(look(disk=disk)) == {"disk/state_dir": text}


def test_a_broker_that_keeps_dying_is_told_once_it_answers() -> None:
    """Each time it is away for too short a time to be told of; that it dies again and again is."""
    loop = {"crash_looping": True, "last_exit": "was ended by SIGKILL"}
    dying = Fact(kind="broker", name="embedded", ok=False, detail="x", facts=loop)
    (found,), _ = look_through(look(dying, service=SUPERVISOR))
    assert (found.key, found.kind, found.after) == (("crashing", "embedded"), "broker", 0)
    settled = Fact(kind="broker", name="embedded", facts={"crash_looping": False})
    assert Key("crashing", "embedded") in look_through(look(settled, service=SUPERVISOR))[1]


def _with_projector(facts: dict[str, Any]) -> Look:
    fact = Fact(kind="stream", name="RAW", facts=facts)
    report = Report(service="projector", pid=1, ready=True, facts=[fact])
    seen = look().seen
    seen = Seen(reports=(*seen.reports, report))
    return Look(status=judge(seen), seen=seen, now=NOW, behind={}, refused={})


def _without(service: str) -> Look:
    reports = tuple(each for each in look().seen.reports if each.service != service)
    seen = Seen(reports=reports)
    return Look(status=judge(seen), seen=seen, now=NOW, behind={}, refused={})


def test_only_what_grows_no_less_is_behind():
    """A queue that becomes shorter moves, however long it is; an empty one is behind nobody."""
    counts = [("router", 0), ("router", 5), ("router", 9), ("router", 4), ("router", 4)]
    found: dict[str, Behind] = {}
    seen = []
    for second, (name, count) in enumerate(counts):
        found = behind(found, {name: count}, NOW + second)
        seen.append(found.get(name))
    assert seen[0] is None
    assert [each.since - NOW for each in seen[1:] if each] == [1, 1, 3, 3]


def test_a_fact_that_is_told_is_judged_as_in_a_look():
    """What services tell at once raises the same alarm as the look that finds it later."""
    fact = Fact(kind="source", name="gmail", ok=False, detail="x", alarm="it expired")
    at_once, _ = told_of("ingest", fact)
    later, _ = look_through(look(fact, service="ingest", sources=("gmail",)))
    assert at_once == later
    assert told_of("ingest", Fact(kind="source", name="gmail")) == ([], {Key("source", "gmail")})
    assert told_of("router", Fact(kind="lookup", name="x", ok=False, detail="slow")) == ([], set())


def test_names_are_told_apart():
    """Each alarm has a name, an alert and a page of its own."""
    for of in ("name", "alert", "page"):
        assert len({getattr(alarm, of) for alarm in TABLE}) == len(TABLE)
    assert msgspec.json.encode([alarm.name for alarm in TABLE]).islower()
