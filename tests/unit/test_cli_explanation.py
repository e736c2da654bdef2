"""Who got a post, who did not, and why: outcome and words, from what is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.cli.evidence import (
    Bounce,
    Change,
    Decision,
    Evidence,
    Mail,
    Period,
    Posted,
    Queued,
    Try,
    Wait,
)
from postroad.cli.explanation import OUTCOMES, Explanation, explain
from postroad.mail.refusals import why

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
TEAM, NEWS = "team-example-org", "news-example-org"
ANN, BOB = "a" * 24, "b" * 24
AS_OF = 100


def at(minutes: float) -> datetime:
    """So long after the mail came in."""
    return T0 + timedelta(minutes=minutes)


POSTED = Decision(list=TEAM, seq=5, ts=at(1), kind="post", rule="truth", author=BOB)
JOINED = Change(
    list=TEAM,
    seq=10,
    ts=at(-900),
    event="subscribed",
    role="member",
    delivery_mode="regular",
    delivery_status="enabled",
    how="import",
    actor="operator:carol",
)
MEMBER = Period(list=TEAM, role="member", valid_from=at(-900), from_seq=10)
TAKEN = Try(
    list=TEAM,
    seq=7,
    ts=at(3),
    chunk="0",
    outcome="accepted",
    code=250,
    enhanced="",
    reply="2.0.0 Ok: queued",
    relay="out",
)
PUT_OFF = replace(
    TAKEN, seq=6, ts=at(2), outcome="deferred", code=451, enhanced="4.7.1", reply="try later"
)
REFUSED = replace(
    TAKEN, outcome="failed", code=550, enhanced="5.1.1", reply="no such user", scope="recipient"
)
EVIDENCE = Evidence(
    post="0199",
    address="ann@example.net",
    person=ANN,
    current="ann@example.net",
    lists={TEAM: "team@example.org", NEWS: "news@example.org"},
    people={BOB: "bob@example.net"},
    mail=Mail(mail="0199", ts=T0, source="box", folder="INBOX", uid=7, subject="Minutes"),
    decisions=(POSTED,),
    posts=(Posted(list=TEAM, author=BOB, membership_seq=AS_OF, fanned_out_at=at(2), audience=2),),
    periods=(MEMBER,),
    changes=(JOINED,),
    queued=(Queued(list=TEAM, chunk="0", ts=at(1.5)),),
)


def told(**known: Any) -> Explanation:
    """The explanation of the usual evidence, but for this."""
    return explain(replace(EVIDENCE, **known))


def left(seq: int, when: datetime, **more: Any) -> dict[str, Any]:
    """Evidence of who left at this sequence."""
    gone = Change(list=TEAM, seq=seq, ts=when, event="unsubscribed", role="member", **more)
    period = replace(MEMBER, to_seq=seq, valid_to=when)
    return {"changes": (JOINED, gone), "periods": (period,)}


def option(name: str, value: str, **more: Any) -> dict[str, Any]:
    """Evidence of a member who changed an option before the post."""
    about = {"list": TEAM, name: value}
    change = {"seq": 20, "ts": at(-60), "event": "changed", **about, **more}
    after = {"role": "member", "valid_from": at(-60), "from_seq": 20, **about}
    periods = (replace(MEMBER, to_seq=20, valid_to=at(-60)), msgspec.convert(after, Period))
    return {"changes": (JOINED, msgspec.convert(change, Change)), "periods": periods}


def test_a_copy_that_was_taken_is_told_from_the_mailbox_to_the_relays_answer() -> None:
    """Steps are in order of time: how they came onto the list, how the mail came in, what was
    decided, the chunk, each try, and what the relay said."""
    found = told(tries=(PUT_OFF, TAKEN))
    assert found.outcome == "delivered"
    assert found.why == "relay out took it and said: 250 2.0.0 Ok: queued"
    assert [(step.step, step.what) for step in found.steps] == [
        ("joined", "joined the list (import, by carol at the command line)"),
        ("received", "received from box (INBOX, UID 7)"),
        ("post", "posted to the list"),
        ("queued", "queued in chunk 0"),
        (
            "deferred",
            f"relay out refused it for now: {why(451, '4.7.1')} (451 4.7.1 try later)",
        ),
        ("accepted", found.why),
    ]
    assert found.steps[-1].facts["code"] == 250


@pytest.mark.parametrize(
    ("outcome", "words", "known"),
    [
        ("deferred", "tried again at 2026-11-20 12:30:00 UTC", {"tries": (PUT_OFF,)}),
        ("failed", "refused it for good: the mailbox does not exist", {"tries": (REFUSED,)}),
        (
            "departed",
            "left the list before their copy was sent",
            {"tries": (replace(TAKEN, outcome="departed", code=0),)},
        ),
        ("waiting", "queued in chunk 3, relay out does not work", {}),
        (
            "left_before",
            "had left the list at 2026-11-20 11:00:00 UTC (mail, by themselves)",
            left(50, at(-60), how="mail", actor=f"person:{ANN}"),
        ),
        (
            "departed",
            "before their copy was queued",
            {**left(150, at(1.9), reason="moved away"), "waits": ()},
        ),
        (
            "joined_later",
            "joined the list at 2026-11-20 12:05:00 UTC, after",
            {"periods": (replace(MEMBER, from_seq=101, valid_from=at(5)),), "changes": ()},
        ),
        ("not_member", "never a member", {"periods": (), "changes": ()}),
        (
            "not_member",
            "nonmember of the list",
            {"periods": (replace(MEMBER, role="nonmember"),), "changes": ()},
        ),
        (
            "suppressed",
            "too much of it came back (delivery_status=by_bounces) since 2026-11-20 11:00:00",
            option("delivery_status", "by_bounces", how="bounces", actor="service:membership"),
        ),
        ("suppressed", "without mail (delivery_mode=none)", option("delivery_mode", "none")),
        (
            "suppressed",
            "an owner or operator (delivery_status=by_moderator)",
            option("delivery_status", "by_moderator"),
        ),
        ("suppressed", "receive_own_postings=false", {"without": {TEAM: "receive_own_postings"}}),
        ("suppressed", "receive_list_copy=false", {"without": {TEAM: "receive_list_copy"}}),
        ("unknown", "nothing is kept", {"waits": ()}),
        ("unknown", "nobody of this address", {"person": "", "periods": (), "changes": ()}),
        ("erased", "was erased", {"erased": True}),
        ("undecided", "nothing is decided", {"decisions": (), "posts": ()}),
        (
            "refused",
            "too large",
            {"mail": Mail(mail="0199", ts=T0, source="box", refused="too_large")},
        ),
        (
            "held",
            "held by the rule nonmember-moderation: a stranger; it waits",
            {
                "decisions": (
                    replace(POSTED, kind="held", rule="nonmember-moderation", reason="a stranger"),
                ),
                "posts": (),
            },
        ),
        (
            "rejected",
            "rejected by bob@example.net: not here",
            {
                "decisions": (
                    replace(POSTED, kind="held", rule="max-size"),
                    replace(
                        POSTED,
                        kind="rejected",
                        rule="moderator",
                        reason="not here",
                        actor=f"person:{BOB}",
                    ),
                ),
                "posts": (),
            },
        ),
        (
            "discarded",
            "nobody decided on it in time",
            {"decisions": (replace(POSTED, kind="discarded", rule="expired"),), "posts": ()},
        ),
        (
            "not_posted",
            "was a command (join)",
            {"decisions": (replace(POSTED, kind="command", rule="", reason="join"),), "posts": ()},
        ),
        (
            "not_posted",
            "for no list: no such address",
            {
                "decisions": (
                    replace(
                        POSTED, list="none", kind="unrouted", rule="", reason="no such address"
                    ),
                ),
                "posts": (),
            },
        ),
    ],
)
def test_each_way_not_to_have_it_has_a_word_and_a_reason(
    outcome: str, words: str, known: dict[str, Any]
) -> None:
    """Whatever kept a copy from somebody, the outcome is one word of `OUTCOMES`, and why says it
    plainly: when, how, by whom, by which rule or option."""
    wait = Wait(list=TEAM, chunk="3", why="relay out does not work", due=at(30))
    found = told(**{"waits": (wait,), **known})
    assert (found.outcome, words in found.why) == (outcome, True), found.why
    assert outcome in OUTCOMES


def test_a_report_that_comes_later_turns_delivered_into_bounced_and_a_delay_does_not() -> None:
    """A relay's yes is not the last word: the class and text of what came back are."""
    back = Bounce(
        list=TEAM,
        ts=at(60),
        kind="hard",
        points=1,
        score=3,
        report="0200",
        status="5.1.1",
        said="550 5.1.1 no such user",
        server="mx.example.net",
    )
    found = told(tries=(TAKEN,), bounces=(back,))
    assert found.outcome == "bounced"
    assert found.why == (
        "came back (hard): 550 5.1.1 no such user (mx.example.net); it counts 1, their score is 3"
    )
    for other in (
        replace(back, delayed=True),
        replace(back, kind="autoreply"),
        replace(back, kind="complaint"),
    ):
        found = told(tries=(TAKEN,), bounces=(other,))
        assert (found.outcome, found.steps[-1].step) == ("delivered", "bounce")


def test_of_several_lists_each_is_told_and_a_copy_on_one_of_them_is_a_copy() -> None:
    """Who left one list and got the mail by another has it."""
    news = Period(list=NEWS, role="member", valid_from=at(-10), from_seq=30, to_seq=40)
    found = told(
        tries=(TAKEN,),
        decisions=(POSTED, replace(POSTED, list=NEWS)),
        posts=(*EVIDENCE.posts, replace(EVIDENCE.posts[0], list=NEWS)),
        periods=(MEMBER, news),
    )
    assert found.outcome == "delivered"
    assert [(each.list, each.outcome) for each in found.lists] == [
        ("team@example.org", "delivered"),
        ("news@example.org", "left_before"),
    ]


def test_an_owner_has_what_was_sent_to_members_and_to_owners() -> None:
    """Such a mail is decided twice; who has one of the copies has it, and each is told."""
    owner = (replace(MEMBER, role="owner"),)
    second = replace(
        EVIDENCE,
        mail=None,
        periods=owner,
        tries=(TAKEN,),
        decisions=(replace(POSTED, kind="owner"),),
    )
    found = told(periods=owner, owners=second)
    assert found.outcome == "delivered"
    assert [each.outcome for each in found.lists] == ["not_member", "delivered"]
    assert [step.step for step in found.steps].count("joined") == 1


def test_of_a_post_that_was_passed_on_it_is_told_where_it_went() -> None:
    """Who is on the list behind, and not on this one, has the copy of the post there."""
    none: dict[str, Any] = {"periods": (), "changes": ()}
    found = told(passed=((TEAM, "sub@example.org"), (NEWS, "other@example.org")), **none)
    assert found.outcome == "not_member"
    assert found.why.endswith("; the post went on to sub@example.org: ask about its post there")


def test_a_letter_that_names_nobody_is_told_by_its_address_as_long_as_that_is_kept() -> None:
    """To owners, say: it went to them, or to somebody else, or that is known no more; never to
    somebody else where it may have been theirs."""
    letter = replace(POSTED, kind="letter", author="")
    of_letter: dict[str, Any] = {"decisions": (letter,), "posts": (), "periods": (), "changes": ()}
    for person in (ANN, ""):
        found = told(person=person, theirs=True, tries=(TAKEN,), **of_letter)
        assert (found.outcome, found.why[:9]) == ("delivered", "relay out")
        found = told(person=person, theirs=False, **of_letter)
        assert (found.outcome, found.why.endswith("to somebody else")) == ("not_posted", True)
        found = told(person=person, **of_letter)
        assert (found.outcome, found.why.endswith("is kept no more")) == ("unknown", True)


def test_who_looks_into_the_wrong_place_is_told_where_to_look() -> None:
    """Gmail hides authors' own copies; copies go to one address of several; and an address may be
    newer than the post."""
    mine = replace(EVIDENCE.posts[0], author=ANN)
    gmail = {"address": "ann@gmail.com", "current": "ann@gmail.com"}
    found = told(tries=(TAKEN,), posts=(mine,), **gmail)
    assert "Gmail does not show" in found.steps[-1].what
    assert "Gmail" not in str(told(tries=(TAKEN,), **gmail).steps)
    found = told(tries=(TAKEN,), current="ann@other.example", since=at(90))
    assert [step.step for step in found.steps[-2:]] == ["hint", "hint"]
    assert "copies go to ann@other.example" in str(found.steps)
    assert "became theirs only at 2026-11-20 13:30:00 UTC" in found.steps[-1].what
    for until, before in ((90, True), (-90, False)):
        found = told(tries=(TAKEN,), current="ann@other.example", until=at(until))
        [hint] = [step.what for step in found.steps if step.step == "hint"]
        assert f"theirs no more, since {at(until):%Y-%m-%d %H:%M:%S} UTC" in hint
        assert ("when they still had it" in hint) == before


def test_how_somebody_became_an_owner_is_told_of_mail_for_owners() -> None:
    """What counts is the role that the mail went to."""
    became = replace(JOINED, role="owner", seq=11, ts=at(-800))
    owner = (replace(POSTED, kind="owner", rule=""),)
    found = told(changes=(JOINED, became), tries=(TAKEN,), decisions=owner)
    assert found.steps[0].what.startswith("became owner (import")


def test_a_post_that_somebody_let_pass_was_accepted_by_no_rule() -> None:
    """Who did is told by the step before."""
    held = replace(POSTED, kind="held", rule="nonmember-moderation")
    yes = replace(POSTED, kind="accepted", rule="moderator", actor=f"person:{BOB}")
    passed = replace(POSTED, rule="moderator")
    said = [step.what for step in told(decisions=(held, yes, passed), tries=(TAKEN,)).steps]
    assert "accepted by bob@example.net" in said
    assert "posted to the list" in said


def test_who_may_have_it_twice_is_told_so() -> None:
    """After a crash the sender cannot know, and says it; a late answer is not a second copy."""
    assert "may have got it twice" in told(tries=(replace(TAKEN, doubtful=True),)).why
    waits = told(tries=(replace(PUT_OFF, doubtful=True),))
    said = " ".join((waits.why, *(step.what for step in waits.steps)))
    assert "may have it already, and would get it a second time" in said
    assert "may have got it twice" not in said
    found = told(tries=(PUT_OFF, replace(TAKEN, late=True, code=0, reply="")))
    assert (found.outcome, "answer was missed" in found.why) == ("delivered", True)


_flag = st.booleans()
_tries = st.lists(st.sampled_from((TAKEN, PUT_OFF, REFUSED)), max_size=3).map(tuple)
_kinds = st.sampled_from(("post", "held", "rejected", "discarded", "accepted", "owner", "letter"))


@given(_tries, _kinds, _flag, _flag, _flag, st.integers(0, 200), st.integers(0, 200))
def test_whatever_is_known_there_is_an_answer(
    tries: tuple[Try, ...],
    kind: str,
    known: bool,
    posted: bool,
    queued: bool,
    joined: int,
    gone: int,
) -> None:
    """Half of the evidence may be missing, as where a stream is kept longer than another: an
    outcome and its reason there always are, and the steps are in order."""
    period = replace(MEMBER, from_seq=joined, to_seq=gone)
    found = told(
        person=ANN if known else "",
        tries=tries,
        decisions=(replace(POSTED, kind=kind),),
        posts=(replace(EVIDENCE.posts[0], fanned_out_at=at(2) if queued else None),) * posted,
        periods=(period,),
        waits=(),
    )
    assert found.outcome in OUTCOMES
    assert found.why
    times = [step.at for step in found.steps if step.at]
    assert times == sorted(times)
