"""Answers to -confirm: what confirms, and what never does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, now
from schemas import codec, subjects
from schemas.pending import ConfirmationAsked
from services.membership.requests import confirmation
from tests.broker.membership import SLUG, membership
from tests.broker.requests import ANNA, Post, mail_of, settings

TOKEN = "a" * 26


async def asked(post: Post, command: str = "join") -> str:
    """Have a question sent; its token."""
    _, (letter,) = await post.ask(command)
    return letter.token


@pytest.mark.parametrize(
    "data",
    [
        mail_of(Auto_Submitted="auto-replied", subject="Re: Please confirm"),
        mail_of(Return_Path="<>"),
        mail_of(X_Autoreply="yes"),
        mail_of(Content_Type="multipart/report; report-type=delivery-status; boundary=x"),
        mail_of(author="mailer-daemon@example.net"),
        mail_of(Precedence="bulk"),
    ],
    ids=["vacation", "null sender", "vendor mark", "bounce", "daemon", "bulk"],
)
async def test_what_a_program_answers_confirms_nothing(
    broker: Broker, tmp_path: Path, data: bytes
) -> None:
    """Vacation notices and bounces to a confirmation address are ignored, and the token still
    works for a person."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        token = await asked(post)
        done, letters = await post.ask("confirm", data, token=token)
        assert (done.outcome, letters) == ("ignored", [])
        done, _ = await post.ask("confirm", token=token)
        assert done.outcome == "joined"


QUOTED = "\r\nOn Monday Team wrote:\r\n> To join, reply to this mail.\r\n"
ASKED = "Re: Please confirm: join team@lists.example.org"


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Out of office: Re: Please confirm: join team@lists.example.org", ""),
        ("Undeliverable: Please confirm: join team@lists.example.org", ""),
        ("Je suis absent(e)", ""),
        (ASKED, "I am out of the office until Monday.\r\n" + QUOTED),
        (ASKED, "Guten Tag,\r\n\r\nich bin im Urlaub.\r\n" + QUOTED),
    ],
)
async def test_an_unmarked_notice_of_a_program_confirms_nothing(
    broker: Broker, tmp_path: Path, subject: str, body: str
) -> None:
    """A reply that looks like a vacation notice or a bounce, by its Subject or what it says, does
    not confirm; whoever wrote it is told how, and can."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        token = await asked(post)
        done, (letter,) = await post.ask("confirm", mail_of(body, subject=subject), token=token)
        assert done.outcome == "ignored"
        assert letter.token == token
        assert not (await service.whois(ANNA)).roles
        again = mail_of("Yes", subject="Re: Did you mean to confirm?")
        done, _ = await post.ask("confirm", again, token=token)
        assert done.outcome == "joined"


@pytest.mark.parametrize("body", ["No!", "Nein danke", "I did not ask for this", "unsubscribe"])
async def test_who_says_no_is_not_joined(broker: Broker, tmp_path: Path, body: str) -> None:
    """The question ends, nothing is done, and one short letter says so; nobody asks the same
    again that day."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        token = await asked(post)
        no = mail_of(f"{body}\r\n{QUOTED}", subject=ASKED)
        done, (letter,) = await post.ask("confirm", no, token=token)
        assert (done.outcome, done.reason) == ("refused", "the answer was no")
        assert (letter.to, letter.mail["Subject"]) == (ANNA, "Nothing was done")
        done, (letter,) = await post.ask("confirm", token=token)
        assert (done.outcome, letter.mail["Subject"]) == ("refused", "That question has ended")
        done, letters = await post.ask("join")
        assert (done.outcome, letters) == ("limited", [])
        assert not (await service.whois(ANNA)).roles


async def test_remove_me_agrees_to_leave(broker: Broker, tmp_path: Path) -> None:
    """To the question whether to leave, `remove me` is a yes, and `no` a no."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        await service.add("bob@example.net")
        token = await asked(post, "leave")
        done, _ = await post.ask("confirm", mail_of("Please remove me"), token=token)
        assert done.outcome == "left"
        _, (letter,) = await post.ask("leave", mail_of(author="bob@example.net"))
        done, _ = await post.ask("confirm", mail_of("No"), token=letter.token)
        assert done.outcome == "refused"
        assert (await service.whois("bob@example.net")).roles == ("member",)


async def test_a_token_works_once(broker: Broker, tmp_path: Path) -> None:
    """A second use of a token is refused, and changes nothing."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        token = await asked(post)
        await post.ask("confirm", token=token)
        done, (letter,) = await post.ask("confirm", token=token)
        assert (done.outcome, done.reason) == ("refused", "the token is used")
        assert "answered already" in letter.mail["Subject"]


@pytest.mark.parametrize("token", [TOKEN, "", "x", "é" * 26, "../../etc", "1" * 400])
async def test_a_token_nobody_made_is_refused(broker: Broker, tmp_path: Path, token: str) -> None:
    """Unknown and tampered tokens are answered politely, and do nothing."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        done, (letter,) = await post.ask("confirm", token=token)
        assert (done.outcome, letter.to) == ("refused", ANNA)
        assert "does not fit" in letter.mail["Subject"]


async def test_a_token_of_another_list_is_refused_there(broker: Broker, tmp_path: Path) -> None:
    """A token works at the list it was made for alone, and trying it elsewhere does not spend
    it."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.create("other@lists.example.org")
        token = await asked(post)
        other = "other-lists-example-org"
        done, _ = await post.ask("confirm", token=token, slug=other)
        assert done.outcome == "refused"
        done, _ = await post.ask("confirm", token=token)
        assert done.outcome == "joined"


async def test_an_expired_token_is_refused(broker: Broker, tmp_path: Path) -> None:
    """A token lives three days; after that it is refused as late."""
    post = Post(broker)
    config = settings(tmp_path)
    async with membership(broker, config) as service:
        await service.create()
        question = ConfirmationAsked(
            list=SLUG,
            action="join",
            address=ANNA,
            cause="0" * 32,
            expires=now() - timedelta(seconds=1),
        )
        key = subjects.confirmation(confirmation.key_of(config.site_key(), TOKEN))
        message = codec.encode(envelope([question], correlation="0" * 32, actor="test"))
        await broker.publish(key, message)
        done, (letter,) = await post.ask("confirm", token=TOKEN)
        assert (done.outcome, done.reason) == ("refused", "the token is expired")
        assert "too late" in letter.mail["Subject"]
        assert not (await service.whois(ANNA)).roles


async def test_the_token_is_the_proof(broker: Broker, tmp_path: Path) -> None:
    """Answering from another address confirms for the address that was asked; upper case does
    no harm."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        token = await asked(post)
        data = mail_of(author="anna.private@example.com")
        done, (letter,) = await post.ask("confirm", data, token=token.upper())
        assert (done.outcome, letter.to) == ("joined", ANNA)
        assert (await service.whois(ANNA)).roles == ("member",)
        assert not (await service.whois("anna.private@example.com")).roles


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("confirm {}", ""),
        ("Re: CONFIRM {}", ""),
        ("AW: [Team] confirm {}", ""),
        ("your mail", "Confirm {}"),
        ("Re: your mail", "> confirm {}\r\n> something else"),
    ],
)
async def test_a_subject_confirms_at_request(
    broker: Broker, tmp_path: Path, subject: str, body: str
) -> None:
    """`confirm TOKEN` in the Subject or the first lines of a mail to -request confirms as well."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        token = await asked(post)
        data = mail_of(body.format(token), subject=subject.format(token))
        done, _ = await post.ask("request", data)
        assert done.outcome == "joined"


async def test_a_list_without_sub_addresses_asks_in_the_subject(
    broker: Broker, tmp_path: Path
) -> None:
    """With sub_address none the question comes from the list, and a reply carries the token back
    in its Subject."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create(sub_address="none")
        _, (letter,) = await post.ask("join")
        assert letter.mail["Subject"] == f"confirm {letter.token}"
        assert letter.mail["Reply-To"] == "team@lists.example.org"
        done, _ = await post.ask("request", mail_of(subject=f"Re: {letter.mail['Subject']}"))
        assert done.outcome == "joined"


async def test_a_confirmation_address_without_a_list(broker: Broker, tmp_path: Path) -> None:
    """`confirm+TOKEN@`, as lists with long names have it, finds its list by the token."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        token = await asked(post)
        done, _ = await post.ask("confirm", token=token, slug="none")
        assert done.outcome == "joined"
        done, letters = await post.ask("confirm", token=TOKEN, slug="none")
        assert (done.outcome, letters) == ("ignored", [])


async def test_a_stored_question_does_not_tell_its_token(broker: Broker, tmp_path: Path) -> None:
    """Whoever reads the streams of questions and decisions finds no token there."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        token = await asked(post)
    async for stored in broker.scan("PENDING", "pending.>"):
        assert token.encode() not in stored.data
        assert token not in stored.subject
