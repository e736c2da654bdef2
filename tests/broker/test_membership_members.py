"""Members over NATS: they come, change and go, and every answer is true when it arrives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.errors import Retry
from schemas.commands import ChangeMember, RosterPage, Subscribe, Unsubscribe
from schemas.mass import ImportRow
from services.membership import roster
from services.membership.people import People
from tests.broker.membership import LIST, SLUG, Membership, many, membership, settings


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """A running membership service with one empty list."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create()
        yield running


async def addresses(service: Membership, role: str = "member") -> list[str]:
    """Who is on the list, as `member ls` says."""
    answer = await service.ask(RosterPage(list=LIST, role=role))  # type: ignore[arg-type]
    return [row.address for row in answer.rows]


async def test_an_answer_is_true_when_it_arrives(service: Membership) -> None:
    """Whoever was answered sees the change at once, in the roster and in who is who."""
    await service.add("Ann.Smith@Example.org", display_name="Ann Smith")
    answer = await service.ask(RosterPage(list=LIST))
    (row,) = answer.rows
    assert (row.address, row.display_name, row.delivery_mode, row.delivery_status) == (
        "Ann.Smith@example.org",
        "Ann Smith",
        "regular",
        "enabled",
    )
    assert row.since.endswith("Z")
    author = await service.whois("ann.smith@example.org")
    assert author.roles == ("member",)
    assert author.as_of.membership >= 1
    await service.ask(Unsubscribe(list=LIST, address="ann.smith@EXAMPLE.org"))
    assert (await service.whois("ann.smith@example.org")).roles == ()
    assert await addresses(service) == []


async def test_a_nonmember_is_a_stranger_with_a_moderation(service: Membership) -> None:
    """They have no role before the rules, get no mail, and can be listed; once they join nothing of
    it is left."""
    eve = "eve@example.org"
    known = Subscribe(list=LIST, address=eve, role="nonmember")
    assert [(await service.ask(known)).changed for _ in "ab"] == [1, 0]
    await service.ask(ChangeMember(list=LIST, address=eve, moderation_action="discard"))
    author = await service.whois(eve)
    assert (bool(author.person), author.roles, author.moderation) == (True, (), "discard")
    assert (await addresses(service), await addresses(service, "nonmember")) == ([], [eve])
    await service.add(eve)
    author = await service.whois(eve)
    assert (author.roles, author.moderation) == (("member",), "")
    assert (await addresses(service), await addresses(service, "nonmember")) == ([eve], [])
    assert (await service.ask(known)).code == "bad_request"


async def test_a_stranger_is_nobody(service: Membership) -> None:
    """An unknown author has no person and no role; once added they are known, not before."""
    assert (await service.whois("new@example.org")).person == ""
    await service.add("new@example.org", role="owner")
    author = await service.whois("new@example.org")
    assert (len(author.person), author.roles) == (24, ("owner",))
    assert await addresses(service) == []
    assert await addresses(service, "owner") == ["new@example.org"]


async def test_the_same_command_again_changes_nothing(service: Membership, broker: Broker) -> None:
    """Repeated, a command stores nothing and says that nothing changed."""
    commands = [
        Subscribe(list=LIST, address="ann@example.org"),
        ChangeMember(list=LIST, address="ann@example.org", moderation_action="accept"),
        Unsubscribe(list=LIST, address="ann@example.org"),
    ]
    for command in commands:
        assert (await service.ask(command)).changed == 1
        assert (await service.ask(command)).changed == 0
    stored = [message async for message in broker.scan("MEMBERSHIP", "membership.>")]
    assert len(stored) == 3


async def test_who_joins_twice_at_once_joins_once(service: Membership, broker: Broker) -> None:
    """However many add the same address at once, there is one person and one subscription."""
    requests = [service.ask(Subscribe(list=LIST, address="ann@example.org")) for _ in range(10)]
    answers = await asyncio.gather(*requests)
    assert sorted(answer.changed for answer in answers) == [0] * 9 + [1]
    assert len([m async for m in broker.scan("PEOPLE", "people.>")]) == 1


async def test_options_are_seen_by_who_asks(service: Membership) -> None:
    """A member's moderation and mode are what they were last set to."""
    await service.add("ann@example.org")
    await service.ask(
        ChangeMember(
            list=LIST, address="ann@example.org", moderation_action="hold", delivery_mode="none"
        )
    )
    assert (await service.whois("ann@example.org")).moderation == "hold"
    (row,) = (await service.ask(RosterPage(list=LIST))).rows
    assert (row.delivery_mode, row.moderation_action) == ("none", "hold")


async def test_an_import_leaves_bad_rows_out(service: Membership) -> None:
    """Valid rows are added, bad ones are named by line, twice the same counts once."""
    rows = [
        ImportRow(line=2, address="ann@example.org", display_name="Ann"),
        ImportRow(line=3, address="bob@"),
        ImportRow(line=4, address="ANN@example.org"),
        ImportRow(line=5, address="cid@example.org", delivery_mode="none"),
    ]
    answer = await service.import_(rows)
    assert answer.changed == 2
    ((line, reason),) = answer.bad_rows
    assert (line, "'bob@' is no mail address" in reason) == (3, True)
    assert await addresses(service) == ["ann@example.org", "cid@example.org"]


async def test_an_import_again_adds_only_what_is_new(service: Membership, broker: Broker) -> None:
    """Imported again, everybody stays as they are, who left stays away; people known from
    elsewhere (or from an import that was killed half way) keep their person."""
    people = People(broker, service.context.config.site_key())
    known = await people.obtain("member7@d0.example", "", evidence="", correlation=new_id())
    assert (await service.import_(many(0, 50))).changed == 50
    assert (await service.whois("member7@d0.example")).person == known.id
    await service.ask(Unsubscribe(list=LIST, address="member3@d3.example"))
    change = ChangeMember(list=LIST, address="member4@d4.example", delivery_mode="none")
    await service.ask(change)
    assert (await service.import_(many(0, 60))).changed == 10
    assert (await service.import_(many(0, 60))).changed == 0
    assert (await service.ask(change)).changed == 0


async def test_imports_at_once_agree(service: Membership, broker: Broker) -> None:
    """Two imports of the same people at once make each of them one person, subscribed once."""
    answers = await asyncio.gather(*(service.import_(many(0, 300)) for _ in range(3)))
    assert [answer.refused for answer in answers] == [""] * 3
    assert len([m async for m in broker.scan("PEOPLE", "people.>")]) == 300
    assert len([m async for m in broker.scan("MEMBERSHIP", "membership.>")]) == 300


async def test_no_more_than_a_thousand_rows(service: Membership) -> None:
    """More rows than one atomic batch holds are refused, and nothing is stored."""
    answer = await service.import_(many(0, 1001))
    assert answer.code == "bad_request"
    assert await addresses(service) == []


async def test_a_roster_is_read_in_pages(service: Membership) -> None:
    """Page after page, every member stands in one of them, in order of address."""
    await service.import_(many(0, 250))
    pages: list[str] = []
    while rows := (
        await service.ask(RosterPage(list=LIST, after=pages[-1] if pages else "", limit=100))
    ).rows:
        pages += [row.address for row in rows]
    assert pages == sorted(row.address for row in many(0, 250))


async def test_a_large_list_answers_the_same(
    service: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list too large to be kept in memory answers as a small one does."""
    monkeypatch.setattr(roster, "SMALL", 10)
    await service.import_(many(0, 40))
    assert (await service.whois("member7@d0.example")).roles == ("member",)
    assert (await service.whois("other@d0.example")).roles == ()
    await service.ask(Unsubscribe(list=LIST, address="member7@d0.example"))
    assert (await service.whois("member7@d0.example")).roles == ()


async def test_a_restart_knows_what_was_known(
    service: Membership, broker: Broker, tmp_path: Path
) -> None:
    """Another instance, from its own empty file or from one that exists, knows every member; each
    instance on a host has a file of its own."""
    await service.import_(many(0, 30))
    for _ in range(2):
        async with membership(broker, settings(tmp_path)) as second:
            assert (tmp_path / "roster-2.duckdb").exists()
            lists = second.context.health.answer().facts
            assert lists[0].facts["position"]["MEMBERSHIP"] == 30
        await service.import_(many(0, 30))
    assert (await service.whois("member29@d1.example", SLUG)).roles == ("member",)


async def test_the_broker_may_die(
    service: Membership, broker: Broker, server: EmbeddedBroker
) -> None:
    """After the broker was killed and is back, commands are answered and what they change is
    folded, by the same instance."""
    await service.add("ann@example.org")
    assert server.process is not None
    server.process.kill()
    await server.process.wait()
    await server.start()
    asked = Subscribe(list=LIST, address="bob@example.org")
    async with asyncio.timeout(60):
        while True:  # until both connections are back
            with contextlib.suppress(Retry):
                answer = await service.ask(asked)
                if not answer.refused:
                    break
    assert await addresses(service) == ["ann@example.org", "bob@example.org"]
