"""Joining and leaving lists whose owners decide, as members and moderators see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from postroad.mail.tokens import TokenMaker
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id, now
from schemas import codec, subjects
from schemas.commands import ConfigureList, DecideRequest, ListRequests, Subscribe
from schemas.envelope import Event
from schemas.membership import MemberSubscribed
from schemas.pending import RequestDecided, RequestMade
from tests.broker.membership import LIST, SLUG, Membership, membership
from tests.broker.requests import ANNA, PROVED, Letter, Post, mail_of, settings
from tests.peers.process import until

OLGA, MOD = "olga@owners.example", "mod@owners.example"


async def moderated(service: Membership, policy: str = "confirm_then_moderate") -> None:
    """A list with an owner and a moderator who decide."""
    await service.create(subscription_policy=policy, unsubscription_policy=policy)
    await service.add(OLGA, role="owner")
    await service.add(MOD, role="moderator")


async def waiting(service: Membership) -> list[tuple[str, str]]:
    """Who waits, and what for."""
    answer = await service.ask(ListRequests(list=LIST))
    return [(row.address, row.action) for row in answer.requests]


def to(letters: Sequence[Letter], address: str) -> Letter:
    """The only letter to somebody."""
    (letter,) = [each for each in letters if each.to == address]
    return letter


def token_of(letter: Letter) -> str:
    """The token that a plain reply brings back."""
    return str(letter.mail["Reply-To"]).partition("+")[2].partition("@")[0]


async def test_owners_decide_who_joins(broker: Broker, tmp_path: Path) -> None:
    """Whoever has confirmed waits and is told so, owner and moderator get a letter each; one
    accepts by reply, and Anna is welcomed; the other learns that it is done. Until then Anna is
    nobody."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await moderated(service)
        _, (question,) = await post.ask("join", mail_of(**PROVED))
        assert await waiting(service) == []
        done, letters = await post.ask("confirm", mail_of("Yes"), token=question.token)
        assert (done.outcome, len(letters)) == ("waiting", 3)
        confirmed = done.mail_id
        assert "waits" in to(letters, ANNA).mail["Subject"]
        asked, other = to(letters, OLGA), to(letters, MOD)
        assert f"    Anna <{ANNA}>\n" in asked.text
        assert token_of(asked) != token_of(other)
        assert await waiting(service) == [(ANNA, "join")]
        assert (await service.whois(ANNA)).person == ""
        done, letters = await post.ask(
            "confirm", mail_of("hm\n", author=OLGA), token=token_of(asked)
        )
        assert (done.outcome, letters[0].to) == ("refused", OLGA)
        done, letters = await post.ask(
            "confirm", mail_of("accept", author=OLGA), token=token_of(asked)
        )
        assert done.outcome == "decided"
        assert "You are on the mailing list" in to(letters, ANNA).text
        assert "accepted" in to(letters, OLGA).text
        anna = await service.whois(ANNA)
        assert anna.roles == ("member",)
        done, (late,) = await post.ask(
            "confirm", mail_of("discard", author=MOD), token=token_of(other)
        )
        assert (done.outcome, "was accepted" in late.text) == ("refused", True)
        assert (await waiting(service), (await service.whois(ANNA)).roles) == ([], ("member",))
        olga = (await service.whois(OLGA)).person
    last = await broker.last("MEMBERSHIP", f"membership.{SLUG}.{anna.person}")
    assert last is not None
    (joined,) = last.envelope().events
    assert isinstance(joined, MemberSubscribed)
    assert joined.how == "mail, accepted by the owners"
    assert joined.consent is not None
    assert joined.consent.answered == confirmed
    assert last.envelope().actor == f"person:{olga}"


async def test_turned_down_and_told_why(broker: Broker, tmp_path: Path) -> None:
    """Under `moderate` a proved author waits at once. Turned down at the command line they read
    why, and ask in vain for a day; a second verdict is refused with the first."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await moderated(service, "moderate")
        done, letters = await post.ask("join", mail_of(**PROVED))
        assert (done.outcome, len(letters)) == ("waiting", 3)
        _, again = await post.ask("join", mail_of(**PROVED))
        assert [letter.to for letter in again] == [ANNA]
        (row,) = (await service.ask(ListRequests())).requests
        answer = await service.ask(
            DecideRequest(request=row.id[:6], word="reject", reason="Ask  your\nboss", by="bob")
        )
        assert answer.requests[0].verdict == "rejected"
        told = (await post.letters())[-1]
        assert (told.to, "turned down" in told.mail["Subject"]) == (ANNA, True)
        assert "    Ask your boss\n" in told.text
        second = await service.ask(DecideRequest(request=row.id, word="accept"))
        assert second.code == "decided"
        assert "was rejected by bob at the command line" in second.refused
        done, letters = await post.ask("join", mail_of(**PROVED))
        assert (done.outcome, letters) == ("limited", [])
        done, letters = await post.ask("join")  # nobody is asked what would lead to nothing
        assert (done.outcome, letters) == ("limited", [])
        stranger, (question,) = await post.ask("join", mail_of(author="zoe@far.example"))
        assert (stranger.outcome, question.to) == ("confirmation_sent", "zoe@far.example")
        assert not (await service.whois(ANNA)).roles


async def test_who_is_added_meanwhile_waits_no_more(broker: Broker, tmp_path: Path) -> None:
    """Whoever is on the list by another way is off the list of requests, and whoever accepts
    them later sends no second welcome. Where nobody could be told of a request, they read so."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create(subscription_policy="moderate")
        _, (letter,) = await post.ask("join", mail_of(**PROVED))
        assert "nobody could be told" in " ".join(letter.text.split())
        (row,) = (await service.ask(ListRequests())).requests
        await service.add(ANNA)
        assert await waiting(service) == []
        sent = len(await post.letters())
        await service.ask(DecideRequest(request=row.id, word="accept"))
        assert len(await post.letters()) == sent


async def test_owners_decide_who_leaves(broker: Broker, tmp_path: Path) -> None:
    """A mail to -leave waits for a verdict; a leave token takes off at once all the same; who is
    not on the list waits for nothing."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await moderated(service, "moderate")
        done, _ = await post.ask("leave", mail_of(**PROVED))
        assert done.outcome == "answered"
        await service.add(ANNA)
        done, letters = await post.ask("leave", mail_of(**PROVED))
        assert done.outcome == "waiting"
        assert (await service.whois(ANNA)).roles == ("member",)
        token = token_of(to(letters, MOD))
        _, letters = await post.ask("confirm", mail_of("accept", author=MOD), token=token)
        assert "left" in to(letters, ANNA).mail["Subject"]
        anna = await service.whois(ANNA)
        assert anna.roles == ()
        await service.add(ANNA)
        token = TokenMaker(settings(tmp_path).site_key()).leave_token(SLUG, anna.person)
        done, _ = await post.ask("leave", token=token)
        assert (done.outcome, (await service.whois(ANNA)).roles) == ("left", ())


async def test_who_is_invited_needs_no_verdict(broker: Broker, tmp_path: Path) -> None:
    """Somebody whom an operator has asked joins by answering; somebody banned is not even asked,
    nor let in by a moderator."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await moderated(service)
        await service.ask(Subscribe(list=LIST, address=ANNA, confirmed=False))
        (question,) = await post.letters()
        done, _ = await post.ask("confirm", token=question.token)
        assert done.outcome == "joined"
        eve = mail_of(author="eve@evil.example")
        _, (question,) = await post.ask("join", eve)
        _, letters = await post.ask("confirm", eve, token=question.token)
        await service.ask(ConfigureList(list=LIST, settings={"bans": "@evil.example"}))
        token = token_of(to(letters, OLGA))
        done, (refused,) = await post.ask("confirm", mail_of("accept", author=OLGA), token=token)
        assert done.outcome == "refused"
        assert "is banned" in " ".join(refused.text.split())
        invited = await service.ask(
            Subscribe(list=LIST, address="dan@evil.example", confirmed=False)
        )
        assert invited.code == "banned"
        assert (await service.whois("eve@evil.example")).roles == ()


@pytest.mark.parametrize(
    ("ended", "subject", "roles"),
    [(False, "Nobody has decided", ()), (True, "Welcome", ("member",))],
    ids=["waited too long", "accepted, then killed"],
)
async def test_what_is_due_is_done_on_starting(
    broker: Broker,
    tmp_path: Path,
    ended: bool,
    subject: str,
    roles: tuple[str, ...],
) -> None:
    """A request that waited seven days ends, and one that was accepted before membership died is
    carried out, once: whoever made it hears of it."""
    post = Post(broker)
    cause, at = new_id(), now() - timedelta(days=8)
    made = RequestMade(
        list=SLUG, action="join", address=ANNA, cause=cause, at=at, expires=at + timedelta(days=7)
    )
    accepted = RequestDecided(end="accepted", by=new_id(), actor="operator", at=at)
    events: list[Event] = [made, accepted] if ended else [made]
    async with membership(broker, settings(tmp_path)) as service:
        await moderated(service)
    data = codec.encode(envelope(events, correlation=cause, actor="test"))
    await broker.publish(subjects.request(SLUG, "3f9a0c52d1e84b77"), data, expect=0)
    for _ in range(2):
        async with membership(broker, settings(tmp_path)) as service:

            async def carried_out() -> bool:
                last = await broker.last("PENDING", subjects.request(SLUG, "3f9a0c52d1e84b77"))
                assert last is not None
                found = last.envelope().events[-1]
                return isinstance(found, RequestDecided) and found.done

            await until(carried_out)
            (letter,) = await post.letters()
            assert (letter.to, subject in letter.mail["Subject"]) == (ANNA, True)
            assert (await service.whois(ANNA)).roles == roles
