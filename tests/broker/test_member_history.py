"""The history of a member, asked of the real service."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id, now
from schemas.commands import ChangeMember, MemberHistory, PastPage, Unsubscribe
from services.membership.people import People
from tests.broker.membership import LIST, many, membership
from tests.broker.requests import ANNA, Post, settings


async def test_a_history_says_when_what_by_whom_and_why(broker: Broker, tmp_path: Path) -> None:
    """What a member did by mail and what an operator did are told with who did it; old and new
    options are spelled out."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        _, (question,) = await post.ask("join")
        joined, _ = await post.ask("confirm", token=question.token)
        await service.ask(
            ChangeMember(list=LIST, address=ANNA, delivery_status="by_moderator", by="carol")
        )
        left = Unsubscribe(list=LIST, address=ANNA, by="a b", reason=" moved\n abroad ")
        named = await service.ask(replace(left, reason=f"see {ANNA}"))
        assert (named.code, "kept for ever" in named.refused) == ("bad_request", True)
        await service.ask(left)
        answer = await service.ask(MemberHistory(list=LIST, address=ANNA.upper()))
        rest = await service.ask(MemberHistory(list=LIST, address=ANNA, after=1))
    assert rest.history == answer.history[1:]
    first, second, third = answer.history
    assert not answer.erased
    assert (first.what, first.by, first.how) == ("joined", "themselves", "mail, confirmed")
    assert first.command == joined.mail_id
    assert second.changes == (("delivery_status", "enabled", "by_moderator"),)
    assert (second.by, second.actor) == ("carol at the command line", "operator:carol")
    assert (third.what, third.by) == ("left", "the command line")  # `a b` is no login name
    assert third.reason == "moved abroad"


async def test_of_the_erased_a_history_says_no_more_than_that(
    broker: Broker, tmp_path: Path
) -> None:
    """After an erasure the events stand, are of nobody, and the erasure is told last; who joins
    again is somebody new, with a history of their own."""
    config = settings(tmp_path)
    people = People(broker, config.site_key())
    async with membership(broker, config) as service:
        await service.create()
        await service.add(ANNA)
        await service.ask(Unsubscribe(list=LIST, address=ANNA))
        await people.erase(people.key(ANNA), correlation=new_id(), actor="operator")
        ask = MemberHistory(list=LIST, address=ANNA)
        erased = await service.ask(ask)
        assert erased.erased
        assert [row.what for row in erased.history] == ["joined", "left", "erased"]
        assert ANNA not in repr(erased)
        await service.add(ANNA)
        assert [row.what for row in (await service.ask(ask)).history] == ["joined"]


async def test_who_was_never_there_has_no_history(broker: Broker, tmp_path: Path) -> None:
    """A stranger, and a member of another list, are refused in the same words."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.create("other@lists.example.org")
        await service.add(ANNA)
        for list_, address in ((LIST, "no@example.net"), ("other@lists.example.org", ANNA)):
            answer = await service.ask(MemberHistory(list=list_, address=address))
            assert answer.refused == f"{address} was never on the list {list_}"


async def test_the_past_comes_in_pages_of_what_an_answer_holds(
    broker: Broker, tmp_path: Path
) -> None:
    """Every page names one sequence, the first the number of all; what came after the moment is
    in none of them, and who was erased since is there without address."""
    config = settings(tmp_path)
    async with membership(broker, config) as service:
        await service.create()
        await service.import_(many(0, 5))
        people = People(broker, config.site_key())
        await people.erase(people.key("member3@d3.example"), correlation=new_id(), actor="operator")
        first = await service.ask(PastPage(list=LIST, at=now().isoformat(), limit=2))
        await service.import_(many(5, 7))
        found = list(first.past)
        ask = PastPage(list=LIST, as_of=first.as_of.membership, limit=2)
        while rows := (await service.ask(replace(ask, after=found[-1].person))).past:
            found += rows
    addresses = sorted(one.row.address for one in found)
    assert first.total == len(found) == 5
    assert addresses == ["", *(f"member{n}@d{n}.example" for n in (0, 1, 2, 4))]


async def test_a_moment_is_a_time_that_has_been(broker: Broker, tmp_path: Path) -> None:
    """A time to come, one without offset and what is none are refused."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        for at in ("2999-01-01T00:00Z", "2026-10-01T12:00", "soon", ""):
            assert (await service.ask(PastPage(list=LIST, at=at))).code == "bad_request"
