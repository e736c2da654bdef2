"""Who got a post, who did not, and why: asked of a running system, of everybody there is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from postroad.cli import largepost
from postroad.cli.mails import list_addresses, mail_id
from postroad.cli.post import tell
from postroad.cli.story import Story
from postroad.runtime.config import Config
from schemas.addresses import ChangeAddress
from schemas.commands import ChangeMember, Subscribe, Unsubscribe
from schemas.road import ChunkQueued
from tests.architecture.documents import ANALYSTS, DOCS
from tests.e2e.system import ROAD, Result, System, mail, smtp_relay, until
from tests.peers.records import Record
from tests.peers.sink import Rule, Script, Sink

TEAM, NEWS = "team@example.org", "news@example.org"
SCRIPT = Script(
    rules=(
        Rule(at="rcpt", match="^gina@", times=1, reply="450 4.2.0 later"),
        Rule(at="rcpt", match="^hugo@", reply="550 5.1.1 no such user"),
        Rule(at="rcpt", match="^walt@", after=1, reply="451 4.7.1 slow down"),
    )
)
MEMBERS = ["anna", "bob", "carl", "eve", "frank", "gina", "hugo", "ivan", "nora", "paul", "walt"]


def of(name: str) -> str:
    """Somebody's address; Anna's is at Gmail."""
    return f"{name}@{'gmail.com' if name == 'anna' else f'{name}.example'}"


def bounce(record: Record) -> bytes:
    """The report that a copy could not be delivered."""
    (to,) = record.recipients
    return (
        f"Return-Path: <>\r\nFrom: mailer-daemon@mx.example\r\nTo: {record.sender}\r\n"
        f"Delivered-To: {record.sender}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        "Auto-Submitted: auto-replied\r\nMessage-ID: <b@mx.example>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example"
        f"\r\n\r\nFinal-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.2.1\r\n"
        "Diagnostic-Code: smtp; 550 5.2.1 mailbox is closed\r\n--b--\r\n"
    ).encode()


@dataclass
class Town:
    """The road between a Maildir and a sink, and what was asked."""

    road: System
    sink: Sink
    maildir: Path
    came: int = 0
    told: dict[str, Result] = field(default_factory=dict)
    stories: list[Story] = field(default_factory=list)
    few: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(3))

    def deliver(self, message: bytes) -> None:
        """A mail comes."""
        self.came += 1
        written = self.maildir / "tmp" / f"{self.came}.mx"
        written.write_bytes(message)
        written.rename(self.maildir / "new" / written.name)

    async def post(self, message: bytes) -> None:
        """Deliver a mail, and wait until all is done but what is tried again."""
        self.deliver(message)
        await self.road.settled(self.came)

    async def refused(self, reply: bytes) -> bool:
        """Whether the ledger has this reply."""
        return any([reply in one.data async for one in self.road.broker.scan("DELIVERY", ">")])

    def copy(self, number: int, whom: str) -> Record:
        """Somebody's copy of a post."""
        (found,) = (
            one
            for one in self.sink.records()
            if one.recipients == (whom,) and one.message_id == f"<{number}@posts>"
        )
        return found

    async def letter(self, whom: str) -> str:
        """The id of the first letter to somebody, once a relay has it."""

        async def sent() -> bool:
            return any(one.recipients == (whom,) for one in self.sink.records())

        await until(sent, f"a letter to {whom} is sent")
        (found, *_) = [
            event.mail_id
            async for one in self.road.broker.scan("SEND", "mail.send.now.>")
            for event in one.events()
            if isinstance(event, ChunkQueued) and event.addresses == (whom,)
        ]
        return found

    async def ask(self, key: str, *words: str) -> None:
        """Keep what a command says."""
        async with self.few:
            self.told[key] = await self.road.cli(*words)


@asynccontextmanager
async def town(home: Path) -> AsyncIterator[Town]:
    """A running system with the projector."""
    for name in ("new", "cur", "tmp"):
        (home / "mail" / name).mkdir(parents=True)
    source = f'[[source]]\nname = "box"\nkind = "maildir"\npath = "{home / "mail"}"\n'
    async with Sink.start(SCRIPT) as sink:
        settings = source + smtp_relay(sink.port, retry_after='"1s"')
        async with System.start(home, settings, services=(*ROAD, "projector")) as road:
            yield Town(road, sink, home / "mail")


async def both_ways(here: Town) -> list[Story]:
    """What is told of the first post by the streams, and, as of a large one, by the analytics."""
    broker, config = here.road.broker, Config.load(here.road.config, os.environ)
    mail, addresses = await mail_id(broker, "1@posts"), await list_addresses(broker)
    by_streams = await tell(broker, mail, addresses, config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(largepost, "LARGE", 1)
        return [by_streams, await tell(broker, mail, addresses, config)]


async def asked(home: Path) -> Town:
    """A life of a list, and every question about it, by name."""
    async with town(home) as here:
        road = here.road
        settings = {"default_nonmember_action": "hold", "bounce_score_threshold": "9"}
        await road.make_list(TEAM, [of(name) for name in MEMBERS], **settings)
        await road.make_list(NEWS, [of("bob")], default_nonmember_action="discard")
        for name, option in (
            ("anna", {"receive_own_postings": False}),
            ("eve", {"delivery_status": "by_bounces"}),
            ("frank", {"receive_list_copy": False}),
            ("paul", {"delivery_mode": "none"}),
        ):
            await road.ask("member_set", ChangeMember(list=TEAM, address=of(name), **option))
        await road.ask("unsubscribe", Unsubscribe(list=TEAM, address=of("carl"), reason="moved"))
        await road.ask("subscribe", Subscribe(list=TEAM, address=of("olga"), role="owner"))
        more = ChangeAddress(verb="add", own=of("bob"), address="bob@work.example")
        await road.ask("member_address", more)

        anna = of("anna")
        await here.post(
            mail(1, author=anna).replace(b"\r\nTo:", f"\r\nCc: {of('frank')}\r\nTo:".encode(), 1)
        )
        await road.ask("subscribe", Subscribe(list=TEAM, address=of("dora")))
        await here.post(mail(2, author="stranger@far.example"))
        await here.post(mail(3, NEWS, author="stranger@far.example"))
        await road.ask(
            "member_set", ChangeMember(list=TEAM, address=anna, receive_own_postings=True)
        )
        await here.post(bounce(here.copy(1, of("ivan"))))

        async def gina_has_it() -> bool:
            return any(one.recipients == (of("gina"),) for one in here.sink.records())

        await until(gina_has_it, "gina's copy is tried again")
        letter = await here.letter(of("olga"))
        here.deliver(mail(4, author=anna))
        await until(lambda: here.refused(b"slow down"), "walt's copy is put off")
        erased = await road.cli("member", "erase", of("nora"), "--yes")
        assert erased.code == 0, erased.err
        questions: dict[str, tuple[str, ...]] = {
            name: ("explain", "4@posts" if name == "walt" else "<1@posts>", of(name), "--json")
            for name in [*MEMBERS, "dora", "olga", "mallory"]
        }
        questions |= {
            "held": ("explain", "2@posts", of("bob"), "--json"),
            "discarded": ("explain", "3@posts", of("bob"), "--json"),
            "gmail": ("explain", "4@posts", anna, "--json"),
            "other address": ("explain", "1@posts", '"Bob, B." <bob@work.example>', "--json"),
            "words": ("explain", "1@posts", of("gina")),
            "no post": ("explain", "9@posts", of("bob"), "--json"),
            "bad address": ("explain", "1@posts", "bob"),
            "recipients": ("post", "recipients", "1@posts", "--json"),
            "shown": ("post", "show", "1@posts", "--json"),
            "failed": ("post", "recipients", "1@posts", "--outcome", "failed"),
            "put off": ("post", "recipients", "4@posts", "--outcome", "deferred"),
            "waiting": ("post", "recipients", "4@posts", "--outcome", "waiting"),
            "csv": ("post", "recipients", "1@posts", "--format", "csv"),
            "activity": ("member", "activity", of("ivan"), "--json"),
            "activity of carl": ("member", "activity", of("carl")),
            "stats": ("list", "stats", TEAM, "--json"),
            "stats in words": ("list", "stats", TEAM),
            "letter to olga": ("explain", letter, of("olga"), "--json"),
            "letter to bob": ("explain", letter, of("bob"), "--json"),
            "whom it was to": ("post", "recipients", letter, "--json"),
            "ready": ("sql", "--fresh", "--file", str(home / "ready.sql")),
        }
        (home / "ready.sql").write_text(ANALYSTS.fences("sql")[0])
        here.stories = await both_ways(here)
        await asyncio.gather(*(here.ask(key, *words) for key, words in questions.items()))
        queue = f"mail.send.*.*.{here.stories[0].id}.*"
        for stored in [one async for one in road.broker.scan("SEND", queue)]:
            await road.broker.erase("SEND", stored.seq)
        await here.ask("shown late", "post", "show", "1@posts", "--json")
        return here


@pytest.fixture(scope="module")
def asked_town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A town that was asked everything."""
    return asyncio.run(asked(tmp_path_factory.mktemp("town")))


@pytest.fixture
def told(asked_town: Town) -> dict[str, Result]:
    """What was said to each question."""
    return asked_town.told


@pytest.mark.parametrize(
    ("whom", "outcome", "why"),
    [
        ("bob", "delivered", "relay out took it and said: 250"),
        ("anna", "suppressed", "receive_own_postings=false"),
        ("frank", "suppressed", "receive_list_copy=false"),
        ("carl", "left_before", "had left the list at"),
        ("dora", "joined_later", "they joined the list at"),
        ("eve", "suppressed", "delivery_status=by_bounces"),
        ("paul", "suppressed", "delivery_mode=none"),
        ("gina", "delivered", "relay out took it"),
        ("hugo", "failed", "the mailbox does not exist (550 5.1.1 no such user)"),
        ("ivan", "bounced", "came back (hard): 550 5.2.1 mailbox is closed (mx.example)"),
        ("walt", "deferred", "451 4.7.1 slow down"),
        ("olga", "not_member", "they were owner of the list, but no member"),
        ("mallory", "unknown", "nobody of this address is known"),
        ("nora", "erased", "was erased"),
        ("held", "held", "nonmember-moderation"),
        ("discarded", "discarded", "nonmember-moderation"),
        ("gmail", "delivered", "relay out took it"),
        ("other address", "delivered", "relay out took it"),
    ],
)
def test_everybody_is_explained(told: dict[str, Result], whom: str, outcome: str, why: str) -> None:
    """Whatever became of somebody's copy, the outcome is its word, and the reason names the rule,
    the option, the moment or what the server said."""
    found = told[whom]
    assert (found.code, found.err) == (0, "")
    answer = found.json
    assert (answer["outcome"], why in answer["why"]) == (outcome, True), answer
    assert answer["post"]
    assert [step["what"] for step in answer["steps"]]


def steps(answer: dict[str, Any]) -> list[str]:
    """The kinds of its steps."""
    return [step["step"] for step in answer["steps"]]


def test_the_steps_tell_the_whole_way(told: dict[str, Result]) -> None:
    """From the mailbox to the last answer, also what came before it and after; hints come last."""
    assert steps(told["bob"].json) == ["joined", "received", "post", "queued", "accepted"]
    gina = steps(told["gina"].json)
    assert gina == ["joined", "received", "post", "queued", "deferred", "queued", "accepted"]
    assert steps(told["ivan"].json)[-2:] == ["accepted", "bounce"]
    assert steps(told["carl"].json)[:2] == ["joined", "left"]
    assert "Gmail" in told["gmail"].json["steps"][-1]["what"]
    assert of("bob") in told["other address"].json["steps"][-1]["what"]
    assert steps(told["nora"].json) == ["received"]


def test_people_read_it_in_lines_of_a_hundred_columns(told: dict[str, Result]) -> None:
    """The same in words: what became of it first, then each step with its time."""
    said = told["words"].out
    assert "outcome     delivered" in said
    assert "refused it for now" in said
    assert max(map(len, said.splitlines())) <= 100


def test_what_cannot_be_answered_says_why(told: dict[str, Result]) -> None:
    """No such post: exit code 1, in JSON too; no address: exit code 2, and what is wrong."""
    assert (told["no post"].code, "9@posts" in told["no post"].json["error"]) == (1, True)
    assert (told["bad address"].code, "bob" in told["bad address"].err) == (2, True)


def test_the_recipients_of_a_post_are_those_of_its_ledger(told: dict[str, Result]) -> None:
    """One row each, with the outcome that `explain` tells, and as many as `post show` counts; who
    was erased has no address any more."""
    rows = told["recipients"].json
    outcomes = {row["address"].partition("@")[0]: row["outcome"] for row in rows}
    assert [row["address"] for row in rows if row["erased"]] == [""]
    everybody = dict.fromkeys(["", "bob", "gina", "ivan", "walt"], "accepted")
    assert outcomes == {**everybody, "hugo": "failed"}
    (fate,) = told["shown"].json["lists"]
    counts = [list(outcomes.values()).count(word) for word in ("accepted", "failed")]
    assert (counts, fate["waiting"]) == ([fate["accepted"], fate["failed"]], 0)
    who = [told[key].out.split()[:2] for key in ("waiting", "put off")]
    assert who[0] == who[1]  # who is tried again still waits
    for key, line in (("failed", f"{of('hugo')}  failed"), ("put off", f"{of('walt')}  deferred")):
        assert told[key].out.startswith(line)
        assert told[key].out.count("\n") == 1
    assert told["csv"].out.count("\n") == len(rows) + 1


def test_a_letter_to_an_owner_is_told_by_the_address_it_went_to(told: dict[str, Result]) -> None:
    """Its events name nobody: who has it is told so, who has not that it was somebody else's, and
    nobody is called erased."""
    olga, bob = told["letter to olga"].json, told["letter to bob"].json
    assert (olga["outcome"], steps(olga)) == ("delivered", ["letter", "queued", "accepted"])
    assert (bob["outcome"], bob["why"][-16:]) == ("not_posted", "to somebody else")
    (row,) = told["whom it was to"].json
    assert (row["address"], row["outcome"], row["erased"]) == (of("olga"), "accepted", False)


def test_a_large_post_that_is_done_is_told_without_its_ledger(asked_town: Town) -> None:
    """`post show` says the same of it, whether it reads every entry or asks the projector."""
    by_streams, by_projector = asked_town.stories
    for story in asked_town.stories:
        (fate,) = story.lists
        assert (fate.took is not None, fate.accepted, fate.failed) == (True, 5, 1)
        fate.took = None
    streams, projector = (
        sorted(story.timeline, key=lambda line: line.what) for story in asked_town.stories
    )
    assert [line.what for line in streams] == [line.what for line in projector]
    for one, other in zip(streams, projector, strict=True):
        assert abs(one.at - other.at) < timedelta(milliseconds=1)
    for story in asked_town.stories:
        story.timeline = ()
        for trouble in story.lists[0].troubles:
            trouble.at = datetime.fromtimestamp(0, UTC)
    assert by_streams == by_projector


def test_names_outlive_the_queue(told: dict[str, Result]) -> None:
    """Once its chunks are deleted, `post show` names who has no copy and whose came back as before:
    membership and the analytics know."""
    before, after = (told[key].json["lists"][0] for key in ("shown", "shown late"))
    for kind, whom in (("troubles", of("hugo")), ("bounces", of("ivan"))):
        assert [each["address"] for each in after[kind]] == [whom]
        assert [each["person"] for each in after[kind]] == [each["person"] for each in before[kind]]


def test_a_list_is_told_in_numbers(told: dict[str, Result]) -> None:
    """Members before and now, posts, copies and what failed where: as many as there were."""
    found = told["stats"].json
    names = ("members_before", "members", "joined", "gone", "posts", "failed")
    assert [found[name] for name in names] == [0, 10, 12, 2, 2, 2]
    assert found["bounces"] >= 1  # refusals are counted when somebody comes to it
    assert found["p50"] <= found["p95"] <= found["p99"]
    failed = {one["domain"]: one["failed"] for one in found["domains"]}
    assert failed == {"hugo.example": 2, "gina.example": 0, "walt.example": 0}
    assert [one["address"] for one in found["authors"]] == [of("anna")]
    assert [(one["rule"], one["kind"]) for one in found["rules"]] == [
        ("nonmember-moderation", "held")
    ]
    assert (found["days"][-1]["members"], found["days"][-1]["posts"]) == (10, 2)
    said = told["stats in words"].out
    assert "0 → 10: 12 joined, 2 gone" in said
    assert max(map(len, said.splitlines())) <= 100


def test_what_somebody_did_and_was_sent_is_told_in_order(told: dict[str, Result]) -> None:
    """Joined, got posts, and one came back; who left was sent nothing afterwards."""
    events = told["activity"].json["events"]
    assert [one["kind"] for one in events] == ["membership", "sent", "bounce", "sent"]
    assert [one["time"] for one in events] == sorted(one["time"] for one in events)
    lines = told["activity of carl"].out.splitlines()
    assert [("joined" in line, "moved" in line) for line in lines[1:]] == [
        (True, False),
        (False, True),
    ]


def test_every_ready_question_of_the_guide_is_answered(told: dict[str, Result]) -> None:
    """Whoever copies SQL out of the guide for analysts gets rows, within a hundred columns."""
    answer = told["ready"]
    assert (answer.code, answer.err) == (0, "")
    answers = answer.out.split("\n\n")
    questions = ANALYSTS.fences("sql")[0].count(";")
    assert len(answers) == questions
    assert sum("no rows" not in one for one in answers) >= questions - 1
    assert max(map(len, answer.out.splitlines())) <= 100


def test_programs_and_the_notebook_for_analysts_run(
    asked_town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They read the copy of the demo, or any other; who has matplotlib tries the rest."""
    copies = asked_town.maildir.parent / "state" / "analytics"
    monkeypatch.setenv("POSTROAD_COPY", str(copies / "postroad.duckdb"))
    program = ANALYSTS.fences("python")[0].replace("demo/state/analytics", str(copies))
    cells = json.loads((DOCS / "examples" / "analytics.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    known: dict[str, Any] = {}
    for block in (program, *(cell for cell in code if "matplotlib" not in cell)):
        exec(block, known)
    assert "accepted" in capsys.readouterr().out
    assert known["arrived"].fetchall()[-1][1] <= 100
    known["db"].close()
