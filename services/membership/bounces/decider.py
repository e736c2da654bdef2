"""One person's bounces on one list: score, stop, warnings, removal.

The rest of the aggregate `membership.<list>.<person>`; a score lives until delivery is enabled
again, the person leaves, or is reached at another address. As in Mailman a score is forgotten once
it is stale, and a day brings one point at most.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import reduce

import msgspec

from schemas.envelope import Event
from schemas.lists import ListSettings
from schemas.membership import (
    BounceKind,
    DeliveryStatus,
    MemberBounced,
    MemberChanged,
    MemberMoved,
    MemberProbed,
    MemberSubscribed,
    MemberUnsubscribed,
    MemberWarned,
)
from services.membership.bounces.incident import WITHIN

HOW = "bounces"
POINTS: dict[BounceKind, float] = {"hard": 1.0, "full": 0.5, "soft": 0.5}
FINAL: tuple[BounceKind, ...] = ("hard", "full", "soft")  # by which a probe stops delivery
KEPT: tuple[BounceKind, ...] = (*POINTS, "policy", "complaint")  # as evidence
PROBE = timedelta(days=14)  # after which a probe that comes back is a bounce like others
INCIDENT = timedelta(days=7)  # what lasts longer is none; what is so much later is another


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What holds for one person on one list. `points` are those of the day of `counted`, the last
    bounce that counted; `noted` is the last that did not. `probe` is the mail that was sent,
    `probed` a time, to see whether it comes back. `warned` of `number` letters was `at`. Since
    `moved` they are reached at another address."""

    member: bool = False
    status: DeliveryStatus = "enabled"
    by_hand: bool = False  # stopped by an operator, not by us
    score: float = 0.0
    points: float = 0.0
    counted: datetime | None = None
    noted: datetime | None = None
    incident: datetime | None = None  # when the newest incident began
    last: MemberBounced | None = None  # the newest evidence
    doubted: bool = False  # some of the score is not proved
    probe: str = ""
    probed: datetime | None = None
    warnings: int = 0
    warned: datetime | None = None
    moved: datetime | None = None


initial = State()


def evolve(state: State, event: Event) -> State:
    """The state after `event`; an event that says nothing about it leaves it as it was."""
    match event:
        case MemberSubscribed(role="member"):
            return State(member=True, status=event.delivery_status)
        case MemberUnsubscribed(role="member"):
            return initial
        case MemberChanged() if state.member and event.delivery_status:
            if event.delivery_status == "enabled":
                return State(member=True, moved=state.moved)
            by_hand = event.how != HOW
            return msgspec.structs.replace(
                state, status=event.delivery_status, by_hand=by_hand, warnings=0, warned=None
            )
        case MemberMoved() if state.member:
            return State(member=True, status=state.status, by_hand=state.by_hand, moved=event.at)
        case MemberBounced() if state.member:
            return _bounced(state, event)
        case MemberProbed() if state.member:
            return msgspec.structs.replace(
                state, score=0.0, doubted=False, probe=event.mail_id, probed=event.at
            )
        case MemberWarned() if state.member:
            return msgspec.structs.replace(state, warnings=event.number, warned=event.at)
        case _:
            return state


def fold(events: Iterable[Event]) -> State:
    """The state after all of these."""
    return reduce(evolve, events, initial)


def decide_bounce(
    state: State, found: MemberBounced, settings: ListSettings, *, probe: str = ""
) -> tuple[Event, ...]:
    """What a bounce leads to. `found` has no points yet; its `incident` says that many at its
    provider fail. `probe` is the id of the probe that may go out for it, empty where none can.
    Nothing for who is no member, or whose delivery is stopped already, unless they complain."""
    if not state.member:
        return ()
    if found.kind == "complaint" and found.proved:
        return _complaint(state, found)
    if not settings.process_bounces or state.status != "enabled":
        return ()
    if _went_elsewhere(state, found):
        return ()
    since = _incident(state, found.at)
    if since is not None and found.at - since >= INCIDENT:
        found = msgspec.structs.replace(found, incident=False)
    before = score_at(state, found.at, settings)
    if probing(state, found.at) and found.post == state.probe:
        return _came_back(msgspec.structs.replace(found, points=0.0, score=before), settings)
    points = min(_points(state, found), 1.0)
    if not points:
        again = state.noted is not None and _day(found.at) <= _day(state.noted)
        if found.kind not in KEPT or again or _counted_since(state, found):
            return ()
        return (msgspec.structs.replace(found, points=0.0, score=before),)
    found = msgspec.structs.replace(found, points=points, score=before + points)
    sure = found.proved and not state.doubted
    return (found, *_enough(found, settings, probe, sure=sure))


def probing(state: State, at: datetime) -> bool:
    """Whether a probe that is out at this time may still come back."""
    return bool(state.probe and state.probed and at - state.probed < PROBE)


def score_at(state: State, at: datetime, settings: ListSettings) -> float:
    """The score that still counts at this time; what is stale does not."""
    stale = timedelta(days=settings.bounce_info_stale_after)
    if state.counted is None or (stale and at - state.counted > stale):
        return 0.0
    return state.score


def decide_overdue(state: State, settings: ListSettings, now: datetime) -> tuple[Event, ...]:
    """The next warning, or the end of the membership, where it is time for that."""
    if not (settings.process_bounces and stopped(state)):
        return ()
    interval = timedelta(days=max(settings.bounce_you_are_disabled_warnings_interval, 1))
    if state.warned is not None and now - state.warned < interval:
        return ()
    if state.warnings < settings.bounce_you_are_disabled_warnings:
        return (MemberWarned(number=state.warnings + 1, at=now),)
    return (_removal(state.warnings),)


def complained(state: State) -> bool:
    """Whether a complaint has stopped the delivery."""
    last = state.last is not None and state.last.kind == "complaint"
    return state.member and state.status == "by_user" and last and not state.by_hand


def stopped(state: State) -> bool:
    """Whether bounces have stopped the delivery, and nobody by hand."""
    return state.member and state.status == "by_bounces" and not state.by_hand


def _enough(
    found: MemberBounced, settings: ListSettings, probe: str, *, sure: bool
) -> tuple[Event, ...]:
    """What follows from the score that there is now. Anybody may write a report without a token:
    who has such is probed first, whatever the settings."""
    threshold = settings.bounce_score_threshold
    if not threshold or found.score < threshold or found.incident:
        return ()
    if probe and (settings.verp_probes or not sure):
        return (MemberProbed(mail_id=probe, at=found.at),)
    return _stop(found, settings, _told(found.score))


def _came_back(found: MemberBounced, settings: ListSettings) -> tuple[Event, ...]:
    """What follows from a bounce of a probe: nothing while it may still arrive."""
    if found.kind not in FINAL or found.delayed or found.incident or not found.proved:
        return ()
    why = "mail came back, and so did a letter to see whether it still does"
    return (found, *_stop(found, settings, why))


def _complaint(state: State, found: MemberBounced) -> tuple[Event, ...]:
    """It is theirs to say, whatever else is switched off or has stopped their mail: they are not
    warned any more. What a moderator stopped stays so, or they could switch it on."""
    if state.status == "by_user":
        return ()
    if state.status == "by_moderator":
        again = state.noted is not None and _day(found.at) <= _day(state.noted)
        return () if again else (found,)
    reason = "their provider says that they called a mail of the list spam"
    return (found, MemberChanged(delivery_status="by_user", how=HOW, reason=reason))


def _stop(found: MemberBounced, settings: ListSettings, reason: str) -> tuple[Event, ...]:
    if not settings.bounce_you_are_disabled_warnings:
        return (_removal(0),)
    stop = MemberChanged(delivery_status="by_bounces", how=HOW, reason=reason)
    return (stop, MemberWarned(number=1, at=found.at))


def decide_release(state: State, now: datetime) -> tuple[Event, ...]:
    """Delivery goes on for who was stopped before it was clear that many at their provider fail."""
    if not stopped(state) or state.warned is None or state.warnings > 1:
        return ()
    if now - state.warned >= WITHIN:
        return ()
    reason = "many at their provider failed at once"
    return (MemberChanged(delivery_status="enabled", how=HOW, reason=reason),)


def _told(score: float) -> str:
    return f"{score:g} {'point' if score == 1 else 'points'} for mail that came back"


def _removal(warnings: int) -> MemberUnsubscribed:
    told = f"{warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else "no warning"
    return MemberUnsubscribed(how=HOW, reason=f"mail came back; they had {told}")


def _points(state: State, found: MemberBounced) -> float:
    """What it counts beyond what counted that day, or during the same incident, already."""
    weight = POINTS.get(found.kind, 0.0)
    if state.counted is None or not weight:
        return weight
    if found.incident and found.at - state.counted < INCIDENT:
        return 0.0
    if _day(found.at) < _day(state.counted):
        return 0.0
    if _day(found.at) == _day(state.counted):
        return max(weight - state.points, 0.0)
    return weight


def _went_elsewhere(state: State, found: MemberBounced) -> bool:
    """Whether the post came before the person's address changed: the old one is meant."""
    if state.moved is None:
        return False
    try:
        came = int(found.post[:12], 16) / 1000  # a mail id begins with its time, as a UUIDv7
    except ValueError:
        return False
    return came < state.moved.timestamp()


def _counted_since(state: State, found: MemberBounced) -> bool:
    """Whether the day, or a later one, has evidence that counted more already."""
    if found.kind not in POINTS or state.counted is None:
        return False
    return _day(found.at) <= _day(state.counted)


def _incident(state: State, at: datetime) -> datetime | None:
    """When the incident began that is going on at this time; None where there is none."""
    last = state.last
    return state.incident if last is not None and at - last.at < INCIDENT else None


def _bounced(state: State, found: MemberBounced) -> State:
    incident = (_incident(state, found.at) or found.at) if found.incident else state.incident
    state = msgspec.structs.replace(state, incident=incident, last=found)
    if not found.points:
        return msgspec.structs.replace(state, noted=found.at)
    before = state.points if state.counted and _day(state.counted) == _day(found.at) else 0.0
    return msgspec.structs.replace(
        state,
        score=found.score,
        doubted=state.doubted or not found.proved,
        points=before + found.points,
        counted=found.at,
    )


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
