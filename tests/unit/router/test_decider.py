"""What becomes of a mail at a list: given an author and settings, when a mail comes, then this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from postroad.mail.addresses import Match
from postroad.testing import Given
from projections.lists import List
from schemas.commands import Author
from schemas.envelope import Event
from schemas.road import (
    BounceRouted,
    CommandRouted,
    MailReceived,
    MailStopped,
    MailUnrouted,
    OwnerMailRouted,
    PostRouted,
    RuleHit,
)
from services.router import copies, decider
from tests.unit.router.mails import (
    AS_OF,
    MAIL_ID,
    MEMBER,
    OWNER,
    RAW,
    STRANGER,
    mail,
    the_list,
)

TO_LIST, TO_OWNER = Match("team"), Match("team", "owner")


def given(author: Author, known: List | None = None) -> Given[tuple[Author, List]]:
    """An author before a list."""
    return Given((author, known or the_list()))


def deciding(
    state: tuple[Author, List], received: MailReceived, to: Match = TO_LIST
) -> Sequence[Event]:
    """The decision, without the headers it orders: those have their own tests."""
    author, known = state
    _, event = decider.decide(received, to, known, author)
    if isinstance(event, PostRouted | OwnerMailRouted):
        event = msgspec.structs.replace(event, edits=())
    return (event,)


def post(**more: Any) -> PostRouted:
    """An ordinary post of a member."""
    ordinary: dict[str, Any] = {
        "mail_id": MAIL_ID,
        "list": "team",
        "raw": RAW,
        "author": MEMBER.person,
        "as_of": AS_OF,
        "settings": 9,
        "rule": "truth",
        "subject": "Tea",
    }
    return PostRouted(**{**ordinary, **more})


def stopped(verdict: decider.Stop, *hits: tuple[str, str], **more: Any) -> MailStopped:
    """A mail that was stopped for these reasons."""
    return MailStopped(
        mail_id=MAIL_ID,
        list="team",
        verdict=verdict,
        hits=tuple(RuleHit(rule=rule, reason=reason) for rule, reason in hits),
        raw=RAW,
        settings=9,
        subject="Tea",
        **more,
    )


NOT_A_MEMBER = "its author is not a member; such posts are set to "


def test_a_members_post_is_a_post() -> None:
    """What no rule objects to goes out, as of what membership knew, under the settings of now."""
    given(MEMBER).when(deciding, mail()).then(post())


def test_a_strangers_post_waits_for_a_moderator() -> None:
    """By default a list holds what comes from outside."""
    given(STRANGER).when(deciding, mail()).then(
        stopped("held", ("nonmember-moderation", NOT_A_MEMBER + "hold"))
    )


@pytest.mark.parametrize(
    ("action", "verdict"), [("hold", "held"), ("reject", "rejected"), ("discard", "discarded")]
)
def test_the_list_says_what_becomes_of_strangers(action: str, verdict: decider.Stop) -> None:
    """Each action has its verdict, and each verdict its reason."""
    given(STRANGER, the_list(default_nonmember_action=action)).when(deciding, mail()).then(
        stopped(verdict, ("nonmember-moderation", NOT_A_MEMBER + action))
    )


def test_an_open_list_takes_strangers_posts() -> None:
    """With default_nonmember_action=accept, that rule is what let the post in."""
    given(STRANGER, the_list(default_nonmember_action="accept")).when(deciding, mail()).then(
        post(author="", rule="nonmember-moderation")
    )


def test_a_moderated_member_is_named_by_id_only() -> None:
    """A held post knows its author's person id, never the address."""
    given(MEMBER, the_list(default_member_action="hold")).when(deciding, mail()).then(
        stopped(
            "held", ("member-moderation", "posts of members are set to hold"), author=MEMBER.person
        )
    )


def test_an_owner_may_post_to_an_announcement_list() -> None:
    """Where members may not post, who runs the list still may."""
    given(OWNER, the_list(default_member_action="reject")).when(deciding, mail()).then(
        post(author=OWNER.person)
    )


def test_a_loop_is_discarded_whoever_the_author_is() -> None:
    """A mail that comes round was delivered the first time."""
    given(MEMBER).when(deciding, mail("List-Id: <team.lists.example.org>")).then(
        stopped("discarded", ("loop", "it carries the List-Id of this list"), author=MEMBER.person)
    )


def test_automatic_mail_is_held_even_from_a_member() -> None:
    """A member's vacation notice does not reach the list, and is not lost either."""
    given(MEMBER).when(deciding, mail("Auto-Submitted: auto-replied")).then(
        stopped(
            "held",
            ("automatic", "it is marked Auto-Submitted: auto-replied"),
            author=MEMBER.person,
        )
    )


def test_a_mail_without_author_is_held_though_strangers_are_discarded() -> None:
    """What cannot be read is shown to a human, never dropped; nor does an open list take it."""
    for action in ("discard", "accept"):
        given(STRANGER, the_list(default_nonmember_action=action)).when(
            deciding, mail("From:")
        ).then(stopped("held", ("no-senders", "it has no From address that can be read")))


def test_all_reasons_are_told_the_deciding_one_first() -> None:
    """A moderator learns at once everything that speaks against a post."""
    given(STRANGER, the_list(default_nonmember_action="discard")).when(
        deciding, mail("Precedence: junk", "Return-Path: <>")
    ).then(
        stopped(
            "held",
            ("automatic", "it is marked Precedence: junk"),
            ("nonmember-moderation", NOT_A_MEMBER + "discard"),
        )
    )


def test_a_shared_list_shares_its_copies() -> None:
    """`personalize = none` lets recipients share one copy."""
    given(MEMBER, the_list(personalize="none")).when(deciding, mail()).then(post(personal=False))


# --- other addresses of a list ------------------------------------------------------------------


def test_mail_to_the_owners_is_never_moderated() -> None:
    """People without any right on the list reach a human, whatever the list does with strangers."""
    known = the_list(default_nonmember_action="discard")
    for received in (mail(), mail("From:"), mail("Auto-Submitted: auto-generated")):
        given(STRANGER, known).when(deciding, received, TO_OWNER).then(
            OwnerMailRouted(
                mail_id=MAIL_ID, list="team", raw=RAW, as_of=AS_OF, settings=9, subject="Tea"
            )
        )


@pytest.mark.parametrize(
    ("line", "rule", "reason"),
    [
        (
            "X-BeenThere: team-owner@lists.example.org",
            "loop",
            "it carries the X-BeenThere of this list",
        ),
        ("Return-Path: <>", "automatic", "it has a null return path, as bounces have"),
    ],
)
def test_mail_to_the_owners_that_goes_in_circles_is_recorded(line, rule, reason) -> None:
    """Loops and answers of machines are not forwarded to owners, and not forgotten."""
    given(STRANGER).when(deciding, mail(line), TO_OWNER).then(stopped("discarded", (rule, reason)))


@pytest.mark.parametrize("command", ["join", "leave", "confirm", "request", "help"])
def test_a_command_goes_to_who_reads_commands(command: str) -> None:
    """Whoever wrote it and however: the rules for posts do not apply."""
    given(STRANGER).when(deciding, mail("Precedence: bulk"), Match("team", command, "abc")).then(
        commanded(command, "abc")
    )


def commanded(command: str, token: str = "") -> CommandRouted:
    """A command to the list, with the place of its headers."""
    return CommandRouted(
        mail_id=MAIL_ID,
        list="team",
        command=command,
        token=token,
        raw=RAW,
        received=f"mail.received.office.{MAIL_ID}",
        settings=9,
    )


NONE = the_list(sub_address="none")
LEAVE_TOKEN, CONFIRM_TOKEN = "a2" * 16, "b3" * 13


@pytest.mark.parametrize(
    ("subject", "command", "token"),
    [
        ("join", "join", ""),
        ("SUBSCRIBE", "join", ""),
        ("Leave", "leave", ""),
        ("Re: unsubscribe", "leave", ""),
        (f"leave {LEAVE_TOKEN.upper()}", "leave", LEAVE_TOKEN),
        (f"confirm {CONFIRM_TOKEN}", "confirm", CONFIRM_TOKEN),
        (f"AW: [Team] confirm {CONFIRM_TOKEN.upper()}", "confirm", CONFIRM_TOKEN),
        (f"Re: Please confirm: confirm {CONFIRM_TOKEN}", "confirm", CONFIRM_TOKEN),
        ("help", "request", ""),
        ("echo", "request", ""),
        ("Fwd: which", "request", ""),
        ("set nomail", "request", ""),
        ("set delivery off", "request", ""),
        ("Set Team mail on", "request", ""),
    ],
)
def test_a_list_without_sub_addresses_reads_commands_in_subjects(subject, command, token) -> None:
    """A Subject that is nothing but a command is one; no rule for posts applies to it."""
    given(STRANGER, NONE).when(deciding, mail(f"Subject: {subject}")).then(
        commanded(command, token)
    )


@pytest.mark.parametrize(
    "subject",
    [
        "Help!",
        "join us on Friday",
        "Please leave",
        "leave " + "a2" * 10,
        "set up the stage",
        "Set meeting time on",
        "Set the table mail",
        "set ack off",
        "Set other nomail",
        "Echo Lake trip on Sunday",
        "echo hello",
        "Confirm attendance",
        "confirm abc",
        f"Please confirm {CONFIRM_TOKEN[:-1]}",
        "please unsubscribe me",
        "Help me",
        "Which one?",
        "confirmation",
    ],
)
def test_at_a_list_without_sub_addresses_all_else_is_a_post(subject: str) -> None:
    """What says more than a command is meant for the members."""
    given(MEMBER, NONE).when(deciding, mail(f"Subject: {subject}")).then(post(subject=subject))


def test_a_list_with_sub_addresses_reads_no_subjects() -> None:
    """There, `join` is a Subject like any other."""
    given(MEMBER).when(deciding, mail("Subject: join")).then(post(subject="join"))


def test_our_own_letter_coming_round_is_no_command() -> None:
    """A confirmation we sent, met in the mailbox it left from, confirms nothing."""
    ours = mail(f"Subject: confirm {CONFIRM_TOKEN}", "List-Id: <team.lists.example.org>")
    (event,) = deciding((STRANGER, NONE), ours)
    assert isinstance(event, MailStopped)
    assert [hit.rule for hit in event.hits][:1] == ["loop"]


def test_a_bounce_goes_to_who_reads_bounces() -> None:
    """With its token, and what that or the report tells."""
    kind, event = decider.decide_bounce(mail(), the_list(), "abc", about="m", number=7)
    assert kind == "bounce"
    assert event == BounceRouted(
        mail_id=MAIL_ID, list="team", token="abc", raw=RAW, about="m", number=7, settings=9
    )


@pytest.mark.parametrize(
    ("line", "form", "bounce"),
    [
        ("Return-Path: <>", "none", True),
        ("Auto-Submitted: auto-replied", "none", True),
        ("Auto-Submitted: auto-generated", "none", False),
        ("Return-Path: <>", "dash", False),
        ("Return-Path: <ann@example.org>", "none", False),
    ],
)
def test_where_a_list_has_one_address_it_gets_its_bounces_there(line, form, bounce) -> None:
    """What answers by itself, at a list that has no bounce address, is a bounce and no post."""
    assert decider.bounces_here(mail(line), the_list(sub_address=form)) is bounce


def test_mail_for_no_list_is_recorded_with_its_reason() -> None:
    """Never dropped: it stays visible with its subject and why."""
    kind, event = decider.decide_unrouted(mail("Message-ID: <1@example.org>"), "no list")
    assert kind == "unrouted"
    assert event == MailUnrouted(
        mail_id=MAIL_ID, raw=RAW, reason="no list", subject="Tea", message_id="1@example.org"
    )


def test_only_posts_and_mail_to_owners_need_the_author() -> None:
    """Membership is not asked about commands and bounces, so those never wait for it."""
    asked = [
        sub
        for sub in ("", "owner", "bounces", "join")
        if decider.asks_for_author(Match("team", sub))
    ]
    assert asked == ["", "owner"]


def test_each_kind_has_its_subject() -> None:
    """The kind in the subject and the event in the message always agree."""
    team = the_list()
    assert decider.decide(mail(), TO_LIST, team, MEMBER)[0] == "post"
    assert decider.decide(mail(), TO_LIST, team, STRANGER)[0] == "held"
    assert decider.decide(mail(), TO_OWNER, team)[0] == "owner"
    assert decider.decide(mail(), Match("team", "join"), team)[0] == "command"
    assert decider.decide_own(mail(), team)[0] == "discarded"


def test_two_addresses_of_one_list_are_decided_under_two_ids() -> None:
    """One mail and list have one decision; the second address of a list counts as another mail,
    and a second list is not touched by that."""
    to = (Match("team"), Match("news"), Match("team", "owner"), Match("team", "join"))
    assert list(decider.numbered("m", to)) == [
        ("m", to[0]),
        ("m", to[1]),
        ("m-2", to[2]),
        ("m-3", to[3]),
    ]
    _, event = decider.decide(mail(), TO_OWNER, the_list(), mail_id="m-2")
    assert isinstance(event, OwnerMailRouted)
    assert (event.mail_id, event.raw.mail_id) == ("m-2", MAIL_ID)


def test_a_post_gets_the_footer_of_its_list() -> None:
    """What is the list's is filled in, and never looked into; what is a person's stays a field."""
    known = the_list(
        footer="$display_name: ${description}\n$unsubscribe", description="$user_email"
    )
    data = b"From: ann@example.org\r\n\r\nTea?\r\n"
    ref = msgspec.structs.replace(RAW, size=len(data), head=len(data) - 6)
    made = copies.decorated(post(raw=ref), known, data)
    (insertion,) = made.insertions
    assert insertion.pieces == ("\r\nTeam: $user_email\r\n", "unsubscribe", "\r\n")
    assert made.edits[: len(post().edits)] == post().edits


def test_a_mail_that_can_have_no_footer_is_a_post_as_it_is() -> None:
    """Nothing is changed but for the reader."""
    data = b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b--\r\n"
    ref = msgspec.structs.replace(RAW, size=len(data), head=len(data) - 7)
    assert copies.decorated(post(raw=ref), the_list(footer="x"), data) == post(raw=ref)
