"""Forged requests: whoever is named in them is hardly bothered."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from services.membership.people import People
from services.membership.requests.contacts import Contacts
from tests.broker.membership import LIST, SLUG, membership
from tests.broker.requests import ANNA, PROVED, Post, mail_of, settings

pytestmark = pytest.mark.timeout(60)


async def test_many_joins_forged_for_one_victim(broker: Broker, tmp_path: Path) -> None:
    """However many joins are forged in one name, over however many lists, three questions go
    out in a day, and one a list."""
    post = Post(broker)
    names = [f"list{number}@lists.example.org" for number in range(5)]
    slugs = [name.replace("@", "-").replace(".", "-") for name in names]
    async with membership(broker, settings(tmp_path)) as service:
        for name in names:
            await service.create(name)
        mails = [(slug, await post.write("join", slug=slug)) for slug in slugs for _ in range(40)]
        outcomes = [(await post.done(mail_id, slug)).outcome for slug, mail_id in mails]
        letters = await post.letters()
    assert outcomes.count("confirmation_sent") == len(letters) == 3
    assert outcomes.count("limited") == 197
    assert len({letter.chunk.list for letter in letters}) == 3
    assert {letter.to for letter in letters} == {ANNA}


@pytest.mark.parametrize("command", ["join", "request"])
async def test_one_mail_to_many_lists(broker: Broker, tmp_path: Path, command: str) -> None:
    """One mail to every list of the site counts as often as it would be answered."""
    post = Post(broker)
    names = [f"list{number}@lists.example.org" for number in range(6)]
    slugs = [name.replace("@", "-").replace(".", "-") for name in names]
    data = mail_of(subject="help" if command == "request" else "")
    async with membership(broker, settings(tmp_path)) as service:
        for name in names:
            await service.create(name)
        mail_id = await post.write(command, data, slug=slugs[0])
        for slug in slugs[1:]:
            await post.write(command, data, slug=slug, mail_id=mail_id)
        for slug in slugs:
            await post.done(mail_id, slug)
        assert len(await post.letters()) == 3


async def test_a_second_join_sends_nothing(broker: Broker, tmp_path: Path) -> None:
    """While a question waits for its answer the list sends no other; once it is answered it may,
    so that whoever joined can ask to leave on the same day."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        _, (letter,) = await post.ask("join")
        done, letters = await post.ask("join")
        assert (done.outcome, letters) == ("limited", [])
        done, letters = await post.ask("leave")
        assert (done.outcome, letters) == ("limited", [])
        await post.ask("confirm", token=letter.token)
        done, _ = await post.ask("leave")
        assert done.outcome == "confirmation_sent"


async def test_three_answers_a_day(broker: Broker, tmp_path: Path) -> None:
    """Help, errors and the rest go to one address three times a day, whatever it sends; but who
    proves to be there and leaves is told so all the same."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        for subject in ("help", "which", "what is this?"):
            done, letters = await post.ask("request", mail_of(subject=subject))
            assert (done.outcome, len(letters)) == ("answered", 1)
        done, letters = await post.ask("request", mail_of(subject="help"))
        assert (done.outcome, letters) == ("limited", [])
        done, letters = await post.ask("confirm", token="a" * 26)
        assert (done.outcome, letters) == ("refused", [])
        done, letters = await post.ask("request", mail_of(subject="help", author="b@example.net"))
        assert len(letters) == 1
        done, letters = await post.ask("leave", mail_of(**PROVED))
        assert (done.outcome, len(letters)) == ("left", 1)


async def test_a_welcome_to_an_open_list_counts(broker: Broker, tmp_path: Path) -> None:
    """Whoever is joined to many open lists in forged mail hears of it three times a day."""
    post = Post(broker)
    names = [f"list{number}@lists.example.org" for number in range(5)]
    async with membership(broker, settings(tmp_path)) as service:
        for name in names:
            await service.create(name, subscription_policy="open")
            await post.ask("join", slug=name.replace("@", "-").replace(".", "-"))
        assert len(await post.letters()) == 3


async def test_the_same_cause_counts_once(broker: Broker, tmp_path: Path) -> None:
    """A mail that is looked at again may send what it sent before, and uses up no more; others
    of the same moment are counted one by one."""
    people = People(broker, b"k" * 32)
    contacts = Contacts(broker, people)
    at = now()
    for cause in ("a", "a", "b", "c", "a", "b"):
        assert await contacts.may_answer(ANNA, cause, at=at)
    assert not await contacts.may_answer(ANNA.upper(), "d", at=at)
    assert await contacts.may_answer(ANNA, "d", at=at + timedelta(hours=24))
    assert await contacts.may_ask(ANNA, SLUG, "e", at=at)


async def test_no_address_stands_in_a_subject(broker: Broker, tmp_path: Path) -> None:
    """PENDING names addresses by their MAC."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await post.ask("join")
    found = [stored.subject async for stored in broker.scan("PENDING", "pending.>")]
    assert len(found) == 2
    assert not any("anna" in subject or LIST in subject for subject in found)
