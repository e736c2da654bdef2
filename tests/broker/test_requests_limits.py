"""Forged requests: whoever is named in them is hardly bothered."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from services.membership.people import People
from services.membership.requests.contacts import Contacts
from services.membership.requests.limits import NEIGHBOURS
from tests.broker.membership import LIST, SLUG, membership
from tests.broker.requests import ANNA, PROVED, Post, mail_of, settings


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
    """While a question waits for its answer the list does not ask the same again; once it is
    answered it may ask whether to leave on the same day."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        _, (letter,) = await post.ask("join")
        done, letters = await post.ask("join")
        assert (done.outcome, letters) == ("limited", [])
        await post.ask("confirm", token=letter.token)
        done, _ = await post.ask("leave")
        assert done.outcome == "confirmation_sent"


async def test_forged_joins_keep_nobody_from_leaving(broker: Broker, tmp_path: Path) -> None:
    """The question whether to leave takes the place of the one that a forged join made: its
    token works, the older one is refused; asking for both by turns makes one mail of each."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        _, (joining,) = await post.ask("join")
        done, (leaving,) = await post.ask("leave")
        assert done.outcome == "confirmation_sent"
        for command in ("join", "leave", "join"):
            done, letters = await post.ask(command)
            assert (done.outcome, letters) == ("limited", [])
        done, (letter,) = await post.ask("confirm", token=joining.token)
        assert (done.reason, letter.mail["Subject"]) == (
            "the question was withdrawn",
            "That question has ended",
        )
        done, _ = await post.ask("confirm", token=leaving.token)
        assert done.outcome == "left"


async def test_a_proved_author_is_kept_from_nothing(broker: Broker, tmp_path: Path) -> None:
    """Whoever is proved leaves when all questions are used up, is asked again where a forged
    question took the place of theirs, and hears why where no other may be sent."""
    post = Post(broker)
    proved = mail_of(**PROVED)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        for command in ("join", "leave"):
            await post.ask(command)
        done, (letter,) = await post.ask("join", proved)
        assert (done.outcome, bool(letter.token)) == ("confirmation_sent", True)
        done, (letter,) = await post.ask("join", mail_of(**PROVED))
        assert (done.outcome, letter.mail["Subject"]) == ("limited", "We have asked you already")
        await service.add(ANNA)
        done, _ = await post.ask("leave", mail_of(**PROVED))
        assert done.outcome == "left"


async def test_a_mail_of_several_questions_asks_one(broker: Broker, tmp_path: Path) -> None:
    """The letter with the question says which commands were left out."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        data = mail_of("which\r\nleave\r\nset mail off\r\njoin\r\n", subject="join")
        done, (letter,) = await post.ask("request", data)
        assert (done.outcome, letter.mail["Subject"]) == (
            "confirmation_sent",
            f"Please confirm: join {LIST}",
        )
        text = " ".join(letter.text.split())
        assert f"Your mail also asked to leave {LIST}." in text
        assert f"Your mail also asked to get no mail from {LIST} for now" in text
        assert "also asked to join" not in text
        done, _ = await post.ask("confirm", token=letter.token)
        assert done.outcome == "joined"


async def test_what_follows_a_plus_makes_no_new_inbox(broker: Broker, tmp_path: Path) -> None:
    """Joins forged for anna+0@ to anna+5@, which all land at Anna's, make her one question a
    list; but whom each would join is the full address."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        for number in range(6):
            await post.ask("join", mail_of(author=f"anna+{number}@example.net"))
        (letter,) = await post.letters()
        assert letter.to == "anna+0@example.net"
        await post.ask("confirm", token=letter.token)
        assert (await service.whois("anna+0@example.net")).roles == ("member",)
        assert not (await service.whois(ANNA)).roles


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


async def test_a_forger_silences_no_list(broker: Broker, tmp_path: Path) -> None:
    """One name, however often it is forged, is three letters, and uses up no more than those of
    what its domain may have; ten names silence their domain, and no other."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        victims = ["v0@evil.example"] * 8 + [f"v{n}@evil.example" for n in range(1, 12)]
        for victim in victims:
            await post.ask("request", mail_of(subject="help", author=victim))
        done, letters = await post.ask("request", mail_of(subject="help", author=ANNA))
        assert (done.outcome, len(letters)) == ("answered", 1)
        done, letters = await post.ask("request", mail_of(subject="help", author="z@evil.example"))
        assert (done.outcome, letters) == ("limited", [])
        assert "who may be forged" in done.reason
        got = Counter(letter.to for letter in await post.letters())
    assert got.pop(ANNA) == 1
    assert got.pop("v0@evil.example") == 3
    assert sum(got.values()) == NEIGHBOURS - 3
    assert set(got.values()) == {1}


async def test_nobody_is_put_on_an_open_list_in_silence(broker: Broker, tmp_path: Path) -> None:
    """Whoever is joined to many open lists in forged mail hears of each: where the answers of
    the day are used up, they are not joined. Who is proved always is."""
    post = Post(broker)
    names = [f"list{number}@lists.example.org" for number in range(5)]
    slugs = [name.replace("@", "-").replace(".", "-") for name in names]
    async with membership(broker, settings(tmp_path)) as service:
        for name in names:
            await service.create(name, subscription_policy="open")
        outcomes = [(await post.ask("join", slug=slug))[0].outcome for slug in slugs]
        assert outcomes == ["joined"] * 3 + ["limited"] * 2
        assert len(await post.letters()) == 3
        done, (letter,) = await post.ask("join", mail_of(**PROVED), slug=slugs[4])
        assert (done.outcome, "Welcome" in letter.mail["Subject"]) == ("joined", True)
        assert not (await service.whois(ANNA, slugs[3])).roles


async def test_nobody_is_taken_off_an_open_list_in_silence(broker: Broker, tmp_path: Path) -> None:
    """Whom forged mail takes off hears of it, also where the list says no goodbye; where the
    answers of the day are used up, they stay. Who is proved leaves all the same."""
    post = Post(broker)
    names = [f"list{number}@lists.example.org" for number in range(4)]
    slugs = [name.replace("@", "-").replace(".", "-") for name in names]
    async with membership(broker, settings(tmp_path)) as service:
        for name in names:
            await service.create(name, unsubscription_policy="open", send_goodbye_message="false")
            await service.add(ANNA, list=name)
        outcomes = [(await post.ask("leave", slug=slug))[0].outcome for slug in slugs]
        assert outcomes == ["left"] * 3 + ["limited"]
        said = [letter.mail["Subject"] for letter in await post.letters()]
        assert [subject.startswith("You have left") for subject in said] == [True] * 3
        assert (await service.whois(ANNA, slugs[3])).roles == ("member",)
        done, letters = await post.ask("leave", mail_of(**PROVED), slug=slugs[3])
        assert (done.outcome, letters) == ("left", [])


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
    for cause in ("e", "e"):
        assert await contacts.ask(ANNA, SLUG, "join", question="q", cause=cause, at=at) == ()


async def test_no_address_stands_in_a_subject(broker: Broker, tmp_path: Path) -> None:
    """PENDING names addresses by their MAC."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await post.ask("join")
    found = [stored.subject async for stored in broker.scan("PENDING", "pending.>")]
    assert {"contact", "confirmation"} <= {subject.split(".")[1] for subject in found}
    assert not any("anna" in subject or LIST in subject for subject in found)


async def test_forged_commands_of_every_kind(broker: Broker, tmp_path: Path) -> None:
    """Whatever is forged in one name, at however many lists (questions, answers, errors, a list
    open to all), three letters go out in a day; the victim's own, proved mail is answered still."""
    post = Post(broker)
    names = [f"list{number}@lists.example.org" for number in range(4)]
    slugs = [name.replace("@", "-").replace(".", "-") for name in names]
    async with membership(broker, settings(tmp_path)) as service:
        for name in names[:3]:
            await service.create(name)
        await service.create(names[3], subscription_policy="open")
        await service.add(ANNA, list=names[0])
        for slug in slugs:
            for command, data in (
                ("request", mail_of(subject="help")),
                ("join", None),
                ("leave", None),
                ("request", mail_of(subject="what?")),
                ("confirm", mail_of(subject="confirm " + "a" * 26)),
                ("request", mail_of("set mail off\r\nwhich\r\n")),
            ):
                mail_id = await post.write(command, data, slug=slug)
                await post.done(mail_id, slug)
        assert [letter.to for letter in await post.letters()] == [ANNA] * 3
        done, (letter,) = await post.ask(
            "request", mail_of(subject="help", **PROVED), slug=slugs[0]
        )
        assert (done.outcome, letter.mail["Subject"]) == ("answered", "How to use List0")


async def test_an_answered_question_counts_no_more(broker: Broker, tmp_path: Path) -> None:
    """Who joins three lists in a day and says yes to each is answered when they ask for help."""
    post = Post(broker)
    names = [f"list{number}@lists.example.org" for number in range(3)]
    slugs = [name.replace("@", "-").replace(".", "-") for name in names]
    async with membership(broker, settings(tmp_path)) as service:
        for name, slug in zip(names, slugs, strict=True):
            await service.create(name)
            _, (letter,) = await post.ask("join", slug=slug)
            await post.ask("confirm", token=letter.token, slug=slug)
        done, letters = await post.ask("request", mail_of(subject="help"), slug=slugs[0])
        assert (done.outcome, len(letters)) == ("answered", 1)
