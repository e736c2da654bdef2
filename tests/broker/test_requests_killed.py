"""Membership killed while it deals with a mail: one effect, one answer, whatever dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.mail.tokens import TokenMaker
from postroad.runtime.broker import Broker
from tests.broker import test_membership_killed as killed
from tests.broker.membership import SLUG, membership
from tests.broker.requests import ANNA, PROVED, SERVER, Letter, Post, mail_of, settings

SOURCE = f"""
[[source]]
name = "box"
host = "127.0.0.1"
user = "lists"
password_file = "password"
authserv_id = "{SERVER}"
"""
ASKING = (
    "membership.question_counted",
    "membership.after_letter",
    "membership.before_command_done",
)
DECLINING = ("membership.confirmation_used", "membership.before_command_done")
CONFIRMING = (
    "membership.confirmation_used",
    "membership.person_obtained",
    "membership.request_done",
    "membership.after_letter",
    "membership.before_command_done",
)
LEAVING = ("membership.request_done", "membership.before_command_done")


async def events(broker: Broker) -> list[str]:
    """What happened to memberships, in order."""
    return [
        type(event).__name__
        async for stored in broker.scan("MEMBERSHIP", f"membership.{SLUG}.>")
        for event in stored.envelope().events
    ]


async def prepared(broker: Broker, tmp_path: Path, *, member: bool = False) -> str:
    """A list, on which Anna is where `member`; her person id, or the token to join with."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        if member:
            await service.add(ANNA)
            return (await service.whois(ANNA)).person
        _, (letter,) = await post.ask("join")
        return letter.token


async def finished(
    broker: Broker, tmp_path: Path, command: str, crashpoint: str, token: str = ""
) -> tuple[str, list[Letter]]:
    """Have the service die at this point over a mail, and another finish it: what came of it."""
    post = Post(broker)
    mail_id = await post.write(command, token=token)
    await killed.die(tmp_path, crashpoint)
    async with membership(broker, settings(tmp_path)):
        done = await post.done(mail_id)
    return done.outcome, await post.letters(mail_id)


@pytest.mark.parametrize("crashpoint", ASKING)
async def test_killed_while_asking(broker: Broker, tmp_path: Path, crashpoint: str) -> None:
    """One question goes out, its token works, and it counts once against the limits."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
    outcome, (letter,) = await finished(broker, tmp_path, "join", crashpoint)
    assert outcome == "confirmation_sent"
    async with membership(broker, settings(tmp_path)):
        done, _ = await Post(broker).ask("confirm", token=letter.token)
    assert done.outcome == "joined"


@pytest.mark.parametrize("crashpoint", DECLINING)
async def test_killed_while_hearing_no(broker: Broker, tmp_path: Path, crashpoint: str) -> None:
    """A no is taken once and answered once."""
    token = await prepared(broker, tmp_path)
    post = Post(broker)
    mail_id = await post.write("confirm", mail_of("No!"), token=token)
    await killed.die(tmp_path, crashpoint, SOURCE)
    async with membership(broker, settings(tmp_path)):
        assert (await post.done(mail_id)).reason == "the answer was no"
        (letter,) = await post.letters(mail_id)
        done, _ = await post.ask("confirm", token=token)
    assert letter.mail["Subject"] == "Nothing was done"
    assert (done.reason, await events(broker)) == ("the question was withdrawn", [])


async def test_killed_while_one_question_replaces_another(broker: Broker, tmp_path: Path) -> None:
    """One question waits, the later one, whatever died in between."""
    token = await prepared(broker, tmp_path)
    crashpoint = "membership.question_counted"
    outcome, (letter,) = await finished(broker, tmp_path, "leave", crashpoint)
    assert outcome == "confirmation_sent"
    async with membership(broker, settings(tmp_path)):
        done, _ = await Post(broker).ask("confirm", token=token)
        assert done.reason == "the question was withdrawn"
        done, _ = await Post(broker).ask("confirm", token=letter.token)
        assert done.outcome == "answered"


async def test_killed_while_moving(broker: Broker, tmp_path: Path) -> None:
    """Killed once the address is changed, the list is told once, and so is who moved."""
    await prepared(broker, tmp_path, member=True)
    post = Post(broker)
    async with membership(broker, settings(tmp_path)):
        wish = mail_of("set address anna@new.example\n", **PROVED)
        _, letters = await post.ask("request", wish)
    (token,) = filter(None, (letter.token for letter in letters))
    outcome, (letter,) = await finished(
        broker, tmp_path, "confirm", "membership.address_changed", token
    )
    assert (outcome, letter.to) == ("moved", "anna@new.example")
    assert await events(broker) == ["MemberSubscribed", "MemberMoved"]


@pytest.mark.parametrize("crashpoint", CONFIRMING)
async def test_killed_while_joining(broker: Broker, tmp_path: Path, crashpoint: str) -> None:
    """The member joins once and is welcomed once; the token is not refused as used."""
    token = await prepared(broker, tmp_path)
    outcome, (letter,) = await finished(broker, tmp_path, "confirm", crashpoint, token)
    assert (outcome, await events(broker)) == ("joined", ["MemberSubscribed"])
    assert "Welcome" in letter.mail["Subject"]
    people = [stored async for stored in broker.scan("PEOPLE", "people.>")]
    assert len(people) == 1


@pytest.mark.parametrize("crashpoint", LEAVING)
async def test_killed_while_leaving(broker: Broker, tmp_path: Path, crashpoint: str) -> None:
    """The member leaves once and hears one goodbye, not that they were never there."""
    person = await prepared(broker, tmp_path, member=True)
    token = TokenMaker(settings(tmp_path).site_key()).leave_token(SLUG, person)
    outcome, (letter,) = await finished(broker, tmp_path, "leave", crashpoint, token)
    assert (outcome, await events(broker)) == ("left", ["MemberSubscribed", "MemberUnsubscribed"])
    assert "You have left" in letter.mail["Subject"]


@pytest.mark.parametrize("which", [1, 2])
async def test_killed_between_two_commands(broker: Broker, tmp_path: Path, which: int) -> None:
    """Each command of a mail is carried out once, and the one letter tells how things stand."""
    await prepared(broker, tmp_path, member=True)
    post = Post(broker)
    mail_id = await post.write("request", mail_of("set mail off\r\nleave\r\n", **PROVED))
    await killed.die(tmp_path, f"membership.request_done:{which}", SOURCE)
    async with membership(broker, settings(tmp_path)):
        assert (await post.done(mail_id)).outcome == "left"
    (letter,) = await post.letters(mail_id)
    assert await events(broker) == ["MemberSubscribed", "MemberChanged", "MemberUnsubscribed"]
    assert "still on the list" not in letter.text
    assert "You are off the list" in letter.text


async def test_what_is_done_is_not_done_again(broker: Broker, tmp_path: Path) -> None:
    """Reading all commands from the beginning again does nothing and sends nothing, also where
    whoever joined then has left since."""
    token = await prepared(broker, tmp_path)
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await post.ask("confirm", token=token)
        person = (await service.whois(ANNA)).person
        leave = TokenMaker(settings(tmp_path).site_key()).leave_token(SLUG, person)
        await post.ask("leave", token=leave)
    before = await events(broker), len(await post.letters())
    await broker.api("CONSUMER.DELETE.ROUTED.answers")
    await broker.api(
        "CONSUMER.DURABLE.CREATE.ROUTED.answers",
        {
            "stream_name": "ROUTED",
            "config": {
                "durable_name": "answers",
                "ack_policy": "explicit",
                "filter_subjects": ["mail.routed.command.>"],
            },
        },
    )
    async with membership(broker, settings(tmp_path)):
        await post.ask("request")  # comes after all of them
    after = await events(broker), len(await post.letters())
    assert after == (before[0], before[1] + 1)
