"""Mail in the names of people who wrote none: they hear nothing of it, but for a question whether
to join, which must go to whoever asks for it, and a handful of answers."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import pytest

from schemas.commands import Subscribe
from tests.e2e.instances import Instance, instances, quiet
from tests.e2e.system import mail
from tests.peers.sink import Sink

A = "a.example"
OWNER, MEMBER, VICTIM = "owner@people.example", "anna@people.example", "v0@victims.example"
OURS = {"authserv_id": '"mx.a.example"'}
LISTS = {"held": "hold", "rejecting": "reject", "discarding": "discard", "ours": "hold"}
WORDS = ("help", "which", "confirm", "unsubscribe", "Win $$$", "set delivery off", "")
NONE = "Authentication-Results: mx.a.example; dkim=none\r\n"
FORGED = (  # no proof of the domain of From by the server that is believed
    "",
    "Authentication-Results: mx.evil.example; dkim=pass header.d=victims.example\r\n",
    "Authentication-Results: mx.a.example; spf=pass; dkim=pass header.d=evil.example\r\n",
    NONE + "Authentication-Results: mx.a.example; dkim=pass header.d=victims.example\r\n",
)
MAILS = 1000 if os.environ.get("POSTROAD_CHAOS") == "all" else 180
CONNECTIONS = 8
PER_CONNECTION = 10  # a stranger is shown out after 20 errors
QUESTIONS, ANSWERS = 3, 3  # a day, to one address
STRANGERS = 10  # a day, answers of one list to all of one domain who may be forged


def token() -> str:
    """What looks like a token."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(26))


def targets() -> tuple[str, ...]:
    """Every kind of address; another token each time."""
    names = (
        *(name for name in LISTS),
        *("closed", "nothing", "nothing-request", "ours-owner", "ours-request", "ours-leave"),
        *(f"ours-{sub}+{token()}" for sub in ("confirm", "leave", "bounces")),
    )
    return tuple(f"{name}@{A}" for name in names)


def forge(number: int, to: str, author: str) -> bytes:
    """A mail in the name of `author`."""
    subject = f"Subject: {WORDS[number % len(WORDS)]}\r\n".encode()
    post = mail(number, to=to, author=author).replace(
        f"Subject: post {number}\r\n".encode(), subject
    )
    return FORGED[number % len(FORGED)].encode() + post


async def flood(here: Instance, mails: Sequence[tuple[str, str, bytes]]) -> Counter[str]:
    """Deliver (sender, recipient, bytes) by several connections; how often each code was the
    answer."""
    codes: Counter[str] = Counter()

    async def some(part: Sequence[tuple[str, str, bytes]]) -> None:
        for start in range(0, len(part), PER_CONNECTION):
            async with here.door.client() as client:
                for sender, to, data in part[start : start + PER_CONNECTION]:
                    reply = await client.send(data, [to], sender)
                    codes[reply[:3]] += 1
                    if reply[0] != "2":
                        await client.ask("RSET")

    await asyncio.gather(*(some(mails[start::CONNECTIONS]) for start in range(CONNECTIONS)))
    await quiet(here)
    return codes


async def staff(here: Instance) -> None:
    """Lists that do this and that with strangers; a member, and an owner of one."""
    for name, action in (*LISTS.items(), ("closed", "hold")):
        await here.road.make_list(f"{name}@{A}", [MEMBER], default_nonmember_action=action)
    await here.road.cli("list", "close", f"closed@{A}")
    await here.road.ask("subscribe", Subscribe(list=f"ours@{A}", address=OWNER, role="owner"))


def got(sink: Sink) -> Counter[str]:
    """How many mails each person got."""
    return Counter(to for record in sink.records() for to in record.recipients)


@pytest.mark.chaos
@pytest.mark.parametrize(("kind", "verdict"), [("lmtp", "later"), ("smtp", "dialogue")])
async def test_a_thousand_strangers(tmp_path: Path, kind: str, verdict: str) -> None:
    """1,000 mails (180 but in `make chaos`), each in the name of another stranger, to every kind of
    address: nothing is posted, posts are answered to nobody, commands to ten people in all. What
    cannot be delivered is refused in the dialogue."""
    more = {**(OURS if kind == "lmtp" else {}), "verdict": f'"{verdict}"'}
    async with instances(tmp_path, A, kind=kind, more=more) as (sink, (here,)):
        await staff(here)
        mails: list[tuple[str, str, bytes]] = []
        while len(mails) < MAILS:
            for to in targets():
                author = f"v{len(mails)}@victims.example"
                mails.append((author, to, forge(len(mails), to, author)))
        codes = await flood(here, mails[:MAILS])
        assert codes["250"] > 0.6 * MAILS
        people = got(sink)
        to_owner = people.pop(OWNER)
        assert to_owner <= len(mails) / len(targets()) + 2  # what was written to them, and notices
        assert len(people) <= STRANGERS
        assert set(people.values()) == {1}
        commands = {f"v{n}@victims.example" for n, (_, to, _) in enumerate(mails) if "-" in to}
        assert set(people) <= commands
        assert await here.decided("post") == []


@pytest.mark.parametrize(
    ("author", "more"), [(VICTIM, OURS), (MEMBER, {})], ids=("stranger", "member")
)
async def test_one_victim(tmp_path: Path, author: str, more: dict[str, str]) -> None:
    """A hundred requests in one name: one question of a list in a day, three in all, and three
    answers. It neither puts anybody onto a list nor takes anybody off."""
    async with instances(tmp_path, A, more=more) as (sink, (here,)):
        await staff(here)
        to = [*(f"{name}-join@{A}" for name in LISTS), *targets()[-4:], f"ours-request@{A}"]
        mails = [
            (author, where, forge(n, where, author)) for n, where in zip(range(100), cycle(to))
        ]
        await flood(here, mails)
        subjects = Counter(
            line.removeprefix("Subject: ").split(":")[0]
            for record in sink.records()
            if author in record.recipients
            for line in record.headers.split("\r\n")
            if line.startswith("Subject: ")
        )
        questions = subjects.pop("Please confirm")
        assert 1 <= questions <= QUESTIONS
        assert sum(subjects.values()) <= ANSWERS
        assert set(got(sink)) <= {author, OWNER}
        members = await here.road.cli("member", "ls", f"ours@{A}", "--json")
        assert [each["address"] for each in members.json] == [MEMBER]


async def test_a_member_is_forged(tmp_path: Path) -> None:
    """Where the owner wants to see what the mail server says is forged, it waits, whatever else it
    carries; what the server proves, or says nothing of, is posted, and only that is ever sent."""
    fails = b"Authentication-Results: mx.a.example; dkim=none; dmarc=fail\r\n"
    passes = fails.replace(b"dmarc=fail", b"dmarc=pass header.from=people.example")
    evil = passes.replace(b"mx.a.", b"mx.evil.")
    fold = fails.replace(b"; dmarc", b";\r\n\tdmarc")
    heads = {"fails": fails, "forged": fails + passes, "evil": fails + evil, "folded": fold}
    fine = {"passes": passes, "evil below": passes + evil.replace(b"pass", b"fail"), "silent": b""}
    async with instances(tmp_path, A, more=OURS) as (sink, (here,)):
        await here.road.make_list(
            f"team@{A}",
            [MEMBER],
            header_matches=r"hold Authentication-Results: ^mx\.a\.example;.*dmarc=fail",
        )
        for name, head in {**heads, **fine}.items():
            data = head + mail(name.replace(" ", "-"), to=f"team@{A}", author=MEMBER)
            await here.post(data, [f"team@{A}"], MEMBER)
        await quiet(here)
        assert await here.stopped() == [("held", "header-match")] * len(heads)
        assert got(sink) == {MEMBER: len(fine)}
