"""No verdict publishes a moderator's password that stands in a held mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.mail import approval
from postroad.runtime.blobs import get_raw
from postroad.runtime.broker import Broker
from schemas.commands import ConfigureList
from schemas.road import MailStopped, PostRouted
from tests.broker.held import Moderated, moderated, reply_token
from tests.broker.membership import LIST, done, everybody, queued
from tests.broker.router_peers import routing
from tests.peers.quickhash import quick_hash

__all__ = ["quick_hash"]

pytestmark = pytest.mark.usefixtures("quick_hash")

OLGA, ANNA = "olga@owners.example", "anna@d.example"
NEWS = "news@lists.example.org"
PASSWORD = "correct horse battery"
TWICE = f"Approved: {PASSWORD}\r\nNews.\r\nBy the way, it is {PASSWORD}\r\n"
ONCE = f"Approved: {PASSWORD}\r\nNews.\r\n"


async def set_password(here: Moderated, password: str, name: str = LIST) -> None:
    """From now on this is the moderators' password of a list."""
    kept = approval.hashed(password, bytes(approval.SALT))
    ask = ConfigureList(list=name, settings={"moderator_password": kept})
    assert not (await here.service.ask(ask)).refused
    await here.feed.catch_up()


async def test_accept_is_refused_while_the_password_counts(broker: Broker, tmp_path: Path) -> None:
    """At the command line and by mail alike, with the remedy; once the password is another one,
    the mail goes out."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.add(ANNA)
        await here.service.add(OLGA, role="owner")
        await set_password(here, PASSWORD)
        mail_id = await here.hold(body=TWICE)
        (_, held), *_ = await here.story(mail_id)
        (stopped,) = held.events
        assert isinstance(stopped, MailStopped)
        assert stopped.password, stopped.hits
        assert "a moderator's password stands in it" in stopped.hits[0].reason
        answer = await here.decide(mail_id)
        assert (answer.code, "change the password first" in answer.refused) == ("password", True)
        (letter,) = await here.letters(1, OLGA)
        assert PASSWORD not in letter.text
        for word in ("accept", "always"):
            came = await here.reply(reply_token(letter), word)
            assert (came.outcome, "password" in came.reason) == ("refused", True)
        (*_, told) = await here.letters(3, OLGA)
        assert told.mail["Subject"] == "That mail to Team cannot be let through"
        assert "write to the list anew" in " ".join(told.text.split())
        assert reply_token(told) == reply_token(letter)
        assert [kind for kind, _ in await here.story(mail_id)] == ["held"]
        await set_password(here, "another donkey")
        assert (await here.reply(reply_token(told), "accept")).outcome == "decided"
        await done(broker, mail_id)
        assert everybody(await queued(broker, mail_id)) == [ANNA]


@pytest.mark.parametrize("verdict", ["reject", "discard"])
async def test_any_other_verdict_can_be_given(broker: Broker, tmp_path: Path, verdict: str) -> None:
    """They publish nothing."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await set_password(here, PASSWORD)
        mail_id = await here.hold(body=TWICE)
        assert not (await here.decide(mail_id, verdict)).refused


async def test_whatever_held_it_and_whosever_password_it_is(broker: Broker, tmp_path: Path) -> None:
    """A stranger's mail that would be held anyway, with the password of another list: accepting
    it here would tell it to the members here."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.create(NEWS)
        await set_password(here, PASSWORD, NEWS)
        mail_id = await here.hold(body=TWICE)
        answer = await here.decide(mail_id)
        assert (answer.code, NEWS in answer.refused) == ("password", True)


async def test_its_own_list_is_named_first_and_all_others(broker: Broker, tmp_path: Path) -> None:
    """Moderators are told every password that they have to change, theirs first."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        for name in ("a@lists.example.org", NEWS):
            await here.service.create(name)
        for name in (NEWS, LIST, "a@lists.example.org"):
            await set_password(here, PASSWORD, name)
        answer = await here.decide(await here.hold(body=TWICE))
        assert f"password of {LIST} and a@lists.example.org and {NEWS}, " in answer.refused


@pytest.mark.parametrize(
    "mail",
    [
        {"head": f"Approved: {PASSWORD}\r\n", "subject": f"My {PASSWORD}"},
        {"head": f"X-Approve: wrongone9\r\nApproved: {PASSWORD}\r\n", "body": f"> {PASSWORD}\r\n"},
        {"body": f"Approved: wrongone9\r\nApproved: {PASSWORD}\r\n> {PASSWORD}\r\n"},
    ],
)
async def test_wherever_it_is_given(broker: Broker, tmp_path: Path, mail: dict[str, str]) -> None:
    """In a field, or behind a wrong one: what tells the right one cannot be accepted."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await set_password(here, PASSWORD)
        mail_id = await here.hold(**mail)
        answer = await here.decide(mail_id)
        assert (answer.code, PASSWORD in answer.refused) == ("password", False)


async def test_what_can_be_taken_off_is_taken_off(broker: Broker, tmp_path: Path) -> None:
    """A mail that is held for another reason goes out without the line, and is not refused."""
    async with moderated(broker, tmp_path) as here, routing(broker, state_dir=tmp_path):
        await here.service.create(NEWS)
        await set_password(here, PASSWORD, NEWS)
        mail_id = await here.hold(body=ONCE)
        assert not (await here.decide(mail_id)).refused
        await done(broker, mail_id)
        (event,) = (await here.story(mail_id))[2][1].events
        assert isinstance(event, PostRouted)
        data = await get_raw(broker, event.raw)
        assert (b"News." in data, PASSWORD.encode() in data) == (True, False)
