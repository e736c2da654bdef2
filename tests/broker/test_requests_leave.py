"""Leaving, settings and the words of -request, asked of the real service on a real broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.mail.tokens import TokenMaker
from postroad.runtime.broker import Broker
from schemas.commands import ChangeMember, RosterPage
from schemas.membership import MemberUnsubscribed
from tests.broker.membership import LIST, SLUG, Membership, membership
from tests.broker.requests import ANNA, PROVED, SERVER, Post, mail_of, settings


async def status(service: Membership) -> str:
    """The delivery status of the only member."""
    (row,) = (await service.ask(RosterPage(list=LIST))).rows
    return row.delivery_status


async def test_a_leave_link_acts_at_once(broker: Broker, tmp_path: Path) -> None:
    """A mail with somebody's leave token takes them off, whoever sent it and by whatever program,
    and says goodbye to them; again it changes nothing."""
    post = Post(broker)
    config = settings(tmp_path)
    async with membership(broker, config) as service:
        await service.create()
        await service.add(ANNA)
        person = (await service.whois(ANNA)).person
        token = TokenMaker(config.site_key()).leave_token(SLUG, person)
        data = mail_of(author="program@example.com", Auto_Submitted="auto-generated")
        done, (letter,) = await post.ask("leave", data, token=token)
        assert (done.outcome, done.person, letter.to) == ("left", person, ANNA)
        assert "You have left" in letter.mail["Subject"]
        assert not (await service.whois(ANNA)).roles
        done, (letter,) = await post.ask("leave", token=token)
        assert (done.outcome, letter.to) == ("answered", ANNA)
        assert "not on" in letter.mail["Subject"]
    last = await broker.last("MEMBERSHIP", f"membership.{SLUG}.{person}")
    assert last is not None
    assert last.envelope().events == (MemberUnsubscribed(how="leave link by mail"),)


async def test_a_leave_token_of_another_list_or_a_forged_one_is_none(
    broker: Broker, tmp_path: Path
) -> None:
    """With such a token the mail is one to -leave without any: its author is asked."""
    post = Post(broker)
    config = settings(tmp_path)
    async with membership(broker, config) as service:
        await service.create()
        await service.add(ANNA)
        person = (await service.whois(ANNA)).person
        token = TokenMaker(config.site_key()).leave_token("other-lists-example-org", person)
        done, _ = await post.ask("leave", mail_of(author="eve@example.com"), token=token)
        assert done.outcome == "confirmation_sent"
        done, _ = await post.ask("leave", mail_of(author="bob@example.com"), token="a" * 32)
        assert done.outcome == "confirmation_sent"
        assert (await service.whois(ANNA)).roles == ("member",)


async def test_a_proved_author_leaves_at_once(broker: Broker, tmp_path: Path) -> None:
    """Where our server says that the mail is really from its author, they are off the list."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        done, (letter,) = await post.ask("leave", mail_of(**PROVED))
        assert (done.outcome, letter.to) == ("left", ANNA)
        done, (letter,) = await post.ask("leave", mail_of(**PROVED))
        assert (done.outcome, "not on" in letter.mail["Subject"]) == ("answered", True)


@pytest.mark.parametrize(
    "results",
    [
        "mx.evil.example; dkim=pass header.d=example.net",
        f"{SERVER}; dkim=pass header.d=example.com",
        f"{SERVER}; dkim=fail header.d=example.net",
        "",
    ],
)
async def test_any_other_author_is_asked(broker: Broker, tmp_path: Path, results: str) -> None:
    """Without such a proof a member and a stranger are asked in the same words, and stay until
    they answer."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        words = set()
        for author in (ANNA, "stranger@example.net"):
            data = mail_of(author=author, Authentication_Results=results)
            done, (letter,) = await post.ask("leave", data)
            assert done.outcome == "confirmation_sent"
            words.add(letter.text.replace(letter.token, "TOKEN"))
            if author == ANNA:
                token = letter.token
        assert len(words) == 1
        assert (await service.whois(ANNA)).roles == ("member",)
        done, (letter,) = await post.ask("confirm", token=token)
        assert (done.outcome, "You have left" in letter.mail["Subject"]) == ("left", True)


async def test_a_list_that_says_no_goodbye(broker: Broker, tmp_path: Path) -> None:
    """Without send_goodbye_message a member goes in silence."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create(send_goodbye_message="false")
        await service.add(ANNA)
        done, letters = await post.ask("leave", mail_of(**PROVED))
        assert (done.outcome, letters) == ("left", [])


async def test_mail_is_switched_off_and_on(broker: Broker, tmp_path: Path) -> None:
    """`set mail off` keeps a proved member on the list without mail, `set mail on` brings it
    back; anybody else is asked first, and what a moderator stopped stays stopped."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        done, (letter,) = await post.ask("request", mail_of(subject="set mail off", **PROVED))
        assert (done.outcome, "is off" in letter.mail["Subject"]) == ("answered", True)
        assert await status(service) == "by_user"
        done, (question,) = await post.ask("request", mail_of(subject="SET team MAIL"))
        assert done.outcome == "confirmation_sent"
        done, (letter,) = await post.ask("confirm", token=question.token)
        assert "is on" in letter.mail["Subject"]
        assert await status(service) == "enabled"
        stopped = ChangeMember(list=LIST, address=ANNA, delivery_status="by_moderator")
        assert not (await service.ask(stopped)).refused
        done, (letter,) = await post.ask("request", mail_of(subject="set mail on", **PROVED))
        assert (done.outcome, "stays off" in letter.mail["Subject"]) == ("refused", True)
        assert await status(service) == "by_moderator"


async def test_copies_are_chosen(broker: Broker, tmp_path: Path) -> None:
    """`set myposts off` and `set duplicates off` of a proved member are done at once, and one
    letter says both; anybody else is asked first, in words that say what it is about."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        both = mail_of("set myposts off\r\nset duplicates off\r\n", **PROVED)
        done, (letter,) = await post.ask("request", both)
        assert done.outcome == "answered"
        assert "no copy of what you write" in letter.text
        assert "no copy of a mail to" in letter.text
        (row,) = (await service.ask(RosterPage(list=LIST))).rows
        assert (row.receive_own_postings, row.receive_list_copy) == (False, False)
        done, (question,) = await post.ask("request", mail_of(subject="set myposts on"))
        assert done.outcome == "confirmation_sent"
        assert "you get a copy of what you write" in " ".join(question.text.split())
        await post.ask("confirm", token=question.token)
        (row,) = (await service.ask(RosterPage(list=LIST))).rows
        assert (row.receive_own_postings, row.receive_list_copy) == (True, False)


async def test_a_stranger_has_nothing_to_set(broker: Broker, tmp_path: Path) -> None:
    """Somebody proved who is not on the list is told so."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        done, (letter,) = await post.ask("request", mail_of(subject="set nomail", **PROVED))
        assert (done.outcome, "not on" in letter.mail["Subject"]) == ("refused", True)


async def test_several_commands_get_one_answer(broker: Broker, tmp_path: Path) -> None:
    """Commands in the Subject and the first lines are all obeyed, and answered in one mail to
    From, whatever Reply-To says."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.create("other@lists.example.org")
        await service.add(ANNA)
        data = mail_of(
            "\r\nWHICH\r\n> leave\r\nset mail off\r\nhelp\r\nend\r\nleave\r\n",
            subject="Re: echo",
            Reply_To="eve@example.com",
            **PROVED,
        )
        done, (letter,) = await post.ask("request", data)
        assert (done.outcome, letter.to) == ("answered", ANNA)
        for said in ("echo", f"    {LIST}\n", "sends you no mail", "set mail off        stay"):
            assert said in letter.text
        assert "other@lists.example.org" not in letter.text
        assert (await service.whois(ANNA)).roles == ("member",)


@pytest.mark.parametrize(
    ("subject", "body", "said"),
    [
        ("", "", "How to use"),
        ("Hello", "Dear list,\r\nwhen do we meet?\r\n", "not understood"),
        ("Hello", "Dear list,\r\nhelp\r\n", "How to use"),
    ],
)
async def test_what_is_no_command_is_answered_once(
    broker: Broker, tmp_path: Path, subject: str, body: str, said: str
) -> None:
    """A mail to -request without a command gets help, one line of it or all; and only once."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        done, (letter,) = await post.ask("request", mail_of(body, subject=subject))
        assert done.outcome == "answered"
        assert said in letter.mail["Subject"]


async def test_which_tells_a_stranger_nothing(broker: Broker, tmp_path: Path) -> None:
    """Whoever is on no list is told so, at their own address only."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        _, (letter,) = await post.ask("request", mail_of(subject="which", author="eve@example.com"))
        assert letter.to == "eve@example.com"
        assert "(none)" in letter.text
