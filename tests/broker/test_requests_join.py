"""Joining by mail, asked of the real service on a real broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from schemas.commands import CloseList
from schemas.membership import MemberSubscribed
from tests.broker.membership import LIST, SLUG, membership
from tests.broker.requests import ANNA, PROVED, Post, mail_of, settings


async def test_a_stranger_joins_by_answering(broker: Broker, tmp_path: Path) -> None:
    """A mail to -join asks its author; a plain reply with any content makes them a member, who
    is welcomed; before it, nobody is kept."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        asked, (question,) = await post.ask("join")
        assert (asked.outcome, question.to) == ("confirmation_sent", ANNA)
        assert question.mail["Reply-To"] == f"team-confirm+{question.token}@lists.example.org"
        assert await broker.last("PEOPLE", "people.>") is None
        joined, (welcome,) = await post.ask("confirm", mail_of("Yes."), token=question.token)
        assert (joined.outcome, welcome.to) == ("joined", ANNA)
        assert "Welcome" in welcome.mail["Subject"]
        assert (await service.whois(ANNA)).roles == ("member",)
    last = await broker.last("MEMBERSHIP", f"membership.{SLUG}.{joined.person}")
    assert last is not None
    told = last.envelope()
    (event,) = told.events
    assert isinstance(event, MemberSubscribed)
    assert (event.role, event.how) == ("member", "mail, confirmed")
    assert event.consent is not None
    assert (event.consent.asked, event.consent.answered) == (asked.mail_id, joined.mail_id)
    assert (told.actor, told.correlation) == (f"person:{joined.person}", joined.mail_id)
    person = await broker.last("PEOPLE", "people.>")
    assert person is not None
    (known,) = person.envelope().events
    evidence = known.evidence  # type: ignore[attr-defined]
    assert asked.mail_id in evidence
    assert joined.mail_id in evidence
    assert "@" not in evidence


async def test_the_question_tells_nothing_of_who_is_on_the_list(
    broker: Broker, tmp_path: Path
) -> None:
    """A member, somebody known from another list and a stranger are asked in the same words."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.create("other@lists.example.org")
        await service.add("member@example.net")
        for address in ("member@example.net", "known@example.net", "stranger@example.net"):
            _, (letter,) = await post.ask("join", mail_of(author=address))
            letters = letter.text.replace(letter.token, "TOKEN"), letter.mail["Subject"]
            if address == "member@example.net":
                first = letters
            assert letters == first


async def test_a_member_who_confirms_is_told_that_nothing_changed(
    broker: Broker, tmp_path: Path
) -> None:
    """Confirming to join a list one is on already changes nothing, and says so."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        _, (question,) = await post.ask("join")
        done, (letter,) = await post.ask("confirm", token=question.token)
        assert done.outcome == "answered"
        assert "already" in letter.mail["Subject"]


async def test_an_open_list_takes_everybody(broker: Broker, tmp_path: Path) -> None:
    """Where subscription_policy is open, the mail to -join is enough."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create(subscription_policy="open")
        done, (letter,) = await post.ask("join")
        assert (done.outcome, letter.to) == ("joined", ANNA)
        done, (letter,) = await post.ask("join")
        assert (done.outcome, "already" in letter.mail["Subject"]) == ("answered", True)


async def test_a_list_that_welcomes_nobody(broker: Broker, tmp_path: Path) -> None:
    """Without send_welcome_message a member who wanted it is made in silence; whom somebody else
    may have put on an open list is told even so."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create(subscription_policy="open", send_welcome_message="false")
        done, letters = await post.ask("join", mail_of(**PROVED))
        assert (done.outcome, letters) == ("joined", [])
        done, (letter,) = await post.ask("join", mail_of(author="bob@example.net"))
        assert (done.outcome, "Welcome" in letter.mail["Subject"]) == ("joined", True)


async def test_another_address_cannot_be_put_on_a_list(broker: Broker, tmp_path: Path) -> None:
    """`join address=` of somebody else is refused, and nothing goes to them."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        data = mail_of(subject="join address=eve@example.com")
        done, (letter,) = await post.ask("request", data)
        assert (done.outcome, letter.to) == ("refused", ANNA)
        done, (letter,) = await post.ask("request", mail_of(subject=f"join address={ANNA.upper()}"))
        assert done.outcome == "confirmation_sent"


@pytest.mark.parametrize(
    "data",
    [
        mail_of(Auto_Submitted="auto-replied"),
        mail_of(Precedence="bulk"),
        mail_of(Return_Path="<>"),
        mail_of(List_Id="<other.example.com>"),
        mail_of(From="anna@example.net, eve@example.com"),
        mail_of(From=""),
        mail_of(author="MAILER-DAEMON@example.net"),
        mail_of(author=LIST),
    ],
    ids=["auto", "bulk", "null", "list", "two authors", "no author", "daemon", "ourselves"],
)
async def test_no_automaton_is_answered(broker: Broker, tmp_path: Path, data: bytes) -> None:
    """What a program wrote, or nobody can be told to have written, gets no answer."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        done, letters = await post.ask("join", data)
        assert (done.outcome, letters) == ("ignored", [])
        assert done.reason
        assert "@" not in done.reason


async def test_a_closed_list_is_joined_by_nobody(broker: Broker, tmp_path: Path) -> None:
    """A list that was closed meanwhile refuses, also whoever was asked before."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        _, (question,) = await post.ask("join")
        await service.ask(CloseList(list=LIST))
        for command, token in (("confirm", question.token), ("join", "")):
            done, (letter,) = await post.ask(command, token=token)
            assert done.outcome == "refused"
            assert "closed" in letter.mail["Subject"]


async def test_who_proves_themselves_is_asked_as_well(broker: Broker, tmp_path: Path) -> None:
    """A proved From does not join at once: policy `confirm` means asking."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        done, _ = await post.ask("join", mail_of(**PROVED))
        assert done.outcome == "confirmation_sent"
