"""Held mail, on a real broker: decided once, posted once, to those who are members then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.commands import ListHeld, ShowHeld, Unsubscribe
from schemas.road import HeldAccepted, MailStopped, PostRouted
from tests.broker.held import ZOE, moderated
from tests.broker.membership import LIST, SLUG, done, everybody, queued
from tests.broker.router_peers import all_handled, routing
from tests.broker.test_router_killed_between_two_lists import router
from tests.peers.process import until


async def test_who_is_a_member_at_the_verdict_gets_it(broker: Broker, tmp_path: Path) -> None:
    """Who joined while it waited gets a copy, who left gets none; the events tell who decided."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add("then@d.example", "both@d.example")
        mail_id = await here.hold()
        await here.service.ask(Unsubscribe(list=LIST, address="then@d.example"))
        await here.service.add("now@d.example")
        answer = await here.decide(mail_id)
        assert not answer.refused
        await here.service.add("later@d.example")
        await done(broker, mail_id)
        found = everybody(await queued(broker, mail_id))
        assert sorted(found) == ["both@d.example", "now@d.example"]
        story = await here.story(mail_id)
        assert [kind for kind, _ in story] == ["held", "accepted", "post", "done"]
        assert story[1][1].actor == "operator:eve"
        (verdict,) = story[1][1].events
        (post,) = story[2][1].events
        assert isinstance(verdict, HeldAccepted)
        assert isinstance(post, PostRouted)
        assert (post.rule, post.as_of) == ("moderator", verdict.as_of)


async def test_two_moderators_at_the_same_moment(broker: Broker, tmp_path: Path) -> None:
    """Of eight who decide at once one wins; the others hear who it was, and nothing else counts."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add("anna@d.example")
        for _ in range(5):
            mail_id = await here.hold()
            verdicts = ["accept", "discard", "reject", "accept"] * 2
            answers = await asyncio.gather(
                *(here.decide(mail_id, each, by=f"eve{n}") for n, each in enumerate(verdicts))
            )
            refused = [answer for answer in answers if answer.refused]
            assert len(refused) == 7
            (winner,) = (answer for answer in answers if not answer.refused)
            by = (await here.story(mail_id))[1][1].actor.removeprefix("operator:")
            assert all(each.code == "decided" for each in refused)
            assert all(f"{winner.held[0].verdict} by {by} at" in each.refused for each in refused)
            if winner.held[0].verdict == "accepted":
                await done(broker, mail_id)
            kinds = [kind for kind, _ in await here.story(mail_id)]
            ends = {"accepted": ["accepted", "post", "done"]}
            assert kinds[1:] == ends.get(winner.held[0].verdict, [winner.held[0].verdict])


async def test_what_waits_is_listed_until_it_is_decided(broker: Broker, tmp_path: Path) -> None:
    """The list of held mail shows each with its reasons, the oldest first, and shrinks."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        first, second = await here.hold(), await here.hold(subject="Cake", body="<b>Hi</b>\x1b[2J")
        rows = (await here.service.ask(ListHeld())).held
        assert [(row.id, row.author, row.subject) for row in rows] == [
            (first, ZOE, "Tea"),
            (second, ZOE, "Cake"),
        ]
        assert rows[0].hits[0].rule == "nonmember-moderation"
        (shown,) = (await here.service.ask(ShowHeld(mail_id=second))).held
        assert shown.text == "<b>Hi</b> [2J"
        await here.decide(first, "discard")
        assert [row.id for row in (await here.service.ask(ListHeld(list=SLUG))).held] == [second]
        (shown,) = (await here.service.ask(ShowHeld(mail_id=first))).held
        assert shown.decided.startswith("was discarded by eve at the command line")


async def test_what_cannot_be_decided(broker: Broker, tmp_path: Path) -> None:
    """Unknown mail, mail that was never held, and mail that is decided are told apart."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add("anna@d.example")
        mail_id = await here.hold()
        await here.decide(mail_id, "reject", reason="no\r\nfiles")
        assert (await here.decide("ab" * 16)).code == "unknown_post"
        assert (await here.decide(mail_id, list="nolist@lists.example.org")).code == "unknown_list"
        again = await here.decide(mail_id)
        assert again.code == "decided"
        assert "was rejected by eve at the command line on" in again.refused
        (stopped,) = (await here.story(mail_id))[1][1].events
        assert isinstance(stopped, MailStopped)
        assert stopped.hits[0].reason == "no files"


async def test_a_mail_of_nobody(broker: Broker, tmp_path: Path) -> None:
    """What has no author that can be read is shown, and accepted, like any other; nobody can be
    accepted always because of it."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add("anna@d.example")
        mail_id = await here.hold(author="", head="In-Reply-To: <tea@zoe>\r\n")
        (row,) = (await here.service.ask(ListHeld())).held
        assert (row.id, row.author) == (mail_id, "")
        assert (await here.decide(mail_id, always=True)).code == "not_held"
        assert not (await here.decide(mail_id)).refused
        await done(broker, mail_id)
        assert everybody(await queued(broker, mail_id)) == ["anna@d.example"]


async def test_what_was_posted_meanwhile_is_not_posted_again(
    broker: Broker, tmp_path: Path
) -> None:
    """Held, sent again by an author who had joined meanwhile, and then accepted: one post; the
    verdict stands, and the mail is told as a duplicate."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add("anna@d.example")
        first = await here.hold(message_id="tea")
        await here.service.add(ZOE)
        again = await here.receive(message_id="tea")
        await done(broker, again)
        await here.decide(first)

        async def told() -> bool:
            return len(await here.story(first)) == 3

        await until(told)
        story = await here.story(first)
        assert [kind for kind, _ in story] == ["held", "accepted", "discarded"]
        (stopped,) = story[2][1].events
        assert isinstance(stopped, MailStopped)
        assert stopped.hits[0].rule == "duplicate"


@pytest.mark.parametrize(
    "crashpoint", ["router.before_accepted_post:1", "router.before_ack:2", "router.after_claim:1"]
)
async def test_a_router_that_dies_over_a_verdict(
    broker: Broker, tmp_path: Path, crashpoint: str
) -> None:
    """Killed after the verdict, around the post: the next router posts it, exactly once."""
    async with moderated(broker, tmp_path) as here:
        await here.service.add("anna@d.example")
        async with router(tmp_path, crashpoint) as dying:
            mail_id = await here.hold()
            await here.decide(mail_id)
            await asyncio.wait_for(dying.wait(), 60)
        async with router(tmp_path):
            await done(broker, mail_id)
            await all_handled(broker)
            await broker.api(f"CONSUMER.RESET.ROUTED.{subjects.ACCEPTED.name}", {"seq": 1})
            next_one = await here.hold()
            await here.decide(next_one)
            await done(broker, next_one)
        kinds = [kind for kind, _ in await here.story(mail_id)]
        assert kinds == ["held", "accepted", "post", "done"]
        assert len(await queued(broker, mail_id)) == 1
