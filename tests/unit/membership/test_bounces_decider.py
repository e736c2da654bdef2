"""One person's bounces: what they count, when delivery stops, when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

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
from services.membership import decider as membership
from services.membership.bounces.decider import (
    POINTS,
    State,
    decide_bounce,
    decide_overdue,
    decide_release,
    fold,
    score_at,
)

STATUSES: tuple[DeliveryStatus, ...] = get_args(DeliveryStatus)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SETTINGS = ListSettings()
JOINED = MemberSubscribed()
ENABLED = MemberChanged(delivery_status="enabled", how="mail")


def bounce(kind: BounceKind = "hard", days: float = 0, *, incident: bool = False) -> MemberBounced:
    """A bounce so many days after the start."""
    return MemberBounced(kind=kind, at=START + timedelta(days=days), post="p", incident=incident)


def after(*given: Event, settings: ListSettings = SETTINGS) -> list[Event]:
    """What is stored when these happen to a member, one after the other."""
    stored: list[Event] = [JOINED]
    for event in given:
        if isinstance(event, MemberBounced):
            stored += decide_bounce(fold(stored), event, settings)
        else:
            stored.append(event)
    return stored


def status(stored: list[Event]) -> str:
    return fold(stored).status


def test_a_new_address_has_no_bounces() -> None:
    """The score of the old address is forgotten; what comes back from there later, of a post that
    came before, counts no more, unless it is a complaint."""
    moved = MemberMoved(at=START + timedelta(days=2))
    stored = after(bounce(), bounce(days=1), moved)
    assert score_at(fold(stored), moved.at, SETTINGS) == 0

    def of_post(came: datetime, kind: BounceKind = "hard") -> MemberBounced:
        post = f"{int(came.timestamp() * 1000):012x}7000800000000000abcd"
        return replace(bounce(kind, days=3), post=post)

    earlier, later = moved.at - timedelta(hours=1), moved.at + timedelta(hours=1)
    assert not decide_bounce(fold(stored), of_post(earlier), SETTINGS)
    assert decide_bounce(fold(stored), of_post(later), SETTINGS)
    assert decide_bounce(fold(stored), of_post(earlier, "complaint"), SETTINGS)


def test_delivery_stops_at_the_threshold_and_not_before() -> None:
    """Five days with a bounce are five points; the fifth stops delivery and warns, at once."""
    four = after(*(bounce(days=day) for day in range(4)))
    assert (status(four), fold(four).score) == ("enabled", 4)
    counted, stopped, warned = decide_bounce(fold(four), bounce(days=4), SETTINGS)
    assert counted == replace(bounce(days=4), points=1, score=5)
    assert isinstance(stopped, MemberChanged)
    assert (stopped.delivery_status, stopped.how) == ("by_bounces", "bounces")
    assert stopped.reason == "5 points for mail that came back"
    assert warned == MemberWarned(number=1, at=bounce(days=4).at)


def test_a_day_brings_one_point_at_most() -> None:
    """Ten posts that come back on one day are one bounce; a graver one makes half a point whole."""
    assert fold(after(*(bounce(days=n / 24) for n in range(10)))).score == 1
    later = (bounce("full"), bounce("full", 0.1), bounce("hard", 0.2), bounce("soft", 0.3))
    assert [e.points for e in after(*later)[1:] if isinstance(e, MemberBounced)] == [0.5, 0.5]


def test_a_score_is_forgotten_once_it_is_stale() -> None:
    """A week and more without a bounce, and counting begins anew; 0 keeps it for ever."""
    assert fold(after(bounce(), bounce(days=1), bounce(days=8))).score == 3
    stored = after(bounce(), bounce(days=1), bounce(days=8.5))
    assert fold(stored).score == 1
    assert score_at(fold(stored), START + timedelta(days=30), SETTINGS) == 0
    for_ever = ListSettings(bounce_info_stale_after=0)
    assert fold(after(bounce(), bounce(days=300), settings=for_ever)).score == 2


@pytest.mark.parametrize("kind", ["policy", "autoreply", "challenge"])
def test_what_is_not_the_recipients_fault_never_counts(kind: BounceKind) -> None:
    """A refusal for DMARC, spam or size is kept as evidence once a day; answers are not kept."""
    stored = after(*(bounce(kind, n / 2) for n in range(40)))
    assert status(stored) == "enabled"
    assert fold(stored).score == 0
    assert len(stored) - 1 == (20 if kind == "policy" else 0)


def test_a_complaint_stops_delivery_at_once_and_is_not_written_to() -> None:
    """Whoever calls it spam gets nothing more, no warning either, and is not removed."""
    stored = after(bounce("complaint"))
    assert (status(stored), len(stored)) == ("by_user", 3)
    assert decide_overdue(fold(stored), SETTINGS, START + timedelta(days=99)) == ()


PROBING = ListSettings(verp_probes=True)


def probed(*given: MemberBounced, settings: ListSettings = PROBING) -> list[Event]:
    """What is stored where the letter `probe` may go out on each of these bounces."""
    stored: list[Event] = [JOINED]
    for event in given:
        stored += decide_bounce(fold(stored), event, settings, probe="probe")
    return stored


FIVE = tuple(bounce(days=day) for day in range(5))


def test_a_probe_goes_out_before_delivery_stops() -> None:
    """With `verp_probes` the threshold sends a letter and stops nothing; the score starts anew,
    but the day brings no second point."""
    stored = probed(*FIVE)
    assert stored[-1] == MemberProbed(mail_id="probe", at=bounce(days=4).at)
    assert (status(stored), fold(stored).score) == ("enabled", 0)
    assert decide_bounce(fold(stored), bounce(days=4), PROBING, probe="other") == ()
    again = probed(*FIVE, *(bounce(days=day) for day in range(5, 9)))
    assert (status(again), fold(again).score) == ("enabled", 4)
    assert status(after(*FIVE, settings=PROBING)) == "by_bounces"  # where no letter can be sent


@pytest.mark.parametrize("kind", ["hard", "full", "soft"])
def test_a_probe_that_comes_back_stops_delivery(kind: BounceKind) -> None:
    """For good, whatever the reason, and only within two weeks."""
    stored = probed(*FIVE)
    back = replace(bounce(kind, days=6), post="probe")
    counted, stopped, warned = decide_bounce(fold(stored), back, PROBING, probe="other")
    assert isinstance(counted, MemberBounced)
    assert counted.points == 0
    assert isinstance(stopped, MemberChanged)
    assert stopped.delivery_status == "by_bounces"
    assert warned == MemberWarned(number=1, at=back.at)
    late = replace(back, at=back.at + timedelta(days=20))
    assert len(decide_bounce(fold(stored), late, PROBING, probe="other")) == 1


def test_what_is_no_bounce_of_the_member_proves_nothing_of_a_probe() -> None:
    """A vacation notice, a refusal of the mail itself, a notice of delay, and an incident stop
    nobody."""
    state = fold(probed(*FIVE))
    for kind in ("autoreply", "challenge", "policy"):
        assert decide_bounce(state, replace(bounce(kind, days=6), post="probe"), PROBING) == ()
    for late in (bounce("full", days=6), bounce("soft", days=6)):
        delayed = replace(late, post="probe", delayed=True)
        assert decide_bounce(state, delayed, PROBING) == ()
    incident = replace(bounce(days=6, incident=True), post="probe")
    assert decide_bounce(state, incident, PROBING) == ()
    complaint = decide_bounce(state, replace(bounce("complaint", days=6), post="probe"), PROBING)
    assert isinstance(complaint[1], MemberChanged)


def test_who_was_stopped_by_an_incident_is_released() -> None:
    """Within two days of the stop, and nobody whom an operator or a complaint has stopped."""
    low = ListSettings(bounce_score_threshold=1)
    stopped = fold(after(bounce(), settings=low))
    (freed,) = decide_release(stopped, START + timedelta(days=1))
    assert isinstance(freed, MemberChanged)
    assert freed.delivery_status == "enabled"
    assert decide_release(stopped, START + timedelta(days=2)) == ()
    by_hand = MemberChanged(delivery_status="by_bounces", how="command line")
    for other in (after(bounce()), after(bounce("complaint")), after(by_hand)):
        assert decide_release(fold(other), START) == ()
    assert [e.reason for e in after(bounce(), settings=low) if isinstance(e, MemberChanged)] == [
        "1 point for mail that came back"
    ]


def test_a_complaint_counts_whatever_stopped_their_mail() -> None:
    """Somebody stopped by bounces is warned no more; the complaint of somebody whom a moderator
    stopped is kept, once a day, and changes nothing; `process_bounces` does not matter."""
    assert status(after(*FIVE, bounce("complaint", 6))) == "by_user"
    moderated = MemberChanged(delivery_status="by_moderator", how="command line")
    stored = after(moderated, *(bounce("complaint", n / 4) for n in range(8)))
    assert (status(stored), len(stored)) == ("by_moderator", 5)
    off = ListSettings(process_bounces=False)
    assert status(after(bounce("complaint"), settings=off)) == "by_user"
    by_user = MemberChanged(delivery_status="by_user", how="mail")
    assert after(by_user, bounce("complaint")) == [JOINED, by_user]


def test_reports_that_anybody_may_have_written_stop_nobody() -> None:
    """One without a token counts, but at the threshold there is a probe, whatever the settings;
    one about the probe, or a complaint, is evidence at most."""
    forged = [replace(each, proved=False) for each in FIVE]
    stored = probed(*FIVE[:4], forged[4], settings=SETTINGS)
    assert isinstance(stored[-1], MemberProbed)
    assert isinstance(probed(forged[0], *FIVE[1:], settings=SETTINGS)[-1], MemberProbed)
    back = replace(bounce(days=6), post="probe", proved=False)
    assert decide_bounce(fold(stored), back, SETTINGS, probe="other") == ()
    complaint = replace(bounce("complaint", days=6), proved=False)
    (kept,) = decide_bounce(fold(stored), complaint, SETTINGS)
    assert isinstance(kept, MemberBounced)
    assert kept.points == 0


def test_enabling_delivery_forgets_the_score() -> None:
    """Whoever wants mail again starts afresh, and so does who leaves and comes back."""
    five = [bounce(days=day) for day in range(5)]
    for fresh in ((ENABLED,), (MemberUnsubscribed(), JOINED)):
        stored = after(*five, *fresh)
        assert fold(stored) == State(member=True)
        assert fold([*stored, *decide_bounce(fold(stored), bounce(days=9), SETTINGS)]).score == 1


def test_warnings_come_at_intervals_and_then_the_end() -> None:
    """Three warnings a week apart, the first at once; a week behind the last they are removed."""
    stored = after(*(bounce(days=day) for day in range(5)))
    happened: list[tuple[int, str]] = []
    for day in range(5, 40):
        events = decide_overdue(fold(stored), SETTINGS, START + timedelta(days=day))
        happened += [(day, type(event).__name__) for event in events]
        stored += events
    assert happened == [(11, "MemberWarned"), (18, "MemberWarned"), (25, "MemberUnsubscribed")]


def test_who_was_stopped_by_hand_is_neither_warned_nor_removed() -> None:
    """An operator may have reasons of their own."""
    stored = after(MemberChanged(delivery_status="by_bounces", how="command line"))
    assert decide_overdue(fold(stored), SETTINGS, START + timedelta(days=99)) == ()


def test_without_warnings_the_last_bounce_removes() -> None:
    """As in Mailman: 0 warnings are none."""
    settings = ListSettings(bounce_you_are_disabled_warnings=0, bounce_score_threshold=1)
    *_, last = after(bounce(), settings=settings)
    assert isinstance(last, MemberUnsubscribed)
    assert last.how == "bounces"


def test_process_bounces_off_changes_nothing() -> None:
    """Nobody is counted, stopped, warned or removed."""
    off = ListSettings(process_bounces=False)
    assert after(bounce(), settings=off) == [JOINED]
    stopped = fold(after(*(bounce(days=day) for day in range(5))))
    assert decide_overdue(stopped, off, START + timedelta(days=99)) == ()


def test_an_incident_counts_once_and_stops_nobody() -> None:
    """However many days of a week a provider fails, each of its people has one point; what lasts
    longer is no incident, and counts."""
    week = [bounce(days=day, incident=True) for day in range(7)]
    assert fold(after(*week)).score == 1
    one = ListSettings(bounce_score_threshold=1)
    assert status(after(*week, settings=one)) == "enabled"
    assert status(after(*(bounce(days=day, incident=True) for day in range(13)))) == "by_bounces"


kinds = st.sampled_from([*POINTS, "policy", "autoreply", "challenge"])
happenings = st.lists(
    st.one_of(
        st.builds(bounce, kinds, st.floats(0, 40), incident=st.booleans()),
        st.just(ENABLED),
    ),
    max_size=40,
)


@given(happenings, st.integers(1, 6))
def test_no_day_counts_more_than_a_point_and_nobody_stops_below_the_threshold(
    given: list[Event], threshold: int
) -> None:
    """Whatever comes, in whatever order."""
    settings = ListSettings(bounce_score_threshold=threshold)
    stored = after(*given, settings=settings)
    days: dict[object, float] = {}
    for event in stored:
        if event == ENABLED:
            days.clear()
        if isinstance(event, MemberBounced):
            day = event.at.date()
            days[day] = days.get(day, 0) + event.points
            assert days[day] <= 1
        if isinstance(event, MemberChanged) and event.delivery_status == "by_bounces":
            assert sum(days.values()) >= threshold


@given(happenings)
def test_the_same_bounce_again_changes_nothing(given: list[Event]) -> None:
    """A bounce that is decided on twice counts once."""
    stored = after(*given)
    for event in given[-1:]:
        if isinstance(event, MemberBounced):
            assert decide_bounce(fold(stored), event, SETTINGS) == ()


@given(happenings)
def test_nobody_who_is_no_member_has_a_score(given: list[Event]) -> None:
    """Bounces of somebody who left lead to nothing."""
    stored = [*after(*given), MemberUnsubscribed()]
    assert decide_bounce(fold(stored), bounce(days=50), SETTINGS) == ()


@given(
    st.lists(
        st.one_of(
            st.builds(bounce, st.just("hard"), st.floats(0, 9)),
            st.builds(
                MemberChanged, delivery_status=st.sampled_from(STATUSES), how=st.just("mail")
            ),
            st.sampled_from([JOINED, MemberUnsubscribed(), MemberSubscribed(role="owner")]),
        ),
        max_size=20,
    )
)
def test_what_is_decided_elsewhere_is_known_here(given: list[Event]) -> None:
    """Whatever happens, the score's view of a member is the roster's, and no other."""
    stored = after(*given, settings=ListSettings(bounce_score_threshold=2))
    state, person = fold(stored), reduce(membership.evolve, stored, membership.initial)
    assert state.member == ("member" in person.roles)
    if state.member:
        assert state.status == person.delivery_status


def test_a_mail_that_wants_mail_again_forgets_the_score() -> None:
    """`set mail on` by mail is the way that the warning tells."""
    stored = after(*(bounce(days=day) for day in range(5)))
    person = reduce(membership.evolve, stored, membership.initial)
    stored += membership.decide_mail(person, on=True, how="mail")
    assert fold(stored) == State(member=True)
