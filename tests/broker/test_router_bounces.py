"""Bounces find the post they are about, by every way back that a provider leaves open."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.mail.tokens import TokenMaker
from postroad.runtime import secretfile
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from schemas import subjects
from schemas.mail import RawRef
from schemas.road import BounceRouted, ChunkQueued, CommandRouted, Copy, MailStopped, MailUnrouted
from tests.broker.router_peers import (
    AUTHORS,
    NEWS,
    TEAM,
    a_letter,
    a_list,
    a_mail,
    all_handled,
    membership,
    routed,
    routing,
    store,
)

OWNER = "team-owner@lists.example.org"
LONG = "a-list-whose-name-leaves-no-room-for-tokens@lists.example.org"


def tokens(state_dir: Path) -> TokenMaker:
    """The tokens of the site whose key lies there."""
    return TokenMaker(secretfile.create_key(state_dir / "site.key"))


def has_key(state_dir: Path) -> bool:
    """Whether anybody made the key of this site."""
    return (state_dir / "site.key").exists()


def report(to: str, *quoted: str) -> tuple[str, ...]:
    """A delivery report to this address, which quotes these headers."""
    return (
        "Return-Path: <>",
        "From: Mail Delivery Subsystem <mailer-daemon@example.com>",
        f"To: {to}",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "",
        "It could not be delivered.",
        "--b",
        "Content-Type: message/rfc822",
        "",
        *quoted,
        "",
        "Anyone?",
        "--b--",
    )


def trace(mail: str) -> str:
    return f"X-Postroad-Trace: {mail}"


TEAM_ID, NEWS_ID = "List-Id: Team <team.lists.example.org>", "List-Id: <news.lists.example.org>"


async def decided(broker: Broker, mail: str, count: int) -> tuple[str, object]:
    """Kind and list of the decision on this mail, and the event."""
    for subject, envelope in (await routed(broker, count)).items():
        if subject.endswith(f".{mail}"):
            return subject.removesuffix(f".{mail}"), envelope.events[0]
    raise AssertionError("no decision on it")


async def sequence(broker: Broker, mail: str) -> int:
    """The number that tokens know a post by."""
    stored = await broker.last("ROUTED", f"mail.routed.post.*.{mail}")
    assert stored
    return stored.seq


async def test_a_token_tells_the_post_and_the_recipient(broker: Broker, tmp_path: Path) -> None:
    """VERP proves both; a token of another list, or a forged one, proves nothing and is recorded
    as it came."""
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        post = await a_mail(broker, TEAM)
        await routed(broker, 1)
        token = tokens(tmp_path).verp_token("team", await sequence(broker, post), 7)
        right = await a_letter(broker, *report(f"team-bounces+{token}@lists.example.org"))
        where, bounce = await decided(broker, right, 2)
        assert where == "bounce.team"
        assert isinstance(bounce, BounceRouted)
        assert (bounce.token, bounce.about, bounce.number) == (token, post, 7)
        forged = "a" * 29
        for count, to in enumerate((f"news-bounces+{token}", f"team-bounces+{forged}"), 3):
            mail = await a_letter(broker, *report(f"{to}@lists.example.org"))
            _, bounce = await decided(broker, mail, count)
            assert isinstance(bounce, BounceRouted)
            assert (bounce.token, bounce.about, bounce.number) == (to[13:], "", -1)


async def test_without_verp_the_report_itself_tells(broker: Broker, tmp_path: Path) -> None:
    """Where everything comes back to the account: the trace and List-Id that it quotes find the
    post, the token of the copy proves the recipient."""
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        post = await a_mail(broker, TEAM, NEWS)
        await routed(broker, 2)
        token = tokens(tmp_path).verp_token("news", await sequence(broker, post), 3)
        cases = [
            ((trace(post), TEAM_ID), ("bounce.team", -1)),
            ((trace(post), NEWS_ID), ("bounce.news", -1)),
            ((trace(post), NEWS_ID, "X-Postroad-Copy: " + "a" * 29), ("bounce.news", -1)),
        ]
        for count, (quoted, (where, number)) in enumerate(cases, 3):
            mail = await a_letter(broker, *report("box@gmail.example", *quoted))
            found, bounce = await decided(broker, mail, count)
            assert found == where
            assert isinstance(bounce, BounceRouted)
            assert (bounce.about, bounce.number) == (post, number)
        seq = (await broker.last("ROUTED", f"mail.routed.post.news.{post}")).seq  # type: ignore[union-attr]
        token = tokens(tmp_path).verp_token("news", seq, 3)
        mail = await a_letter(broker, *report("box@gmail.example", f"X-Postroad-Copy: {token}"))
        found, bounce = await decided(broker, mail, 6)
        assert isinstance(bounce, BounceRouted)
        assert (found, bounce.about, bounce.number) == ("bounce.news", post, 3)


@pytest.mark.parametrize("quoted", [(trace("f" * 32), TEAM_ID), (TEAM_ID,), ("Subject: spam",)])
async def test_a_report_on_no_mail_of_ours_is_no_bounce(
    broker: Broker, tmp_path: Path, quoted: tuple[str, ...]
) -> None:
    """What anybody can write into a report changes nothing: it is recorded as for no list."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        mail = await a_letter(broker, *report("box@gmail.example", *quoted))
        where, event = await decided(broker, mail, 1)
    assert where == "unrouted.none"
    assert isinstance(event, MailUnrouted)
    assert event.reason == "it is a delivery report or an automatic answer, on no mail that we know"


async def test_a_report_reaches_no_list_of_another_domain(broker: Broker, tmp_path: Path) -> None:
    """A mailbox cannot speak about posts of lists out of its reach."""
    await a_list(broker, TEAM)
    async with (
        membership(broker, AUTHORS),
        routing(broker, state_dir=tmp_path, domain="club.example.net"),
    ):
        post = new_id()
        raw = RawRef(mail_id=post, chunks=1, size=1, sha256="", head=1)
        await store(
            broker,
            subjects.routed("bounce", "team", post),
            BounceRouted(mail_id=post, list="team", raw=raw),
        )
        mail = await a_letter(broker, *report("box@gmail.example", trace(post), TEAM_ID))
        assert (await decided(broker, mail, 2))[0] == "unrouted.none"


async def test_a_report_on_a_notice_of_ours_is_a_bounce(broker: Broker, tmp_path: Path) -> None:
    """A confirmation to a dead address comes back: no post, no alarm, nothing to answer."""
    await a_list(broker, TEAM)
    notice = new_id()
    raw = RawRef(mail_id=notice, chunks=1, size=1, sha256="", head=1)
    copy = Copy(raw=raw, list="team", list_address=TEAM, notice=True, bounces=("", ""), post=1)
    chunk = ChunkQueued(
        mail_id=notice, list="team", chunk="0", people=("",), addresses=("x@y.example",), copy=copy
    )
    await store(broker, subjects.send("now", "team", notice, "0"), chunk)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        for count, to in enumerate(("box@gmail.example", TEAM, OWNER), 1):
            mail = await a_letter(broker, *report(to, trace(notice), TEAM_ID))
            where, event = await decided(broker, mail, count)
            assert where == "bounce.team"
            assert isinstance(event, BounceRouted)
            assert event.about == notice


async def test_what_comes_back_to_the_owners_goes_no_further(
    broker: Broker, tmp_path: Path
) -> None:
    """Mail to -owner that bears our own List-Id, and a report on anything there, are recorded;
    a person who forwards a post to the owners is heard."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        ours = await a_letter(broker, TEAM_ID, f"From: {TEAM}", f"To: {OWNER}", "", "Welcome")
        where, event = await decided(broker, ours, 1)
        assert isinstance(event, MailStopped)
        assert (where, event.hits[0].rule) == ("discarded.team", "loop")
        lost = await a_letter(broker, *report(OWNER, "Subject: who knows"))
        where, event = await decided(broker, lost, 2)
        assert isinstance(event, MailStopped)
        assert (where, event.hits[0].rule) == ("discarded.team", "automatic")
        asked = await a_letter(
            broker, "From: eve@example.net", f"To: {OWNER}", "Subject: what is this", "", TEAM_ID
        )
        assert (await decided(broker, asked, 3))[0] == "owner.team"


async def test_a_list_with_one_address_gets_bounces_there(broker: Broker, tmp_path: Path) -> None:
    """At `sub_address = none` a report to the list is a bounce, also where it tells nothing; a
    member's mail is a post, and a command in a Subject a command."""
    await a_list(broker, TEAM, sub_address="none")
    head = ("From: ann@example.org", f"To: {TEAM}")
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        post = await a_letter(broker, *head, "Subject: Tea", "", "Anyone?")
        assert (await decided(broker, post, 1))[0] == "post.team"
        mail = await a_letter(broker, *report(TEAM, trace(post)))
        where, event = await decided(broker, mail, 2)
        assert isinstance(event, BounceRouted)
        assert (where, event.about) == ("bounce.team", post)
        mail = await a_letter(broker, *report(TEAM))
        where, event = await decided(broker, mail, 3)
        assert isinstance(event, BounceRouted)
        assert (where, event.about) == ("bounce.team", "")
        mail = await a_letter(broker, *head, "Subject: Re: leave " + "a2" * 16, "", "")
        where, event = await decided(broker, mail, 4)
        assert isinstance(event, CommandRouted)
        assert (where, event.command, event.token) == ("command.team", "leave", "a2" * 16)
        assert event.received == subjects.received("office", mail)


async def test_a_member_who_writes_of_a_failure_posts(broker: Broker, tmp_path: Path) -> None:
    """A post that quotes all headers of an earlier copy, under the Subject of a bounce, is one."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        post = await a_mail(broker, TEAM)
        await routed(broker, 1)
        mail = await a_letter(
            broker,
            "From: ann@example.org",
            f"To: {TEAM}",
            "Subject: Delivery failure of my last mail",
            "",
            "Who knows what these headers mean?",
            trace(post),
            TEAM_ID,
        )
        assert (await decided(broker, mail, 2))[0] == "post.team"


async def test_tokens_alone_find_lists_with_long_names(broker: Broker, tmp_path: Path) -> None:
    """`bounces+TOKEN@` and `leave+TOKEN@` belong to the list whose token it is; of confirmations
    membership knows; a token of nobody is recorded for what it is."""
    slug = await a_list(broker, LONG)
    await a_list(broker, TEAM)
    made = tokens(tmp_path)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        post = await a_mail(broker, LONG)
        await routed(broker, 1)
        verp = made.verp_token(slug, await sequence(broker, post), 2)
        leave = made.leave_token(slug, "a1" * 12)
        mail = await a_letter(broker, *report(f"bounces+{verp.upper()}@lists.example.org"))
        where, event = await decided(broker, mail, 2)
        assert isinstance(event, BounceRouted)
        assert (where, event.about, event.number) == (f"bounce.{slug}", post, 2)
        mail = await a_mail(broker, f"leave+{leave}@lists.example.org")
        where, event = await decided(broker, mail, 3)
        assert isinstance(event, CommandRouted)
        assert (where, event.command, event.token) == (f"command.{slug}", "leave", leave)
        mail = await a_mail(broker, f"confirm+{'b3' * 13}@lists.example.org")
        where, event = await decided(broker, mail, 4)
        assert isinstance(event, CommandRouted)
        assert (where, event.command, event.token) == ("command.none", "confirm", "b3" * 13)
        mail = await a_mail(broker, f"leave+{'b3' * 16}@lists.example.org")
        where, event = await decided(broker, mail, 5)
        assert isinstance(event, MailUnrouted)
        assert event.reason == "the token in its address is of none of our lists"


async def test_our_own_mail_for_others_is_not_unrouted(broker: Broker, tmp_path: Path) -> None:
    """A notice that the provider files in the folder we read is recorded as our own."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        mail = await a_letter(
            broker,
            TEAM_ID,
            f"From: {TEAM}",
            "To: bob@example.com",
            "Auto-Submitted: auto-generated",
            "",
            "Welcome",
        )
        where, event = await decided(broker, mail, 1)
    assert where == "discarded.team"
    assert isinstance(event, MailStopped)
    assert [hit.rule for hit in event.hits] == ["loop"]


async def test_without_tokens_to_read_no_key_is_needed(broker: Broker, tmp_path: Path) -> None:
    """A router that meets no token leaves the site's key alone."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker, state_dir=tmp_path):
        await a_mail(broker, TEAM)
        await routed(broker, 1)
        await all_handled(broker)
    assert not has_key(tmp_path)
