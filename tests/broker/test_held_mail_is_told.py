"""Owners read of held mail, decide by a reply, and hear what became of it; what nobody decides on
expires."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, now
from schemas import codec, subjects
from schemas.commands import ChangeMember, ConfigureList, ShowList, Unsubscribe
from schemas.pending import HeldMark, HeldTold
from schemas.road import HeldAccepted, MailStopped
from tests.broker.held import moderated, reply_token, tokens
from tests.broker.membership import LIST, SLUG, done, everybody, queued
from tests.broker.router_peers import routing
from tests.peers.process import until

OLGA, MOD = "olga@owners.example", "mod@owners.example"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def test_one_mail_is_decided_by_a_plain_reply(broker: Broker, tmp_path: Path) -> None:
    """Each who runs the list gets a letter at once, of a robot's kind, with nothing of the mail in
    its headers; the first reply decides, and whoever comes later reads who it was."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add("anna@d.example")
        await here.service.add(OLGA, role="owner")
        await here.service.add(MOD, role="moderator")
        mail_id = await here.hold(subject="Evil", body="Buy this\r\n")
        (to_mod,), (to_olga,) = [await here.letters(1, each) for each in (MOD, OLGA)]
        assert to_olga.mail["Subject"] == "A mail to Team waits for your decision"
        assert to_olga.mail["Auto-Submitted"] == "auto-generated"
        assert not any("Evil" in value or "zoe" in value for value in to_olga.mail.values())
        assert to_olga.chunk.copy.bounces == ("", "")
        assert "    Subject: Evil\n    From: Zoe <zoe@elsewhere.example>\n" in to_olga.text
        assert "    | Buy this\n" in to_olga.text
        assert "    Nobody is told of a verdict: From is not proved\n" in to_olga.text
        token = reply_token(to_olga)
        assert token != reply_token(to_mod)
        assert (await here.reply(token, "Accept.\n\n> discard\n")).outcome == "decided"
        await done(broker, mail_id)
        assert everybody(await queued(broker, mail_id)) == ["anna@d.example"]
        (kind, verdict), *_ = (await here.story(mail_id))[1:]
        person = (await here.service.whois(OLGA)).person
        assert (kind, verdict.actor) == ("accepted", f"person:{person}")
        for again, who in ((token, "you"), (reply_token(to_mod), OLGA)):
            assert (await here.reply(again, "discard")).outcome == "refused"
            answer = (await here.letters(1))[-1]
            assert f"it was accepted by {who} on" in " ".join(answer.text.split())
        assert [k for k, _ in await here.story(mail_id)] == ["held", "accepted", "post", "done"]


async def test_what_no_reply_decides(broker: Broker, tmp_path: Path) -> None:
    """A vacation notice, a bounce, a sentence, a token that is forged, or of somebody who runs the
    list no more: the mail waits on; whoever was not clear is told how."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add(OLGA, MOD, role="owner")
        mail_id = await here.hold()
        (to_olga,), (to_mod,) = [await here.letters(1, each) for each in (OLGA, MOD)]
        token = reply_token(to_olga)
        assert (await here.reply(token, "accept", Auto_Submitted="auto-replied")).notice == ""
        away = await here.reply(token, "I am out of office until Monday.\n", subject="Re: A mail")
        assert (away.outcome, away.notice) == ("ignored", "")
        for said in ("", "Accept!\n\nI am away."):
            assert (await here.reply(token, said, subject="Automatic reply: A mail")).notice == ""
        unclear = await here.reply(token, "I would accept this\n> accept\n")
        assert unclear.outcome == "refused"
        answer = (await here.letters(1, OLGA))[-1]
        assert answer.mail["Subject"] == "Please decide in one word"
        assert reply_token(answer) == token
        assert (await here.reply("a" * 26, "accept")).reason == "the token is unknown"
        await here.service.ask(Unsubscribe(list=LIST, address=MOD, role="owner"))
        assert (await here.reply(reply_token(to_mod), "accept")).notice == ""
        assert [kind for kind, _ in await here.story(mail_id)] == ["held"]
        assert (await here.reply(token, "reject: no ads")).outcome == "decided"
        (stopped,) = (await here.story(mail_id))[1][1].events
        assert isinstance(stopped, MailStopped)
        assert (stopped.verdict, stopped.hits[0].reason) == ("rejected", "no ads")


async def test_several_mails_make_one_letter_an_hour(broker: Broker, tmp_path: Path) -> None:
    """A flood is one letter now and one in an hour, in which each mail has a token of its own; a
    reply to the letter itself says that it cannot be meant."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add(OLGA, role="owner")
        ids = [await here.hold(subject="one")]
        (first,) = await here.letters(1, OLGA)
        ids += [await here.hold(subject=f"more {number}") for number in range(12)]
        await here.look(now() + HOUR - timedelta(minutes=1))
        assert len(await here.letters(1, OLGA)) == 1
        await asyncio.gather(*(here.look(now() + HOUR) for _ in range(3)))
        _, second = await here.letters(2, OLGA)
        assert len(await here.letters(2, OLGA)) == 2
        assert second.mail["Subject"] == "13 mails to Team wait for your decision"
        assert f"and 3 more: postroad held ls --list {LIST}" in second.text
        found = tokens(second)
        assert len(found) == 10
        assert reply_token(first) not in found
        assert (await here.reply(reply_token(second), "accept")).reason == "it names no mail"
        assert (await here.reply(found[0], "discard")).outcome == "decided"
        assert [kind for kind, _ in await here.story(ids[1])] == ["held", "discarded"]
        assert [kind for kind, _ in await here.story(ids[2])] == ["held"]


async def test_a_letter_that_was_begun_is_finished(broker: Broker, tmp_path: Path) -> None:
    """Who died between a claim and its letters leaves them to the next, who writes them once."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add(OLGA, MOD, role="owner")
        await here.hold()
        await here.letters(2)
        subject = subjects.held_told(SLUG)

        async def finished() -> bool:
            last = await broker.last("PENDING", subject)
            return last is not None and b'"done":true' in last.data

        await until(finished)
        last = await broker.last("PENDING", subject)
        assert last is not None
        at = now() + DAY
        marks = (HeldMark(upto=99, at=at),)
        begun = HeldTold(list=SLUG, after=0, upto=99, at=at, days=marks)
        data = codec.encode(envelope([begun], correlation=subject, actor="test"))
        await broker.publish(subject, data, expect=last.seq)
        for _ in range(3):
            await asyncio.gather(*(here.look(now() + DAY) for _ in range(3)))
        assert sorted(each.to for each in await here.letters(4)) == [MOD, MOD, OLGA, OLGA]
        assert await finished()


async def test_what_nobody_decides_on_expires(broker: Broker, tmp_path: Path) -> None:
    """Owners read of it each day; so many days after they first did, and not before, it is
    discarded by the rule `expired`, once."""
    async with (
        moderated(broker, tmp_path, max_days_to_hold="3") as here,
        routing(broker, state_dir=tmp_path),
    ):
        await here.service.add(OLGA, role="owner")
        mail_id = await here.hold()
        await here.letters(1, OLGA)
        at = now()
        for day in (1, 2):
            await here.look(at + day * DAY)
            assert len(await here.letters(day + 1, OLGA)) == day + 1
        text = " ".join((await here.letters(3))[0].text.split())
        assert "What nobody decides on within 3 days is discarded." in text
        await here.look(at + 3 * DAY - HOUR)
        assert [kind for kind, _ in await here.story(mail_id)] == ["held"]
        await asyncio.gather(*(here.look(at + 3 * DAY) for _ in range(3)))
        (_, _), (kind, message) = await here.story(mail_id)
        (event,) = message.events
        assert isinstance(event, MailStopped)
        assert (kind, event.hits[0].rule) == ("discarded", "expired")
        assert message.actor == "service:membership"
        await here.look(at + 9 * DAY)
        assert len(await here.letters(3, OLGA)) == 3
        late = await here.decide(mail_id)
        assert "this mail expired on" in late.refused


async def test_mail_expires_where_nobody_can_be_told(broker: Broker, tmp_path: Path) -> None:
    """A list without owners does not keep strangers' mail for ever; an owner who comes in time
    reads of what waits."""
    async with (
        moderated(broker, tmp_path, max_days_to_hold="3") as here,
        routing(broker, state_dir=tmp_path),
    ):
        old, at = await here.hold(), now()
        for day in (0, 1, 2):
            await here.look(at + day * DAY)
        young = await here.hold()
        await here.look(at + 3 * DAY + HOUR)
        assert [kind for kind, _ in await here.story(old)] == ["held", "discarded"]
        await here.service.add(OLGA, role="owner")
        await here.look(at + 5 * DAY)
        (letter,) = await here.letters(1, OLGA)
        assert letter.mail["Subject"] == "A mail to Team waits for your decision"
        assert [kind for kind, _ in await here.story(young)] == ["held"]


async def test_nothing_expires_where_the_list_says_so(broker: Broker, tmp_path: Path) -> None:
    """With 0 days mail waits for ever, and owners hear of it each day."""
    async with (
        moderated(broker, tmp_path, max_days_to_hold="0") as here,
        routing(broker, state_dir=tmp_path),
    ):
        await here.service.add(OLGA, role="owner")
        mail_id = await here.hold()
        (letter,) = await here.letters(1, OLGA)
        assert "discarded" not in letter.text
        for day in range(1, 400, 100):
            await here.look(now() + day * DAY)
        assert [kind for kind, _ in await here.story(mail_id)] == ["held"]
        assert len(await here.letters(5, OLGA)) == 5


async def test_a_stranger_is_accepted_always(broker: Broker, tmp_path: Path) -> None:
    """`always` names a stranger in the settings of the list, without their address; the next mail
    of theirs goes out by itself."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add("anna@d.example")
        mail_id = await here.hold()
        assert not (await here.decide(mail_id, always=True)).refused
        await done(broker, mail_id)

        async def named() -> bool:
            (row,) = (await here.service.ask(ShowList(list=LIST))).lists
            return len(row.settings.accept_these_nonmembers) == 1

        await until(named)
        again = await here.receive()
        await done(broker, again)
        assert [kind for kind, _ in await here.story(again)] == ["post", "done"]


async def test_a_member_is_accepted_always(broker: Broker, tmp_path: Path) -> None:
    """`always` lets the mail through, and from then on those of its sender."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add(OLGA, role="owner")
        await here.service.add("kim@d.example")
        hold = ChangeMember(list=LIST, address="kim@d.example", moderation_action="hold")
        await here.service.ask(hold)
        mail_id = await here.hold(author="kim@d.example")
        (letter,) = await here.letters(1, OLGA)
        assert (await here.reply(reply_token(letter), "always")).outcome == "decided"
        (event,) = (await here.story(mail_id))[1][1].events
        assert isinstance(event, HeldAccepted)
        assert event.always
        async with asyncio.timeout(30):
            while (await here.service.whois("kim@d.example")).moderation != "accept":
                pass  # each question waits for its answer


@pytest.mark.parametrize("form", ["plus", "none"])
async def test_each_form_of_addresses(broker: Broker, tmp_path: Path, form: str) -> None:
    """Where a list has no sub-addresses, the token stands in the Subject of every letter, so that
    no reply goes to everybody."""
    async with (
        moderated(broker, tmp_path, sub_address=form) as here,
        routing(broker, state_dir=tmp_path),
    ):
        await here.service.add(OLGA, role="owner")
        await here.hold()
        (one,) = await here.letters(1, OLGA)
        await here.hold()
        await here.look(now() + HOUR)
        (_, two) = await here.letters(2, OLGA)
        for letter in (one, two):
            if form == "none":
                assert str(letter.mail["Subject"]).startswith("confirm ")
            else:
                assert "team+confirm-" in str(letter.mail["Reply-To"])
        if form == "none":
            assert f'{LIST} with the Subject "confirm ' in " ".join(two.text.split())


async def test_two_lists_of_the_same_owner_are_told_apart(broker: Broker, tmp_path: Path) -> None:
    """A token decides on its list's mail alone: at another list nothing is done, and whose token
    it is, and nobody else, reads where it belongs."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add(OLGA, role="owner")
        await here.service.create("crew@lists.example.org")
        mail_id = await here.hold()
        (letter,) = await here.letters(1, OLGA)
        write = here.post.write
        other = "crew-lists-example-org"
        foreign = await write("confirm", b"\r\naccept", token=reply_token(letter), slug=other)
        assert (await here.post.done(foreign, other)).reason == "the token is of another list"
        assert [kind for kind, _ in await here.story(mail_id)] == ["held"]
        (answer,) = await here.post.letters(foreign)
        assert (answer.to, answer.mail["Subject"]) == (OLGA, "Your decision went to another list")
        assert f"a letter about mail to {LIST}." in " ".join(answer.text.split())
        none = await write("confirm", b"\r\naccept", token=reply_token(letter), slug="none")
        assert (await here.post.done(none, "none")).outcome == "decided"
        assert subjects.routed("accepted", SLUG, mail_id)


async def test_settings_that_are_no_days_are_refused(broker: Broker, tmp_path: Path) -> None:
    """Fewer days than none, or more than decisions are kept, is a mistake."""
    async with moderated(broker, tmp_path) as here:
        for days in ("-1", "400", "soon"):
            ask = ConfigureList(list=LIST, settings={"max_days_to_hold": days})
            assert (await here.service.ask(ask)).code == "bad_setting"
