"""What a member finds in the mailbox when the owner says how copies look."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from tests.e2e.system import World, mail, world

MEMBERS = ["anna@example.net", "bob@one.example"]
TEAM = "team@example.org"


async def copies(here: World, subject: str, count: int = len(MEMBERS)) -> dict[str, EmailMessage]:
    """The copies of the post with this in its Subject, once `count` mails have arrived in all, by
    recipient, as a mail program reads them."""
    await here.sink.wait_for(count)
    return read(here, subject)


def read(here: World, subject: str) -> dict[str, EmailMessage]:
    """Those that have arrived."""
    found: dict[str, EmailMessage] = {}
    for record in here.sink.records():
        copy = email.message_from_bytes(Path(record.file).read_bytes(), policy=default)
        assert isinstance(copy, EmailMessage)
        if subject in str(copy["Subject"]):
            found |= dict.fromkeys(record.recipients, copy)
    return found


async def test_answers_lines_and_anonymity(tmp_path: Path) -> None:
    """Members answer to the list, read its lines around the text, and, once the list is anonymous,
    cannot tell who wrote; what may not reach them does not."""
    async with world(tmp_path, keep=True) as here:
        road = here.road
        await road.make_list(TEAM, MEMBERS)
        change = ("list", "set", TEAM)
        lines = (r"header=$display_name\n(for $user_email)", "footer=$listname")
        done = await road.cli(*change, "reply_goes_to_list=point_to_list", *lines)
        assert done.code == 0, done.err
        receipt = b"Disposition-Notification-To: anna@example.net\r\nList-Id: <evil.example>\r\n"
        post = mail(1, body="Dear all\r\n").replace(
            b"Subject: post", b"Subject: Gr\xc3\xbc\xc3\x9fe"
        )
        here.post(receipt + post)
        found = await copies(here, "Grüße")
        assert set(found) == set(MEMBERS)
        for who, copy in found.items():
            assert copy["Subject"] == "[Team] Grüße 1"
            assert copy["From"] == "Anna <anna@example.net>"
            assert copy["Reply-To"] == f"Team <{TEAM}>"
            assert copy.get_all("List-Id") == ["Team <team.example.org>"]
            assert copy["Disposition-Notification-To"] is None
            assert copy["Message-ID-Hash"]
            text = copy.get_content().splitlines()
            assert text == ["Team", f"(for {who})", "", "Dear all", "", TEAM]

        assert (await road.cli(*change, "anonymous_list=true", "footer=", "header=")).code == 0
        here.post(mail(2, body="Guess who\r\n"))
        for copy in (await copies(here, "post 2", 4)).values():
            assert copy["From"] == copy["Reply-To"] == f"Team <{TEAM}>"
            assert "anna" not in copy.as_string().lower()
            assert copy["Message-ID"].endswith("@example.org>")


async def test_a_conversation_as_an_operator_sees_it(tmp_path: Path) -> None:
    """`post show` tells what a post answers, by the ids that members' programs saw, and where the
    conversation began; of another list it tells nothing."""
    async with world(tmp_path, keep=True) as here:
        road = here.road
        await road.make_list(TEAM, MEMBERS)
        await road.make_list("news@example.org", MEMBERS)
        here.post(mail(1).replace(b"Message-ID: <1@posts>\r\n", b""))
        (first, *_) = (await copies(here, "post 1")).values()
        shown = first["Message-ID"]
        answer = mail(2, author=MEMBERS[1])
        here.post(b"In-Reply-To: %b\r\n" % shown.encode() + answer)
        await road.settled(2)
        here.post(b"References: %b <2@posts>\r\n" % shown.encode() + mail(3))
        here.post(b"In-Reply-To: <2@posts>\r\n" + mail(4, to="news@example.org"))
        await road.settled(4)
        rows = (await road.cli("post", "ls", "--json")).json
        ids = {row["subject"].removeprefix("post "): row["id"] for row in rows}
        fates = {}
        for number, mail_id in ids.items():
            (fates[number],) = (await road.cli("post", "show", mail_id, "--json")).json["lists"]
        assert {number: (fate["parent"], fate["thread"]) for number, fate in fates.items()} == {
            "1": ("", ids["1"]),
            "2": (ids["1"], ids["1"]),
            "3": (ids["2"], ids["1"]),
            "4": ("", ids["4"]),
        }
        told = (await road.cli("post", "show", ids["3"])).out
        assert f"answers {ids['2'][:8]}" in told


async def test_reports_and_own_mail_go_no_further_than_the_record(tmp_path: Path) -> None:
    """A report on a post that comes to -owner, and our own mail there, reach no owner; a person's
    letter does."""
    async with world(tmp_path, keep=True) as here:
        road = here.road
        await road.make_list(TEAM, MEMBERS)
        owner = ("olga@example.net", "--role=owner", "--confirmed")
        done = await road.cli("member", "add", TEAM, *owner)
        assert done.code == 0, done.err
        here.post(mail(1))
        (first, *_) = (await copies(here, "post 1")).values()
        quoted = f"X-Postroad-Trace: {first['X-Postroad-Trace']}\r\nList-Id: <team.example.org>\r\n"
        report = (
            "Return-Path: <>\r\nFrom: mailer-daemon@one.example\r\nTo: team-owner@example.org\r\n"
            'Subject: failed\r\nContent-Type: multipart/report; boundary="b"\r\n\r\n'
            f"--b\r\nContent-Type: message/rfc822\r\n\r\n{quoted}\r\n--b--\r\n"
        )
        here.post(report.encode())
        here.post(b"List-Id: <team.example.org>\r\n" + mail(3, to="team-owner@example.org"))
        here.post(mail(4, to="team-owner@example.org"))
        await road.settled(4)
        got = await copies(here, "post 4", 3)
        assert set(got) == {"olga@example.net"}
        assert {who for record in here.sink.records() for who in record.recipients} == {
            *MEMBERS,
            "olga@example.net",
        }
        assert len(here.sink.records()) == 3
        kinds = {row["kind"] for row in (await road.cli("post", "ls", "--json")).json}
        assert {"post", "bounce", "discarded", "owner"} <= kinds
