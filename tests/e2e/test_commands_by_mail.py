"""People write to a list: from their own mail programs, through a mailbox, and back by SMTP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, default
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from schemas import subjects
from schemas.road import CommandDone
from tests.e2e.system import World, mail, world
from tests.peers.sink import Record

TEAM = "team@example.org"
ZOE = "zoe@example.net"
OLD = "anna@example.net"


def write(to: str, subject: str = "", body: str = "", **headers: str) -> bytes:
    """A mail as Zoe's mail program writes it; `headers` with _ for -."""
    message = EmailMessage(policy=SMTP)
    fields = {"Return-Path": f"<{ZOE}>", "From": f"Zoe <{ZOE}>", "To": to, "Subject": subject}
    for name, value in {**fields, **headers}.items():
        message[name.replace("_", "-")] = value
    message["Message-ID"] = f"<{abs(hash((to, subject, body, *headers.values())))}@zoe>"
    message.set_content(body)
    return message.as_bytes()


def reply(letter: EmailMessage, body: str = "Yes.\n", **headers: str) -> bytes:
    """What Reply makes of a letter."""
    subject = str(letter["Subject"])
    again = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    asked = {"In_Reply_To": str(letter["Message-ID"]), **headers}
    quoted = "".join(f"> {line}\n" for line in text_of(letter).splitlines())
    return write(str(letter["Reply-To"]), asked.pop("Subject", again), body + quoted, **asked)


def text_of(letter: EmailMessage) -> str:
    """What a letter says in plain text."""
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def read(record: Record) -> EmailMessage:
    """A mail that the sink took."""
    parsed = BytesParser(policy=default).parsebytes(Path(record.file).read_bytes())
    assert isinstance(parsed, EmailMessage)
    return parsed


def got(here: World, address: str = ZOE) -> list[EmailMessage]:
    """Every mail that came to an address."""
    return [read(record) for record in here.sink.records() if record.recipients == (address,)]


def unsubscribe_mail(copy: EmailMessage) -> bytes:
    """What a mail program sends when its reader presses Unsubscribe."""
    found = re.search(r"<(mailto:[^>]+)>", str(copy["List-Unsubscribe"]))
    assert found is not None
    link = urlsplit(found[1])
    subject = unquote(link.query.removeprefix("subject=")) or "unsubscribe"
    return write(unquote(link.path), subject)


async def told(here: World) -> list[tuple[str, str]]:
    """What came of each command so far: command and outcome."""
    return [
        (event.command, event.outcome)
        async for stored in here.road.broker.scan("ROUTED", "mail.routed.done.>")
        for event in stored.envelope().events
        if isinstance(event, CommandDone)
    ]


def subjects_of(letters: Sequence[EmailMessage]) -> list[str]:
    """The Subjects of mails."""
    return [str(letter["Subject"]) for letter in letters]


@pytest.mark.parametrize("form", ["dash", "plus", "none"])
async def test_from_joining_to_leaving(tmp_path: Path, form: str) -> None:
    """Somebody mails to join, replies to the question, gets a post, presses Unsubscribe on it, and
    gets the next one no more; in each form of sub-addresses."""
    async with world(tmp_path, keep=True) as here:
        await here.road.make_list(TEAM, [OLD], display_name="Team", sub_address=form)
        join = {"dash": "team-join@example.org", "plus": "team+join@example.org", "none": TEAM}
        here.post(write(join[form], "subscribe"))
        await here.sink.wait_for(1)
        (question,) = got(here)
        assert question["Auto-Submitted"] == "auto-replied"
        here.post(reply(question))
        await here.sink.wait_for(2)
        assert subjects_of(got(here))[1] == "Welcome to Team"
        here.post(mail(1))
        await here.sink.wait_for(4)
        copy = got(here)[2]
        assert copy["Subject"] == "[Team] post 1"
        here.post(unsubscribe_mail(copy))
        await here.sink.wait_for(5)
        assert subjects_of(got(here))[3] == "You have left Team"
        here.post(mail(2))
        await here.sink.wait_for(6)
        await here.road.settled(5)
        assert len(got(here)) == 4
        assert len(got(here, OLD)) == 2
        assert [outcome for _, outcome in await told(here)] == [
            "confirmation_sent",
            "joined",
            "left",
        ]
        senders = [r.sender for r in here.sink.records() if "auto-" in r.headers.lower()]
        assert senders == ["", "", ""]


async def test_a_program_confirms_nothing(tmp_path: Path) -> None:
    """A vacation notice, marked or not, and a bounce that come back to a question leave everything
    as it is; so do tokens that are forged or another list's; then a person's reply works, once.
    Three letters go out before it: whatever came may be forged."""
    async with world(tmp_path, keep=True) as here:
        await here.road.make_list(TEAM, [OLD])
        await here.road.make_list("crew@example.org", [OLD])
        here.post(write("team-join@example.org"))
        await here.sink.wait_for(1)
        (question,) = got(here)
        token = str(question["Reply-To"]).partition("+")[2].partition("@")[0]
        here.post(reply(question, "I am away.\n", Auto_Submitted="auto-replied"))
        here.post(reply(question, "Away.\n", Subject="Out of office: back on Monday"))
        bounce = reply(question, "It failed.\n", From="MAILER-DAEMON@example.net")
        here.post(bounce.replace(f"Return-Path: <{ZOE}>".encode(), b"Return-Path: <>"))
        here.post(write(f"crew-confirm+{token}@example.org"))
        here.post(write(f"team-confirm+{'a' * 26}@example.org"))
        await here.road.settled(6)
        await here.sink.wait_for(3)
        rows = await here.road.cli("member", "ls", TEAM, "--json")
        assert [row["address"] for row in rows.json] == [OLD]
        here.post(reply(question))
        await here.sink.wait_for(4)
        here.post(reply(question, "Yes, yes!\n"))
        await here.road.settled(8)
        rows = await here.road.cli("member", "ls", TEAM, "--json")
        assert [row["address"] for row in rows.json] == [OLD, ZOE]
        outcomes = [outcome for _, outcome in await told(here)]
        assert outcomes.count("joined") == 1
        assert outcomes.count("ignored") == 3


async def test_killed_between_question_and_welcome(tmp_path: Path) -> None:
    """Membership dies by kill -9 at three points on the way of one person: one question, one
    welcome, one membership."""
    async with world(tmp_path, keep=True) as here:
        await here.road.make_list(TEAM, [OLD])

        async def over(point: str, message: bytes, copies: int) -> None:
            await here.road.kill("membership")
            await here.road.run("membership", crashpoint=point)
            await here.road.ready(["membership"])
            here.post(message)
            await here.road.died("membership")
            await here.road.run("membership")
            await here.sink.wait_for(copies)

        await over("membership.after_letter", write("team-join@example.org"), 1)
        (question,) = got(here)
        await over("membership.request_done", reply(question), 2)
        here.post(mail(1))
        await here.sink.wait_for(4)
        await over("membership.before_command_done", unsubscribe_mail(got(here)[2]), 5)
        await here.road.settled(4)
        found = subjects_of(got(here))
        assert [found[0][:14], found[1], found[3]] == [
            "Please confirm",
            "Welcome to Team",
            "You have left Team",
        ]
        last = [
            stored.envelope().correlation
            async for stored in here.road.broker.scan("MEMBERSHIP", subjects.membership("*", "*"))
        ]
        assert len(last) == 3  # anna, and Zoe in and out


async def test_an_operator_invites(tmp_path: Path) -> None:
    """`postroad member add` without --confirmed asks by mail; a reply makes the member."""
    async with world(tmp_path, keep=True) as here:
        await here.road.make_list(TEAM, [OLD])
        said = await here.road.cli("member", "add", TEAM, ZOE)
        assert (said.code, said.out) == (0, f"{ZOE}: asked\n")
        await here.sink.wait_for(1)
        said = await here.road.cli("member", "add", TEAM, ZOE)
        assert (said.code, "--confirmed" in said.err) == (1, True)
        here.post(reply(got(here)[0]))
        await here.sink.wait_for(2)
        said = await here.road.cli("member", "add", TEAM, ZOE, "--json")
        assert said.json == [{"address": ZOE, "changed": False, "asked": False, "refused": ""}]
