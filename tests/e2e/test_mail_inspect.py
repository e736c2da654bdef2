"""`postroad mail inspect`: what a mail is, with and without a Postroad to ask."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from postroad.cli import inspection
from postroad.cli.inspection.evidence import LARGEST
from postroad.cli.inspection.knowledge import Knowledge
from postroad.cli.inspection.page import plain
from services.router import rules
from tests.e2e.system import System, postroad

LIST = "team@example.org"
RULES = [rule.name for rule in rules.POST]
POST = (
    b"From: Ann <ann@example.net>\r\nTo: Team <team@example.org>\r\nSubject: Minutes\r\n"
    b"Message-ID: <one@example.net>\r\nList-Id: <other.example.com>\r\n\r\nHello.\r\n"
)
BOUNCE = (
    b"From: MAILER-DAEMON@mx.example.net\nTo: team-bounces@example.org\nSubject: failure notice\n\n"
    b"Your message could not be delivered.\n\n<ann@example.net>: 550 5.1.1 user unknown\n"
)


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A folder without settings."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    return folder


@pytest.fixture
def mails(corpora: Path) -> dict[Path, bytes]:
    """Every file of the corpora."""
    return {path: path.read_bytes() for path in corpora.rglob("*") if path.is_file()}


def rule(told: dict[str, Any], name: str) -> dict[str, Any]:
    """What one rule says."""
    found = next(row for row in told["rules"] if row["rule"] == name)
    assert isinstance(found, dict)
    return found


async def test_without_a_system_facts_rules_and_bounce_are_told(nowhere: Path) -> None:
    """Facts, the whole table of rules with default settings, and what a bounce reports; the rules
    were asked without a list, and a note says so."""
    file = nowhere / "mail.eml"
    file.write_bytes(POST)
    told = (await postroad("mail", "inspect", str(file), "--json", cwd=nowhere)).json
    assert told["message_id"] == "one@example.net"
    assert told["from"] == "ann@example.net"
    assert told["recipients"] == [LIST]
    assert (told["lists"], told["kind"], told["verdict"]) == ([], "post", "hold")
    assert [row["rule"] for row in told["rules"]] == RULES
    assert rule(told, "nonmember-moderation")["hit"]
    assert all(row["reason"] for row in told["rules"])
    assert told["bounce"] is None
    assert "taken for a stranger" in told["notes"][0]

    file.write_bytes(BOUNCE)
    told = (await postroad("mail", "inspect", str(file), "--json", cwd=nowhere)).json
    assert told["kind"] == "bounce"
    bounce = told["bounce"]
    assert (bounce["class"], bounce["status"]) == ("hard", "5.1.1")
    assert bounce["recipients"] == ["ann@example.net"]
    assert "user unknown" in bounce["diagnostic"]


async def test_people_read_a_page_of_it(nowhere: Path) -> None:
    """The same for people: the verdict, which rule decides, and the header as a difference."""
    file = nowhere / "mail.eml"
    file.write_bytes(POST.replace(b"Subject: Minutes", b"Subject:"))
    said = await postroad("mail", "inspect", str(file), "--list", LIST, cwd=nowhere)
    assert said.code == 0
    assert f"At {LIST}: hold (post), by the rule nonmember-moderation" in said.out
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in said.out.splitlines() if line}
    assert rows["nonmember-moderation"].startswith("decides its author is not a member")
    assert rows["no-subject"] == "hits too it has no subject (would hold)"
    assert rows["truth"] == "- looks for: mail that no rule objects to"
    assert rows["implicit-dest"] == "- looks for: mail that names the list in neither To nor Cc"
    assert "- List-Id: <other.example.com>" in said.out
    assert "+ List-Id: <team.example.org>" in said.out
    assert "+ Subject: [team] (no subject)" in said.out


async def test_no_password_is_shown(nowhere: Path) -> None:
    """That a mail gives one is told, not which."""
    file = nowhere / "mail.eml"
    file.write_bytes(b"Approved: correct horse\r\nX-approve: correct\r\n horse\r\n" + POST)
    for words in ((), ("--json",)):
        said = await postroad("mail", "inspect", str(file), "--list", LIST, *words, cwd=nowhere)
        assert "horse" not in said.out + said.err
        assert "Approved: (a password)" in said.out


async def test_settings_and_members_of_a_list_count(tmp_path: Path) -> None:
    """With a Postroad its lists are judged at, with their settings, and membership is asked who
    the author is; nothing is stored. Once it is stopped, its streams are read."""
    async with System.start(tmp_path, "", services=("membership",), lend=False) as road:
        await road.make_list(LIST, ["ann@example.net"], subject_prefix="(T) ", emergency="false")
        await road.make_list("other@example.org", [], default_nonmember_action="reject")
        before = await road.broker.api("STREAM.INFO.ROUTED")
        file = tmp_path / "mail.eml"
        file.write_bytes(POST)
        told = (await road.cli("mail", "inspect", str(file), "--json")).json
        assert (told["lists"], told["kind"], told["verdict"]) == ([LIST], "post", "accept")
        assert "Subject: (T) Minutes" in told["decisions"][0]["added"]
        assert told["notes"] == []
        words = ("mail", "inspect", str(file), "--json", "--list", "other@example.org")
        told = (await road.cli(*words)).json
        assert (told["lists"], told["verdict"]) == (["other@example.org"], "reject")
        file.write_bytes(POST.replace(b"To: Team <team@", b"To: <nobody@"))
        told = (await road.cli("mail", "inspect", str(file), "--json")).json
        assert (told["lists"], told["kind"], told["verdict"]) == ([], "unrouted", None)
        after = await road.broker.api("STREAM.INFO.ROUTED")
        assert before["state"]["last_seq"] == after["state"]["last_seq"]
    file.write_bytes(POST)
    told = (
        await postroad("mail", "inspect", str(file), "--json", "--config", str(road.config))
    ).json
    assert (told["lists"], told["verdict"], told["notes"]) == ([LIST], "accept", [])


@pytest.mark.parametrize("data", [b"", os.urandom(5_000)])
async def test_any_bytes_end_well(nowhere: Path, data: bytes) -> None:
    """Exit code 0 and an answer for whatever stands on standard input."""
    code, out, err = await piped(nowhere, data)
    assert (code, err) == (0, "")
    assert out.startswith("{")


async def test_a_huge_input_is_read_within_bounds(nowhere: Path) -> None:
    """Of 100 MB the first 32 are looked at; their true size is known, and a note tells."""
    file = nowhere / "huge"
    with file.open("wb") as stream:
        stream.truncate(100 << 20)
    told = (await postroad("mail", "inspect", str(file), "--json", cwd=nowhere)).json
    assert told["size"] == 100 << 20
    assert rule(told, "max-size")["hit"]
    assert f"only its first {LARGEST >> 20} MB are looked at" in told["notes"]


@pytest.mark.parametrize("name", ["missing.eml", "", ".", "a\nb"])
async def test_what_cannot_be_read_is_named(nowhere: Path, name: str) -> None:
    """One clear line and exit code 2 for a file that is none."""
    said = await postroad("mail", "inspect", name, cwd=nowhere)
    assert said.code == 2
    assert "cannot be read" in said.err
    assert said.err.count("\n") == 1


async def test_wrong_lists_and_sources_are_named(nowhere: Path) -> None:
    """So are a list that is no address, and a source there is none of."""
    file = nowhere / "mail.eml"
    file.write_bytes(POST)
    said = await postroad("mail", "inspect", str(file), "--list", "team", cwd=nowhere)
    assert (said.code, "'team' is no address of a list" in said.err) == (2, True)
    said = await postroad("mail", "inspect", str(file), "--source", "box", cwd=nowhere)
    assert (said.code, "there is no [[source]] 'box'" in said.err) == (2, True)


async def test_every_mail_of_the_corpora_is_judged(mails: dict[Path, bytes]) -> None:
    """Real mail and torture: an answer for each, in a second of the processor at most."""
    known = Knowledge(None, [], None)
    slowest = 0.0
    for path, data in mails.items():
        start = time.process_time()
        told = plain(await inspection.judged(known, data, len(data), LIST, ""))
        slowest = max(slowest, time.process_time() - start)
        assert told["verdict"] in ("accept", "hold", "reject", "discard"), path
    assert slowest < 1.0


async def piped(folder: Path, data: bytes) -> tuple[int, str, str]:
    """Run it on these bytes as standard input."""
    done = await postroad("mail", "inspect", "-", "--json", cwd=folder, data=data)
    return done.code, done.out, done.err
