"""Lists that are members of each other: a post goes round once, and that ends it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.e2e.instances import Instance, instances, quiet
from tests.e2e.system import mail as mail_of_then
from tests.peers.sink import Record, Sink

A, B, C = "a.example", "b.example", "c.example"
LOOP = ("discarded", "loop")
KINDS: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "feet": {"footer": "You read $listname."},
    "secret": {"anonymous_list": "true"},
    "bare": {"include_rfc2369_headers": "false", "sub_address": "none"},
}


def mail(number: int | str, to: str) -> bytes:
    """A post of now: each system that it comes to writes its own time above."""
    then = b"Fri, 20 Nov 2026 12:00:00 +0000"
    return mail_of_then(number, to=to).replace(then, format_datetime(datetime.now(UTC)).encode())


def copies(sink: Sink) -> Counter[str]:
    """How many mails each person got."""
    return Counter(to for record in sink.records() for to in record.recipients)


def expected(*names: str, domains: Sequence[str]) -> Counter[str]:
    """Who gets a post to lists of these names, how often."""
    readers = Counter(f"{name}@{domain}.net" for name in names for domain in domains)
    return readers + Counter(f"{name}@everywhere.net" for name in names for _ in domains)


async def make(here: Instance, name: str, *others: str, **settings: str) -> None:
    """A list with a reader of its own, one who is on all of that name, and other lists."""
    readers = [f"{name}@{here.domain}.net", f"{name}@everywhere.net"]
    nested = [f"{name}@{other}" for other in others]
    await here.road.make_list(f"{name}@{here.domain}", readers + nested, **settings)


async def test_two_lists(tmp_path: Path) -> None:
    """Each strips the other's List-Id. A post to either, or to both, is read once on each list,
    whatever these do to it; it comes back once, and what ends it is a recorded decision."""
    async with instances(tmp_path, A, B) as (sink, (a, b)):
        for name, settings in KINDS.items():
            await make(a, name, B, **settings)
            await make(b, name, A, **settings)
            await a.post(mail(name, to=f"{name}@{A}"), [f"{name}@{A}"])
        await quiet(a, b)
        assert copies(sink) == expected(*KINDS, domains=(A, B))
        assert await a.stopped() == [LOOP] * len(KINDS)
        assert await b.stopped() == []
        kinds = [
            name for name in KINDS if name != "secret"
        ]  # nobody shall know that it is the same
        for name in kinds:
            both = mail(f"both-{name}", to=f"{name}@{A}, {name}@{B}")
            await a.post(both, [f"{name}@{A}"])
            await b.post(both, [f"{name}@{B}"])
        await quiet(a, b)
        twice = expected(*KINDS, domains=(A, B)) + expected(*kinds, domains=(A, B))
        assert copies(sink) == twice


async def test_three_lists(tmp_path: Path) -> None:
    """In a ring, where each sends as itself, a post comes back once. Where each is on both others
    it comes to each by two ways, under two names and with other lines below: that is one post."""
    names, ours = ("ring", "knot", "feet"), {"from": '"own_domain"'}
    async with instances(tmp_path, A, B, C, relay=ours) as (sink, (a, b, c)):
        for here, following, last in ((a, B, C), (b, C, A), (c, A, B)):
            await make(here, "ring", following)
            await make(here, "knot", following, last)
            await make(here, "feet", following, last, **KINDS["feet"])
        for name in names:
            await a.post(mail(name, to=f"{name}@{A}"), [f"{name}@{A}"])
        await quiet(a, b, c)
        assert copies(sink) == expected(*names, domains=(A, B, C))
        stopped = [rule for each in (a, b, c) for _, rule in await each.stopped()]
        assert set(stopped) == {"loop", "duplicate"}


Gateway = Callable[[bytes, int], bytes]


def aliases(data: bytes, _: int) -> bytes:
    """A mail server that only forwards."""
    return data


def drops_marks(data: bytes, _: int) -> bytes:
    """A list manager that takes off what lists write, and puts its own line below."""
    return (
        without(data, rb"List-[\w-]+|X-BeenThere|Precedence|Archived-At|Message-ID-Hash") + b"!\r\n"
    )


def drops_all(data: bytes, number: int) -> bytes:
    """One that keeps nothing but Received, and gives everything else anew."""
    data = without(data, rb"List-[\w-]+|X-[\w-]+|Precedence|Archived-At|Message-ID|Message-ID-Hash")
    return f"Message-ID: <{number}@far.example>\r\n".encode() + data + b"!\r\n"


def without(data: bytes, names: bytes) -> bytes:
    """A mail without these fields."""
    head, _, body = data.partition(b"\r\n\r\n")
    kept = re.sub(rb"(?im)^(?:" + names + rb"):.*\r\n(?:[ \t].*\r\n)*", b"", head + b"\r\n")
    return kept + b"\r\n" + body


RECEIVED = b"Received: from far by mx; Fri, 20 Nov 2026 12:00:00 +0000\r\n" * 2


@pytest.mark.parametrize(
    ("gateway", "rounds", "end"),
    [
        (aliases, 1, LOOP),
        (drops_marks, 1, ("discarded", "duplicate")),
        (drops_all, 10, ("held", "max-hops")),
    ],
)
async def test_a_list_that_is_a_member_of_itself(
    tmp_path: Path, gateway: Gateway, rounds: int, end: tuple[str, str]
) -> None:
    """By an alias that somebody else's server forwards to it, also behind software that hides
    where mail has been: then servers counted on its way are what ends it."""
    team, alias, anna = f"team@{A}", "everybody@far.example", "anna@a.example.net"

    def back(record: Record) -> bool:
        return alias in record.recipients

    async with instances(tmp_path, A) as (sink, (a,)):
        await a.road.make_list(team, [anna, alias])
        await a.post(mail(1, to=team), [team])
        carried = 0
        await quiet(a)
        while fresh := [record for record in sink.records() if back(record)][carried:]:
            for record in fresh:
                carried += 1
                data = gateway(await asyncio.to_thread(Path(record.file).read_bytes), carried)
                await a.post(RECEIVED + data, [team], sender=record.sender)
            await quiet(a)
            assert carried < 40
        assert (await a.stopped())[-1] == end
        assert copies(sink)[anna] == rounds
