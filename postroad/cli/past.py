"""Who was on a list at an earlier moment, and to whom a post was fanned out.

Both in pages, in order of person: of a million members no more than a page is in memory.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import msgspec

from postroad.cli.ask import ask
from postroad.cli.frame import Call
from postroad.cli.mails import mail_id
from postroad.cli.memberrows import LeftOut, print_many
from postroad.cli.output import complain, counted
from postroad.cli.progress import progress
from postroad.cli.road import road
from postroad.cli.times import time_of
from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError
from postroad.runtime.stored import Stored
from schemas import subjects
from schemas.commands import PastPage, PastRow, RosterRow, ShowList
from schemas.membership import Role
from schemas.road import ChunkQueued, FanoutDone, PostRouted
from services.membership.actors import ERASED

Reached = Callable[[int, int], None]  # how many of how many


class Post(msgspec.Struct, frozen=True):
    """A post at one list. Its copies are `queued` unless nothing is stored of them any more;
    `done` when all are."""

    routed: PostRouted
    done: bool
    stored: bool


class Member(msgspec.Struct, frozen=True):
    """A member as a post was routed. `why` says why no copy was queued for them, empty where
    one was."""

    row: RosterRow
    why: str = ""


async def show_at(call: Call, list_: str, role: Role, text: str) -> None:
    """Print who had a role at the time that somebody typed."""
    time, said = time_of(text)
    if not said:
        complain(f"--at {text} is taken for {time.isoformat()}, the time of this machine's zone")
    async with road(call.config) as broker:
        with progress("reading") as reached:
            await print_many(at(broker, list_, role, time, reached), json=call.json)


async def show_post(call: Call, list_: str, text: str, *, left_out: bool) -> None:
    """Print the members to whom a post was fanned out, or the others."""
    async with road(call.config) as broker:
        row = (await ask(broker, "list_show", ShowList(list=list_))).lists[0]
        found = await post(broker, row.slug, await mail_id(broker, text))
        counts = Counter[bool]()

        async def rows(reached: Reached) -> AsyncIterator[RosterRow | LeftOut]:
            async for member in of_post(broker, row.slug, found, reached):
                counts[bool(member.why)] += 1
                if bool(member.why) == left_out:
                    yield LeftOut(member.row.address, member.why) if left_out else member.row

        with progress("reading") as reached:
            await print_many(rows(reached), json=call.json)
    if not found.done:
        complain("its copies are not all queued yet")
    elif not found.stored:
        complain("its copies are stored no more: whoever received posts as it was routed is told")
    if counts[True] and not left_out:
        complain(f"{counted(counts[True], 'member')} got no copy; --left-out says who, and why")


async def at(
    broker: Broker, list_: str, role: Role, time: datetime, reached: Reached
) -> AsyncIterator[RosterRow]:
    """Who had a role at this time."""
    first = PastPage(list=list_, role=role, at=time.isoformat())
    async for found in _pages(broker, first, reached):
        yield _named(found.row)


async def of_post(
    broker: Broker, list_: str, post: Post, reached: Reached
) -> AsyncIterator[Member]:
    """Every member at the sequence that the post was routed at, and who was left out, and why."""
    as_of = post.routed.as_of.membership
    queued, missed = _queued(broker, post.routed), await _missed(broker, post.routed)
    batch: set[str] = set()
    last: str | None = ""
    async for found in _pages(broker, PastPage(list=list_, as_of=as_of), reached):
        while last is not None and found.person > last:
            batch = await anext(queued, set())
            last = max(batch, default=None)
        yield Member(
            _named(found.row), _why(post, found, found.person in batch or found.person in missed)
        )


async def post(broker: Broker, slug: str, mail: str) -> Post:
    """The post with this id at this list. Raises PostroadError where there is none."""
    routed = await broker.last("ROUTED", subjects.routed("post", slug, mail))
    for event in routed.envelope().events if routed else ():
        if isinstance(event, PostRouted) and routed is not None:
            done = await broker.last("ROUTED", subjects.routed("done", slug, mail))
            chunk = await broker.last("SEND", subjects.send_any_lane(slug, mail, "*"))
            return Post(event, done=done is not None, stored=chunk is not None or _nobody(done))
    raise PostroadError(
        f"the mail {mail} was no post to this list; `postroad post show {mail}` says what became "
        "of it"
    )


def _nobody(done: Stored | None) -> bool:
    """Whether a fan-out ended with no recipient."""
    events = done.envelope().events if done else ()
    return any(isinstance(event, FanoutDone) and not event.audience for event in events)


async def _pages(broker: Broker, page: PastPage, reached: Reached) -> AsyncIterator[PastRow]:
    count, total = 0, 0
    while True:
        answer = await ask(broker, "roster_past", page)
        total = total or answer.total
        for row in answer.past:
            yield row
        count += len(answer.past)
        reached(count, total)
        if not answer.past or count >= total:
            return
        page = msgspec.structs.replace(
            page, as_of=answer.as_of.membership, at="", after=answer.past[-1].person
        )


async def _queued(broker: Broker, routed: PostRouted) -> AsyncIterator[set[str]]:
    """Who is in each chunk of the fan-out, in order of person from chunk to chunk; retries and
    parts, which repeat them, have other names, and `also_to` names no members."""
    async for stored in broker.scan("SEND", f"mail.send.*.{routed.list}.{routed.mail_id}.*"):
        if stored.subject.rpartition(".")[2].isdecimal():
            for event in stored.envelope().events:
                if isinstance(event, ChunkQueued):
                    yield set(event.people)


async def _missed(broker: Broker, routed: PostRouted) -> set[str]:
    """Whom a replay queued copies for: people that the fan-out had left out."""
    people: set[str] = set()
    for number in itertools.count():
        subject = subjects.send_any_lane(routed.list, routed.mail_id, f"m{number}")
        if (stored := await broker.last("SEND", subject)) is None:
            break
        for event in stored.envelope().events:
            if isinstance(event, ChunkQueued):
                people.update(event.people)
    return people


def _why(post: Post, found: PastRow, queued: bool) -> str:
    """Why a member got no copy, as far as what is stored tells."""
    row = found.row
    if queued:
        return ""
    if row.delivery_status != "enabled":
        return f"delivery_status={row.delivery_status}"
    if row.delivery_mode != "regular":
        return f"delivery_mode={row.delivery_mode}"
    if wish := post.routed.without.get(found.person):
        return f"{wish}=false"
    if not post.done:
        return "not queued yet"
    if not post.stored:
        return ""
    return "left, or wanted no mail any more, when the copies were queued"


def _named(row: RosterRow) -> RosterRow:
    return row if row.address else msgspec.structs.replace(row, address=ERASED)
