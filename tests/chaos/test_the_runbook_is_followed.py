"""The pages of docs/operators for what is broken, followed by their commands until all is well."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import smtplib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.condition import Status
from postroad.runtime.embedded import access
from schemas import subjects
from tests.architecture.documents import OPERATORS, Document
from tests.e2e.installation import Installation
from tests.peers.process import free_port

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
TEAM = "team@lists.example.org"
MAIL = (
    "From: Ann <ann@example.net>\r\nTo: team@lists.example.org\r\nSubject: Hello\r\n"
    "Message-ID: <hello@example.net>\r\n\r\nHello all.\r\n"
)
DO, KNOW = "What to do", "How you know that it is well"
Said = Mapping[str, subprocess.CompletedProcess[str]]


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Installation]:
    """An installation with a list that two people are on."""
    with Installation.at(tmp_path) as ours:
        ours.json("list", "create", TEAM)
        ours.json("member", "add", TEAM, "ann@example.net", "bob@example.net", "--confirmed")
        ours.json("member", "add", TEAM, "ann@example.net", "--role", "owner", "--confirmed")
        yield ours


def follow(ours: Installation, page: str, part: str, **words: str) -> Said:
    """Give every `postroad` command of a part of a page, `words` in the place of those that the
    page says stand for something; what each said. None may end in a fault of its own."""
    text = Document(OPERATORS / f"{page}.md").text.partition(f"## {part}\n")[2]
    text = text.partition("\n## ")[0]
    said: dict[str, subprocess.CompletedProcess[str]] = {}
    for block in re.findall(r"^ *```sh\n(.*?)```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            told = [words.get(word, word) for word in shlex.split(line, comments=True)]
            if told and told[0] == "postroad":
                done = said[" ".join(told[1:])] = ours.run(*told[1:])
                assert "internal error" not in done.stderr, (line, done)
                assert "Usage:" not in done.stderr, (line, done)
    assert said, (page, part)
    return said


def healthy(said: Said) -> bool:
    """Whether every command by which one knows says that all is well."""
    return all(done.returncode == 0 for done in said.values())


def problem(words: str, found: Status) -> bool:
    """Whether status says this of what is wrong, or unwise."""
    return any(words in each for each in (*found.problems, *found.warnings))


def test_a_relay_fails(ours: Installation) -> None:
    """Who follows the page learns which step fails, mends the port, restarts, and sees the post
    that waited go to everybody."""
    right = f"port = {ours.sandbox['smtp_port']}"
    settings = ours.config.read_text()
    ours.config.write_text(settings.replace(right, f"port = {free_port()}"))
    with ours.up(only=()):
        with smtplib.SMTP("127.0.0.1", ours.sandbox["smtp_port"]) as client:
            client.sendmail("ann@example.net", [TEAM], MAIL)
        ours.until(lambda found: problem("relay out does not work", found), "the relay is down")
        said = follow(ours, "relay-failing", DO)
        (doctor,) = (done for words, done in said.items() if words.startswith("doctor"))
        assert re.search(r"failed +connection +relay out .*nothing listens", doctor.stdout)
        posts = ours.json("post", "ls")
        shown = ours.run("post", "show", posts[0]["id"]).stdout
        assert "2 waiting" in shown
    ours.config.write_text(settings)
    with ours.up(only=()):
        ours.until(lambda found: found.state == "healthy", "healthy")
        ours.shows("2 accepted, 0 failed, 0 waiting", "post", "show", posts[0]["id"])
        assert healthy(follow(ours, "relay-failing", KNOW, ID=posts[0]["id"]))


def test_the_analytics_cannot_be_used(ours: Installation) -> None:
    """A file that was overwritten is moved aside and made anew; the page leads to tables that are
    what the streams say, and to a healthy system."""
    with ours.up(only=()):
        file = ours.home / "state" / "analytics.duckdb"
        ours.until(lambda found: found.state == "healthy" and file.exists(), "healthy")
        os.truncate(file, 4_096)
        ours.until(lambda found: problem("was moved aside", found), "it is moved aside")
        said = follow(ours, "analytics-failing", DO)
        assert "was moved aside" in said["status"].stdout
        for aside in (ours.home / "state").glob("analytics.duckdb.corrupt-*"):
            aside.unlink()
        ours.until(lambda found: not found.problems and not found.warnings, "no more warnings")
        known = follow(ours, "analytics-failing", KNOW)
        assert healthy(known)
        assert "all is the same" in known["verify"].stdout
        assert "analytics: up to date" in known["status"].stdout


def test_a_mail_that_nobody_can_process(ours: Installation) -> None:
    """What is no event is parked, told with its reason, and given up by the command of the page;
    then the system is healthy, and who asks later learns why it was dropped."""

    async def poison() -> None:
        reach = access(ours.home / "state")
        assert reach is not None
        async with await Broker.connect(reach.url, name="test") as broker:
            await broker.publish(subjects.received("home", "f" * 32), b'{"v":1,"t":"no"}')

    with ours.up(only=()):
        asyncio.run(poison())
        ours.until(lambda found: found.parked == 1, "it is parked")
        (parked,) = ours.json("deadletter", "ls")
        number = str(parked["seq"])
        said = follow(ours, "poison-mail", DO, **{"1": number, "ID": "f" * 32})
        assert "router" in said["deadletter ls"].stdout
        assert "no event" in said[f"deadletter show {number}"].stdout
        ours.until(lambda found: found.state == "healthy", "healthy")
        assert healthy(follow(ours, "poison-mail", KNOW))
        assert ours.json("deadletter", "ls") == []
