"""Failed copies are queued once more, however often and by however many that is asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from schemas import codec, subjects
from schemas.commands import ChangeMember, RetryFailed
from schemas.road import (
    ChunkQueued,
    Copy,
    Failure,
    Outcome,
    OwnerMailRouted,
    PostRouted,
    WindowRecorded,
)
from tests.broker.membership import LIST, SLUG, Membership, membership, raw, settings

MEMBERS = ("ada@one.example", "bob@two.example", "cleo@one.example")


async def failed(service: Membership, *, kind: type[PostRouted | OwnerMailRouted]) -> str:
    """A mail that reached nobody; its id. The test stands for router, fan-out and sender."""
    broker, mail_id = service.broker, new_id()
    people = tuple([(await service.whois(address)).person for address in MEMBERS])
    copy = Copy(
        raw=raw(mail_id),
        list=SLUG,
        list_address=LIST,
        bounces=("team-bounces+", "@lists.example.org"),
        post=7,
    )
    chunk = ChunkQueued(
        mail_id=mail_id,
        list=SLUG,
        chunk="0",
        first=40,
        people=people,
        addresses=MEMBERS,
        last=True,
        copy=copy,
    )
    failures = tuple(
        Failure(index=at, code=550, enhanced="5.1.1", kind="failed") for at in (0, 1, 2)
    )
    outcome = Outcome(start=0, end=3, failures=failures)
    entry = WindowRecorded(
        mail_id=mail_id, list=SLUG, chunk="0", people=people, outcome=outcome, finished=True
    )
    # a post is put where fan-out does not look for it: it is fanned out already
    where: subjects.Kind = "done" if kind is PostRouted else "owner"
    stored = {
        subjects.send("now", SLUG, mail_id, "0"): chunk,
        subjects.delivery(SLUG, mail_id, "0"): entry,
        subjects.routed(where, SLUG, mail_id): kind(mail_id=mail_id, list=SLUG, raw=raw(mail_id)),
    }
    for subject, event in stored.items():
        message = envelope([event], correlation=mail_id, actor="test")
        await broker.publish(subject, codec.encode(message))
    return mail_id


async def again(broker: Broker, mail_id: str) -> list[ChunkQueued]:
    """The chunks that try the failed once more."""
    return [
        event
        async for stored in broker.scan("SEND", f"mail.send.bulk.{SLUG}.{mail_id}.*")
        for event in stored.envelope().events
        if isinstance(event, ChunkQueued)
    ]


async def test_two_operators_at_once_queue_everybody_once(broker: Broker, tmp_path: Path) -> None:
    """One of them is told so, or finds nothing left; the numbers of the first copies are kept."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(*MEMBERS)
        mail_id = await failed(service, kind=PostRouted)
        told = (await service.ask(RetryFailed(mail_id=mail_id))).failed[0]
        assert (told.failed, told.ready, told.queued) == (3, 3, 0)
        assert told.reasons == (("the mailbox does not exist", 3),)
        go = RetryFailed(mail_id=mail_id, go=True)
        answers = await asyncio.gather(*(service.ask(go) for _ in range(4)))
        assert all(answer.code in ("", "unavailable") for answer in answers)
        assert sum(each.queued for answer in answers for each in answer.failed) == 3
        (chunk,) = await again(broker, mail_id)
        assert chunk.chunk == "f1-0"
        assert dict(zip(chunk.addresses, chunk.numbers, strict=True)) == {
            address: 40 + at for at, address in enumerate(MEMBERS)
        }
        (left,) = (await service.ask(RetryFailed(mail_id=mail_id))).failed
        assert (left.waiting, left.ready) == (3, 0)


async def test_who_gets_no_mail_for_now_is_left_out(broker: Broker, tmp_path: Path) -> None:
    """As a new post would leave them out; so is everybody once the list is closed."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(*MEMBERS)
        mail_id = await failed(service, kind=PostRouted)
        pause = ChangeMember(list=LIST, address=MEMBERS[0], delivery_status="by_user")
        assert (await service.ask(pause)).changed
        (told,) = (await service.ask(RetryFailed(mail_id=mail_id, domain="One.Example"))).failed
        assert (told.ready, told.gone) == (1, 1)


async def test_mail_to_the_owners_goes_to_them_again(broker: Broker, tmp_path: Path) -> None:
    """Owners need not receive posts, nor be on the list at all."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(*MEMBERS, role="owner")
        mail_id = await failed(service, kind=OwnerMailRouted)
        answer = await service.ask(RetryFailed(mail_id=mail_id, go=True))
        assert answer.failed[0].queued == 3


async def test_a_mail_that_was_no_post_is_refused(broker: Broker, tmp_path: Path) -> None:
    """Nobody can have failed to get it."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        answer = await service.ask(RetryFailed(mail_id=new_id(), go=True))
        assert answer.code == "unknown_post"
