"""What the projections tell of a busy life, against what the relay's records say.

The corpora go to one list, posts to two large ones while people come and go, some of them at a
domain that refuses, or asks to come back later. Then everything is counted twice: with SQL, and
from the sink's files. A sample here, and 100,000 copies with `make chaos`.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import msgspec
import pytest

from schemas import subjects
from schemas.commands import Subscribe, Unsubscribe
from schemas.people import PersonKnown
from schemas.questions import Refreshed
from tests.e2e.system import ROAD, World, mail, world
from tests.e2e.test_corpora_down_the_road import MEMBERS, corpus_files
from tests.peers.records import Record
from tests.peers.sink import Rule, Script

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"
SIZE, POSTS, EVERY = (10_000, 5, 1) if FULL else (60, 3, 40)
SCRIPT = Script(
    rules=(
        Rule(at="rcpt", match="@gone\\.example$", reply="550 5.1.1 nobody here"),
        Rule(at="rcpt", match="@later\\.example$", reply="451 4.7.1 come back later"),
    )
)
LISTS = {"big@example.org": "individual", "shared@example.org": "none"}


def domain(number: int) -> str:
    """Where somebody lives: of 20, one is where nobody is, one where copies have to wait."""
    return {3: "gone.example", 7: "later.example"}.get(number % 20, f"d{number % 9}.example")


@dataclass
class Books:
    """What was posted to whom, as the test knows it: audiences by list and Message-ID."""

    here: World
    people: dict[str, list[str]] = field(default_factory=dict)
    audiences: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    mails: int = 0

    async def post(self, number: int, to: str) -> None:
        """Post, and wait until all that can be sent has been."""
        self.here.post(mail(number, to, author="anna@example.net"))
        self.mails += 1
        self.audiences[to, f"{number}@posts"] = frozenset(self.people[to])
        await self.here.road.settled(self.mails, 300)

    async def come_and_go(self, number: int, to: str) -> None:
        """One leaves, and one who was never there before comes."""
        gone, new = self.people[to].pop(number), f"new{number}@d1.example"
        await self.here.road.ask("unsubscribe", Unsubscribe(list=to, address=gone))
        await self.here.road.ask("subscribe", Subscribe(list=to, address=new))
        self.people[to].append(new)


async def everybody(here: World) -> Mapping[str, str]:
    """Addresses by person."""
    return {
        event.person: event.address
        async for stored in here.road.broker.scan("PEOPLE", "people.>")
        for event in stored.envelope().events
        if isinstance(event, PersonKnown)
    }


def taken(records: Sequence[Record]) -> dict[tuple[str, str], Counter[str]]:
    """Whose copies the relay took, by List-Id and mail."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for record in records:
        found[record.list_id, record.trace].update(record.recipients)
    return found


@pytest.mark.timeout(900)
async def test_every_count_is_that_of_the_relays_own_books(tmp_path: Path, corpora: Path) -> None:
    """Of each post SQL names those who got it, were refused, wait, or were not on the list, just as
    the relay's records and the test's own list of members do; folded anew, nothing differs."""
    source = {"recipient_headers": '["Delivered-To"]', "max_size": '"50MB"'}
    services = (*ROAD, "projector")
    async with world(tmp_path, script=SCRIPT, source=source, services=services) as here:
        books = Books(here)
        await here.road.make_list("team@example.org", MEMBERS)
        for path in corpus_files(corpora)[::EVERY]:
            here.post(b"Delivered-To: team@example.org\r\n" + path.read_bytes())
            books.mails += 1
        for to, personalize in LISTS.items():
            books.people[to] = [f"m{number}@{domain(number)}" for number in range(SIZE)]
            await here.road.make_list(to, books.people[to], personalize=personalize)
        for number in range(POSTS):
            for place, to in enumerate(LISTS):
                await books.post(number * 10 + place, to)
                await books.come_and_go(number, to)
        await _settled(here, books)
        await _agree(here, books)
        await _explained(here, books)
        await _again(here)


async def _settled(here: World, books: Books) -> None:
    """Until all is sent but what waits at the domain that puts off."""
    copies = sum(
        sum(not each.endswith(("@gone.example", "@later.example")) for each in audience)
        for audience in books.audiences.values()
    )
    await here.sink.wait_for(copies, 300)
    await here.road.settled(books.mails, 300)


async def _copy(here: World) -> duckdb.DuckDBPyConnection:
    """What analysts open, as of now."""
    answer = await here.road.broker.request(subjects.projector("refresh"), b"", timeout=120)
    told = msgspec.json.decode(answer, type=Refreshed)
    assert not told.refused, told.refused
    file = here.road.home / "state" / "analytics" / "postroad.duckdb"
    return duckdb.connect(str(file), read_only=True)


async def _agree(here: World, books: Books) -> None:
    """Hold every post's counts and people against the sink's records."""
    records = taken(here.sink.records())
    person = {address: person for person, address in (await everybody(here)).items()}
    with await _copy(here) as sql:
        posts = sql.sql("""
            select l.address, p.mail, p.message_id, p.audience, p.accepted, p.failed, p.deferred,
                p.departed, p.waiting, p.doubtful, p.list
            from posts p join lists l using (list)
        """).fetchall()
        assert {(row[0].replace("@", "."), row[1]) for row in posts if row[4]} == set(records)
        for address, mail_id, message_id, audience, accepted, *counts, slug in posts:
            copies = records[address.replace("@", "."), mail_id]
            assert max(copies.values()) == 1
            wanted = books.audiences.get((address, message_id), frozenset(MEMBERS))
            gone = {each for each in wanted if each.endswith("@gone.example")}
            later = {each for each in wanted if each.endswith("@later.example")}
            assert (audience, accepted) == (len(wanted), len(copies)), message_id
            assert counts == [len(gone), len(later), 0, len(later), 0], message_id
            rows = sql.execute(
                """
                    select outcome, list(person) from recipients
                    where list = ? and mail = ? group by 1
                """,
                [slug, mail_id],
            ).fetchall()
            found = {outcome: sorted(people) for outcome, people in rows}
            expected = {"accepted": copies.keys(), "failed": gone, "deferred": later}
            assert found == {
                outcome: sorted(person[each] for each in people)
                for outcome, people in expected.items()
                if people
            }, message_id
        total = sum(copies.total() for copies in records.values())
        for view in ("delivery_by_day", "delivery_by_domain", "delivery_by_relay"):
            (told,) = sql.sql(f"select sum(accepted) from {view}").fetchall()
            assert told == (total,), view
        (told,) = sql.sql("select sum(copies) from time_to_deliver").fetchall()
        assert told == (total,)
        members = dict(
            sql.sql("""
            select l.address, count(*) from memberships m join lists l using (list)
            where m.role = 'member' and m.valid_to is null group by 1
        """).fetchall()
        )
        assert members == {
            "team@example.org": len(MEMBERS),
            **{to: len(each) for to, each in books.people.items()},
        }
    print(f"\n{books.mails} mails, {len(posts)} posts, {total:,} copies: SQL and the sink agree")


async def _explained(here: World, books: Books) -> None:
    """Of the last post to the large list, each kind of person is told the right outcome."""
    (to, message_id), audience = list(books.audiences.items())[-2]
    asked = {
        "delivered": next(each for each in sorted(audience) if "@d" in each),
        "failed": next(each for each in sorted(audience) if each.endswith("@gone.example")),
        "deferred": next(each for each in sorted(audience) if each.endswith("@later.example")),
        "left_before": f"m0@{domain(0)}",
        "joined_later": books.people[to][-1],
    }
    for outcome, address in asked.items():
        told = await here.road.cli("explain", message_id, address, "--json")
        assert told.json["outcome"] == outcome, (outcome, told.out)
    told = await here.road.cli("post", "recipients", message_id, "--json")
    assert len(told.json) == len(audience)


async def _again(here: World) -> None:
    """Fold all of it anew, beside: nothing differs."""
    told = await here.road.cli("verify", "--json")
    assert told.code == 0, told.out + told.err
