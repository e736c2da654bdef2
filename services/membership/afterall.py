"""Past mail that reaches a list after all, and past posts that reach who has no copy of them.

What is stored decides, so asking again, twice at once, or after being cut short lets no mail
through twice and queues nobody twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count

import msgspec

from postroad.runtime.broker import BATCH_LIMIT, Broker, Message
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.telemetry import PARENT, carry, current
from schemas import codec, subjects
from schemas.hindsight import Done, LetThrough, MissingCopies, Stopped
from schemas.road import AsOf, ChunkQueued, FanoutDone, PostRouted, WindowRecorded
from services.membership import actors
from services.membership.directory import Listed
from services.membership.distribute import Distributor
from services.membership.fanout import chunk_size
from services.membership.mirror import Recipient
from services.membership.missing import Had, stayed
from services.membership.moderation import overruling
from services.membership.received import Received
from services.membership.refused import Refused

MOST = 200  # mails in one question
AT_ONCE = 16  # of them; each is a read or two and a publish
TRIES = 5


class AfterAll:
    """What `postroad replay` has done."""

    def __init__(self, fanout: Distributor, received: Received) -> None:
        self._broker: Broker = fanout.broker
        self._fanout = fanout
        self._received = received

    async def let_through(self, ask: LetThrough) -> Done:
        """Let mails through. Raises Refused for a list that is closed, or too many at once."""
        if len(ask.mails) > MOST:
            raise Refused("bad_request", f"at most {MOST} mails at once")
        listed = self._fanout.roster.feed.lists.find_open(ask.list)
        room, cause = asyncio.Semaphore(AT_ONCE), new_id()

        async def one(mail: Stopped) -> str:
            async with room:
                try:
                    await self._let(listed, mail, actors.operator(ask.by), cause)
                except Refused as refused:
                    return str(refused)
            return ""

        told = await asyncio.gather(*map(one, ask.mails))
        asked = [mail.mail_id for mail in ask.mails]
        left = tuple((each, why) for each, why in zip(asked, told, strict=True) if why)
        done = tuple(each for each, why in zip(asked, told, strict=True) if not why)
        return Done(changed=len(done), done=done, left_alone=left)

    async def _let(self, listed: Listed, mail: Stopped, actor: str, cause: str) -> None:
        """Let one through. Raises Refused where it cannot be, or was."""
        slug, original = listed.state.slug, mail.mail_id.partition("-")[0]
        received = await self._received.mail(subjects.received("*", original))
        start = subjects.raw(original, 0, 0)
        if received is None or await self._broker.last("RAW", start) is None:
            raise Refused("unknown_post", "the mail is gone")
        decided = subjects.decided(slug, mail.mail_id)
        stored = [each async for each in self._broker.scan("ROUTED", decided)]
        event = overruling.decide(
            ((each.seq, each.envelope()) for each in stored),
            list_=slug,
            mail_id=mail.mail_id,
            raw=received.raw,
            expect=mail.decided,
            as_of=AsOf(membership=mail.as_of),
            settings=listed.seq,
        )
        message = envelope([event], correlation=original, causation=cause, actor=actor)
        first = next((each.headers for each in stored if PARENT in each.headers), {})
        current().link("replay", first.get(PARENT, ""))
        try:
            await self._broker.publish(
                subjects.routed("accepted", slug, mail.mail_id),
                codec.encode(message),
                expect=mail.decided,
                expect_filter=decided,
                headers=carry("replay", first, replay=True),
            )
        except Conflict:
            raise Refused("decided", "somebody else was faster") from None
        crashpoint("membership.after_let_through")

    async def missing(self, ask: MissingCopies) -> Done:
        """Who has no copy of a post, and was to have one. Raises Refused where it was no post, or
        who got it is not known any more; Retry where another does the same."""
        listed = self._fanout.roster.feed.lists.find_open(ask.list)
        slug = listed.state.slug
        routed = await self._broker.last("ROUTED", subjects.routed("post", slug, ask.mail_id))
        post = routed.envelope().events[-1] if routed else None
        if routed is None or not isinstance(post, PostRouted):
            raise Refused("unknown_post", f"the mail {ask.mail_id} was no post to this list")
        for _ in range(TRIES):
            had = await self._had(post)
            if had is None:
                return Done(left_alone=((ask.mail_id, "its copies are not all queued yet"),))
            if not had.whole:
                why = "who has a copy is not stored any more"
                return Done(left_alone=((ask.mail_id, why),))
            members, others = await self._wanted(post, listed, had)
            told = tuple(each.address for each in (*members, *others))
            if not ask.go or not told:
                return Done(missing=told)
            chunks = self._chunks(post, listed, routed.seq, had, members, others)
            current().link("replay", routed.headers.get(PARENT, ""))
            head = carry("replay", routed.headers, replay=True)
            if await self._queue(chunks, actors.operator(ask.by), head):
                return Done(missing=told, queued=len(told))
        raise Retry("somebody else is having these copies sent")

    async def _had(self, post: PostRouted) -> Had | None:
        """Who stands in the chunks of a post, and in its ledger; None before all are queued."""
        done = await self._broker.last("ROUTED", subjects.routed("done", post.list, post.mail_id))
        event = done.envelope().events[-1] if done else None
        if not isinstance(event, FanoutDone):
            return None
        had = Had(event.audience)
        chunks = subjects.send_any_lane(post.list, post.mail_id, "*")
        async for stored in self._broker.scan("SEND", chunks):
            for chunk in stored.events():
                if isinstance(chunk, ChunkQueued):
                    had.queued(chunk)
        if not had.whole:
            ledger = subjects.delivery(post.list, post.mail_id, "*")
            async for stored in self._broker.scan("DELIVERY", ledger):
                for entry in stored.events():
                    if isinstance(entry, WindowRecorded):
                        had.sent(entry)
        return had

    async def _wanted(
        self, post: PostRouted, listed: Listed, had: Had
    ) -> tuple[list[Recipient], list[Recipient]]:
        """The members who were to get a post, and got mail ever since, and the others whom
        `also_to` names, as far as they have no copy."""
        roster, as_of = self._fanout.roster, post.as_of.membership
        out: list[Recipient] = []
        async for page in roster.audience(post.list, as_of, patient=False):
            out += [one for one in page if one.person not in (had.people | post.without.keys())]
        lives = await roster.periods(post.list, [one.person for one in out]) if out else {}
        members = [one for one in out if stayed(lives.get(one.person, ()), as_of)]
        others = []
        for address in listed.state.settings.also_to:
            known = await self._fanout.people.find(address)
            if known is None or known.id not in had.people:
                domain = address.rpartition("@")[2]
                others.append(Recipient(known.id if known else "", address, domain))
        return members, others

    def _chunks(
        self,
        post: PostRouted,
        listed: Listed,
        seq: int,
        had: Had,
        members: Sequence[Recipient],
        others: Sequence[Recipient],
    ) -> list[tuple[ChunkQueued, Sequence[Recipient]]]:
        """Chunks of their own, named behind those that there are, with numbers of their own."""
        copy = self._fanout.copy(post, listed, seq)
        shared = msgspec.structs.replace(copy, personal=False, to_members=False)
        names, first, chunks = count(had.rounds), had.numbers, []
        for people, form in ((members, copy), (others, shared)):
            size = chunk_size(form)
            for start in range(0, len(people), size):
                part = people[start : start + size]
                chunk = ChunkQueued(
                    mail_id=post.mail_id,
                    list=post.list,
                    chunk=f"m{next(names)}",
                    first=first,
                    people=tuple(one.person for one in part),
                    addresses=tuple(one.address for one in part),
                    as_of=self._fanout.roster.feed.as_of.membership,
                    copy=form,
                )
                chunks.append((chunk, part))
                first += len(part)
        return chunks

    async def _queue(
        self,
        chunks: Sequence[tuple[ChunkQueued, Sequence[Recipient]]],
        actor: str,
        head: Mapping[str, str],
    ) -> bool:
        """Store them, all or none of each 1,000; False where somebody else did meanwhile."""
        cause, messages = new_id(), []
        for chunk, part in chunks:
            people = [one.person or await self._known(one.address, chunk) for one in part]
            event = msgspec.structs.replace(chunk, people=tuple(people))
            message = envelope([event], correlation=chunk.mail_id, causation=cause, actor=actor)
            subject = subjects.send("bulk", chunk.list, chunk.mail_id, chunk.chunk)
            messages.append(Message(subject, codec.encode(message), expect=0, headers=head))
        for start in range(0, len(messages), BATCH_LIMIT):
            try:
                await self._broker.publish_batch(messages[start : start + BATCH_LIMIT])
            except Conflict:
                return False
            crashpoint("membership.after_missing")
        return True

    async def _known(self, address: str, chunk: ChunkQueued) -> str:
        evidence = f"settings: also_to of {chunk.copy.list_address}"
        person = await self._fanout.people.obtain(
            address, "", evidence=evidence, correlation=chunk.mail_id
        )
        return person.id
