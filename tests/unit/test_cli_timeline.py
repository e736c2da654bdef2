"""The story of one mail, told from its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from postroad.cli.durations import Durations
from postroad.cli.output import SHORT_ID
from postroad.cli.post import KEPT_NO_MORE, SHOWN_TROUBLES, _print_fate
from postroad.cli.story import Fate, Returned, Story, Trouble, Wait
from postroad.cli.timeline import LINES, Teller
from schemas.envelope import Event
from schemas.mail import HeaderFacts, Mailbox, RawRef
from schemas.road import (
    BounceRouted,
    ChunkQueued,
    CommandDone,
    CommandRouted,
    Copy,
    Failure,
    FanoutDone,
    HeldAccepted,
    Intent,
    MailReceived,
    MailRefused,
    MailStopped,
    MailUnrouted,
    Origin,
    Outcome,
    OwnerMailRouted,
    PostRouted,
    RuleHit,
    WindowRecorded,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
MAIL = "0199" + "0" * 28
RAW = RawRef(mail_id=MAIL, chunks=1, size=1234, sha256="", head=100)
LIST = "team-example-org"
ORIGIN = Origin(source="imap", folder="INBOX", uid=7)
RECEIVED = MailReceived(
    mail_id=MAIL,
    origin=ORIGIN,
    raw=RAW,
    facts=HeaderFacts(
        message_id="m1@example.net", subject="Hello", from_=(Mailbox(address="ann@example.net"),)
    ),
)
POST = PostRouted(mail_id=MAIL, list=LIST, raw=RAW, rule="truth")


def told(*events: Event) -> Story:
    """The story of these events, a second apart."""
    teller = Teller(MAIL, {LIST: "team@example.org"})
    for number, event in enumerate(events):
        teller.take(START + timedelta(seconds=number), event)
    return teller.tell()


def fate(*events: Event) -> Fate:
    """What became of the mail on the one list."""
    (only,) = told(*events).lists
    return only


def chunk(*people: str, name: str = "0", attempt: int = 0) -> ChunkQueued:
    copy = Copy(
        raw=RAW, list=LIST, list_address="team@example.org", bounces=("team-bounces+", ""), post=1
    )
    return ChunkQueued(
        mail_id=MAIL,
        list=LIST,
        chunk=name,
        people=people,
        addresses=tuple(f"{person}@example.net" for person in people),
        last=True,
        attempt=attempt,
        copy=copy,
    )


def window(
    *people: str,
    start: int = 0,
    name: str = "0",
    failures: tuple[Failure, ...] = (),
    doubt: bool = False,
) -> WindowRecorded:
    return WindowRecorded(
        mail_id=MAIL,
        list=LIST,
        chunk=name,
        outcome=Outcome(
            start=start, end=start + len(people), failures=failures, possible_duplicate=doubt
        ),
        people=people,
        relay="out",
    )


def failure(index: int, kind: str = "failed") -> Failure:
    return Failure(
        index=index,
        code=550 if kind == "failed" else 450,
        text="no such user" if kind == "failed" else "later",
        kind="failed" if kind == "failed" else "deferred",
    )


def test_a_post_to_everybody():
    """Received, routed, queued, accepted: one line each, in order, and every copy counted."""
    story = told(RECEIVED, POST, chunk("ann", "bob"), window("ann", "bob"))
    assert (story.subject, story.author, story.size) == ("Hello", "ann@example.net", 1234)
    assert [line.what for line in story.timeline] == [
        "received from imap (INBOX, UID 7), 1,234 octets",
        "team@example.org: post",
        "team@example.org: 2 recipients queued in 1 chunk",
        "team@example.org: chunk 0: 2 accepted by out",
    ]
    (list_,) = story.lists
    assert (list_.recipients, list_.accepted, list_.failed, list_.waiting) == (2, 2, 0, 0)
    assert list_.took == Durations(p50=3.0, p95=3.0, p99=3.0)


def test_what_a_moderator_takes_is_no_time_of_delivery() -> None:
    """Copies of a mail that somebody let through took as long as they did since the router made
    the post of it, at each list for itself."""
    held = MailStopped(mail_id=MAIL, list=LIST, verdict="held", hits=(), raw=RAW)
    accepted = HeldAccepted(mail_id=MAIL, list=LIST, held=3, raw=RAW)
    other = msgspec.structs.replace(POST, list="other")
    sent = window("ann"), msgspec.structs.replace(window("bob"), list="other")
    story = told(RECEIVED, held, other, accepted, POST, *sent)
    took = {each.list: each.took and each.took.p50 for each in story.lists}
    assert took == {"team@example.org": 1.0, "other": 6.0}


def test_a_mail_that_is_deleted_keeps_its_name():
    """Subject and Message-ID are told by what was decided on it."""
    named = msgspec.structs.replace(POST, subject="Hello", message_id="<1@x>")
    story = told(named)
    assert (story.subject, story.message_id, story.received) == ("Hello", "<1@x>", None)
    other = msgspec.structs.replace(named, mail_id="another", subject="Bye")
    assert told(other, named).subject == "Hello"


def test_who_has_no_copy_and_why():
    """A failed recipient is named by address, with the relay's reply; the others are accepted."""
    found = fate(POST, window("ann", "bob", failures=(failure(1),)), chunk("ann", "bob"))
    assert (found.accepted, found.failed, found.waiting) == (1, 1, 0)
    (trouble,) = found.troubles
    assert (trouble.address, trouble.code, trouble.text) == ("bob@example.net", 550, "no such user")


def test_who_left_before_their_copy_is_neither_failed_nor_waiting():
    """Leaving is nobody's failure: it is counted apart, also where the first try was deferred."""
    left = Failure(index=0, code=0, text="left the list", kind="left")
    story = told(POST, chunk("ann", "bob", "cy"), window("ann", "bob", "cy", failures=(left,)))
    (found,) = story.lists
    assert (found.accepted, found.left, found.failed, found.waiting) == (2, 1, 0, 0)
    assert found.troubles == ()
    assert "2 accepted, 1 left the list" in story.timeline[-1].what
    first = POST, window("ann", "bob", failures=(failure(0, "deferred"),)), chunk("ann", "bob")
    later = fate(*first, window("ann", name="0r1", failures=(left,)))
    assert (later.accepted, later.left, later.waiting, later.troubles) == (1, 1, 0, ())


def test_deferred_is_waiting_until_the_retry_went_well():
    """A deferred recipient waits; a later chunk that delivers ends the trouble."""
    first = POST, window("ann", "bob", failures=(failure(0, "deferred"),)), chunk("ann", "bob")
    waiting = fate(*first)
    assert (waiting.accepted, waiting.failed, waiting.waiting) == (1, 0, 1)
    assert waiting.troubles[0].kind == "deferred"
    done = fate(*first, window("ann", name="0r1"), chunk("ann", name="0r1", attempt=1))
    assert (done.accepted, done.failed, done.waiting) == (2, 0, 0)
    assert done.troubles == ()


def test_who_waits_is_told_by_reason_and_time():
    """Who has no outcome waits for what their chunk waits for; who was refused, and is scheduled,
    for what they were refused for. What is over waits for nothing."""
    teller = Teller(MAIL, {LIST: "team@example.org"})
    done = FanoutDone(mail_id=MAIL, list=LIST, audience=6, chunks=2)
    refused = window("ann", "bob", failures=(failure(1, "deferred"),))
    events = POST, done, refused, window("eve", name="1")
    for event in events:
        teller.take(START, event)
    later = START + timedelta(hours=1)
    teller.wait(chunk("bob", name="0r1", attempt=1), "", later)
    teller.wait(chunk("eve", "fay", "gil", name="1"), "relay out: limit of 1 reached", START)
    over = window("hal", name="2")
    teller.take(START, msgspec.structs.replace(over, finished=True))
    teller.wait(chunk("hal", name="2"), "being sent")
    (found,) = teller.tell().lists
    assert found.waiting == 3
    assert found.waits == (
        Wait(copies=2, why="relay out: limit of 1 reached", next=START),
        Wait(copies=1, why="the mailbox was not available (450)", next=later),
    )
    (trouble,) = found.troubles
    assert (trouble.why, trouble.next) == (found.waits[1].why, later)


def test_a_fan_out_under_way_is_told_as_far_as_it_is():
    """Who stands in the chunks that are there waits, each once; and the rest is said to follow."""
    first, second = (
        msgspec.structs.replace(chunk("ann", "bob"), chunk=n, last=False) for n in "01"
    )
    story = told(POST, window("ann", "bob", name="0"), first, second, second)
    (found,) = story.lists
    assert (found.recipients, found.chunks, found.accepted, found.waiting) == (4, 2, 2, 2)
    so_far = "4 recipients queued in 2 chunks so far; the rest is not queued yet"
    assert story.timeline[-1].what == f"team@example.org: {so_far}"


def test_people_are_named_by_the_intent_of_their_window():
    """In a chunk of many windows an outcome names nobody: the entry before did."""
    intent = WindowRecorded(
        mail_id=MAIL, list=LIST, chunk="0", intent=Intent(start=0, end=2, people=("ann", "bob"))
    )
    outcome = WindowRecorded(
        mail_id=MAIL,
        list=LIST,
        chunk="0",
        outcome=Outcome(start=0, end=2, failures=(failure(1),)),
        relay="out",
    )
    found = fate(POST, FanoutDone(mail_id=MAIL, list=LIST, audience=2, chunks=1), intent, outcome)
    assert [trouble.person for trouble in found.troubles] == ["bob"]
    assert (found.accepted, found.failed) == (1, 1)


def test_copies_in_doubt_are_counted():
    """What a crash may have sent twice is told as a number, and in its line."""
    story = told(POST, chunk("ann"), window("ann", doubt=True))
    assert story.lists[0].possible_duplicates == 1
    assert "perhaps for the second time" in story.timeline[-1].what


def test_who_waits_and_may_have_it_is_not_said_to_have_it_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A copy in doubt that was put off, or failed, may be there once: only the next try would make
    it two. Of who was taken after a doubt it may be two; nobody is counted in both."""
    refused = failure(1, kind="deferred")
    first = window("ann", "bob", doubt=True, failures=(refused,))
    story = told(POST, chunk("ann", "bob"), first)
    (fate,) = story.lists
    assert (fate.possible_duplicates, [each.doubtful for each in fate.troubles]) == (2, [1])
    assert "1 perhaps for the second time, of those not taken 1 may have it" in (
        story.timeline[-1].what
    )
    _print_fate(fate)
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of those waiting may have it already, and would get it a second time" in said
    assert "1 may have got it twice" in said
    late = WindowRecorded(mail_id=MAIL, list=LIST, chunk="0", cleared=("ann", "bob"))
    (fate,) = told(POST, chunk("ann", "bob"), first, late).lists
    _print_fate(fate)
    assert "may have" not in capsys.readouterr().out
    again = window("bob", name="0r1", failures=(failure(0),), start=0)
    (fate,) = told(POST, chunk("ann", "bob"), first, again).lists
    _print_fate(fate)
    assert "1 of those failed may have it all the same" in capsys.readouterr().out


def test_who_turns_out_to_have_one_copy_is_told():
    """A late answer clears a doubt: it has its own line, and the number goes down."""
    late = WindowRecorded(mail_id=MAIL, list=LIST, chunk="0", cleared=("ann",), finished=True)
    story = told(POST, chunk("ann"), window("ann", doubt=True), late)
    assert story.lists[0].possible_duplicates == 0
    assert story.timeline[-1].what == "team@example.org: chunk 0: answered late: 1 not twice"


def test_a_large_post_is_summed_up():
    """Thousands of windows are counted, and only the first are told one by one."""
    done = FanoutDone(mail_id=MAIL, list=LIST, audience=100, chunks=1)
    windows = [window(f"p{number}", start=number) for number in range(100)]
    story = told(POST, done, *windows)
    assert story.lists[0].accepted == 100
    assert len(story.timeline) == 2 + LINES + 1
    assert f"{100 - LINES} more windows" in story.timeline[-1].what


def test_a_stopped_mail_says_why():
    """A held mail names every rule that hit."""
    stopped = MailStopped(
        mail_id=MAIL,
        list=LIST,
        verdict="held",
        hits=(RuleHit(rule="nonmember-moderation", reason="not a member"),),
        raw=RAW,
    )
    found = fate(stopped)
    assert (found.kind, found.reasons) == ("held", ("nonmember-moderation: not a member",))


def test_what_rules_only_remarked_is_told() -> None:
    """A rule that hit and let the post pass says so beside what accepted it."""
    hit = RuleHit(rule="approved", reason="the password that it carries is wrong")
    post = msgspec.structs.replace(POST, hits=(hit,), rule="member-moderation")
    assert fate(RECEIVED, post).reasons == (
        "accepted by the rule member-moderation",
        "approved: the password that it carries is wrong",
    )


def test_mail_for_nobody_and_mail_left_on_its_server():
    """Unrouted and refused mail is a story of its own, with the reason."""
    unrouted = told(RECEIVED, MailUnrouted(mail_id=MAIL, raw=RAW, reason="no list is meant"))
    assert unrouted.timeline[-1].what == "unrouted (no list is meant)"
    refused = MailRefused(mail_id=MAIL, origin=ORIGIN, size=30_000_000, reason="too_large")
    assert told(refused).timeline[0].what == (
        "left on imap (INBOX, UID 7), 30,000,000 octets: too large"
    )


NOTICE, BOUNCE = "0199" + "1" * 28, "0199" + "2" * 28


def test_copies_that_came_back_name_whose_they_were() -> None:
    """By the number that a token proves; a report that proves none leaves it open."""
    back = [
        BounceRouted(mail_id=BOUNCE, list=LIST, raw=RAW, about=MAIL, number=number)
        for number in (1, -1, 9)
    ]
    bounces = fate(RECEIVED, POST, *back, window("p0", "p1"), chunk("p0", "p1")).bounces
    assert [(each.person, each.address) for each in bounces] == [
        ("p1", "p1@example.net"),
        ("", ""),
        ("", ""),
    ]
    assert {each.mail for each in bounces} == {BOUNCE}


def test_a_command_tells_what_became_of_it_and_what_was_answered() -> None:
    """Outcome and reason in words, and the letter in answer as far as the relay."""
    done = CommandDone(
        mail_id=MAIL,
        list=LIST,
        command="join",
        outcome="confirmation_sent",
        reason="joining is confirmed by mail",
        notice=NOTICE,
    )
    answered = WindowRecorded(
        mail_id=NOTICE, list=LIST, chunk="0", outcome=Outcome(start=0, end=1), relay="out"
    )
    command = CommandRouted(mail_id=MAIL, list=LIST, command="join", raw=RAW)
    story = told(RECEIVED, command, done, answered)
    assert [line.what.partition(": ")[2] for line in story.timeline[1:]] == [
        "command (join)",
        "confirmation sent (joining is confirmed by mail)",
        f"notice {NOTICE}: 1 accepted by out",
    ]
    (only,) = story.lists
    assert (only.outcome, only.notices, only.recipients) == ("confirmation_sent", (NOTICE,), 0)


def test_a_bounce_says_what_it_is_about() -> None:
    """Asked about the bounce itself, the story names the post."""
    bounce = BounceRouted(mail_id=MAIL, list=LIST, raw=RAW, about=BOUNCE)
    only = fate(RECEIVED, bounce)
    assert (only.kind, only.reasons, only.bounces) == ("bounce", (f"about {BOUNCE}",), ())


def test_mail_that_reached_nobody_says_so() -> None:
    """Mail to the owners of a list that has none is told as such, not as well queued."""
    owners = OwnerMailRouted(mail_id=MAIL, list=LIST, raw=RAW)
    nobody = FanoutDone(mail_id=MAIL, list=LIST, audience=0, chunks=0)
    last = told(RECEIVED, owners, nobody).timeline[-1].what
    assert last.startswith("team@example.org: nobody was reached: the list had no owner")
    assert "nobody to send it to" in told(RECEIVED, POST, nobody).timeline[-1].what


def test_mail_for_the_owner_of_a_domain_names_the_domain() -> None:
    """It is at no list, and `none` is the name of nothing that a person knows."""
    owners = OwnerMailRouted(mail_id=MAIL, list="none", domain="example.org", raw=RAW)
    done = FanoutDone(mail_id=MAIL, list="none", audience=1, chunks=1)
    story = told(RECEIVED, owners, done)
    assert [line.what for line in story.timeline[1:]] == [
        "example.org: mail for its owners",
        "example.org: 1 recipient queued in 1 chunk",
    ]
    assert [each.list for each in story.lists] == ["example.org"]


def test_what_is_left_out_is_counted_below_its_own_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """Troubles that are not shown are counted under the troubles, bounces under the bounces."""
    _print_fate(
        Fate(
            list="team@example.org",
            kind="post",
            troubles=tuple(
                Trouble(person=f"p{n}", kind="failed", code=550, at=START)
                for n in range(SHOWN_TROUBLES + 2)
            ),
            bounces=tuple(Returned(mail=MAIL, at=START) for _ in range(SHOWN_TROUBLES + 3)),
        )
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines.index("  and 2 more (all of them: --json)") == 1 + SHOWN_TROUBLES
    assert lines[-1] == "  and 3 more bounces (all of them: --json)"


def test_who_is_named_no_more_is_not_said_to_be_untold(capsys: pytest.CaptureFixture[str]) -> None:
    """A bounce with a number tells whose copy it was: it is we who may have forgotten that; so it
    is with a letter that names nobody."""
    returned = (Returned(mail=MAIL, at=START, number=3), Returned(mail=MAIL, at=START))
    letter = (Trouble(person="", kind="failed", code=550, at=START),)
    _print_fate(Fate(list="team@example.org", kind="post", troubles=letter, bounces=returned))
    _, failed, proved, other = capsys.readouterr().out.splitlines()
    for line, said in ((failed, KEPT_NO_MORE), (proved, KEPT_NO_MORE), (other, "does not tell")):
        assert said in line


def test_a_held_mail_is_told_with_who_let_it_through() -> None:
    """Held, accepted, posted: the story says each, and who decided; so it does of a rejection."""
    hits = (RuleHit(rule="nonmember-moderation", reason="a stranger"),)
    held = MailStopped(mail_id=MAIL, list=LIST, verdict="held", hits=hits, raw=RAW)
    accepted = HeldAccepted(mail_id=MAIL, list=LIST, held=3, raw=RAW)
    said = (RuleHit(rule="moderator", reason="no files"),)
    rejected = msgspec.structs.replace(held, verdict="rejected", hits=said, held=3)
    for events, verdict, kind, line in (
        ((accepted, POST), "accepted", "post", "accepted: by eve at the command line"),
        ((rejected,), "rejected", "rejected", "rejected: by eve at the command line (no files)"),
    ):
        teller = Teller(MAIL, {LIST: "team@example.org"})
        teller.take(START, held, "service:router")
        for number, event in enumerate(events, 1):
            teller.take(START + timedelta(seconds=number), event, "operator:eve")
        story = teller.tell()
        assert story.timeline[1].what == f"team@example.org: {line}"
        (fate,) = story.lists
        assert (fate.kind, fate.verdict, fate.decided_by) == (kind, verdict, "operator:eve")


def test_a_post_tells_its_conversation(capsys: pytest.CaptureFixture[str]) -> None:
    """What it answers and where that began; and who answered before it came."""
    first, second = (f"0198{digit}" + "0" * 27 for digit in "ab")
    one, two = (each[:SHORT_ID] for each in (first, second))
    cases: dict[str, dict[str, Any]] = {
        f"answers {two}, which began with {one}": {"parent": second, "thread": first},
        f"answers {one}": {"parent": first, "thread": first},
        f"came after its answers: {one}, {two}": {"thread": first, "answers": (first, second)},
    }
    for line, place in cases.items():
        teller = Teller(MAIL, {LIST: "team@example.org"})
        teller.take(START, msgspec.structs.replace(POST, **place))
        (fate,) = teller.tell().lists
        assert fate.thread == place["thread"]
        _print_fate(fate)
        assert capsys.readouterr().out.splitlines()[1:] == [f"  {line}"]
