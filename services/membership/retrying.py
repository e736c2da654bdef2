"""Copies that finally failed, queued once more because somebody asks for it.

What is stored decides: who is being tried again stands in a chunk of a later round, so asking
again, or twice at once, queues nobody twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from postroad.runtime.broker import BATCH_LIMIT, Broker, Message
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.telemetry import PARENT, carry, current
from schemas import codec, subjects
from schemas.commands import FailedCopies, RetryFailed
from schemas.road import ChunkQueued, OwnerMailRouted, PostRouted, WindowRecorded
from services.membership.directory import Listed
from services.membership.failures import Again, Failed, Ledger, Place, reasons
from services.membership.refused import Refused
from services.membership.roster import Roster

ACTOR = "operator"
_FAILED = b'"kind":"failed"'


async def retry(broker: Broker, roster: Roster, ask: RetryFailed) -> tuple[FailedCopies, ...]:
    """The failed copies on each list; with `go`, those who are ready are queued.

    Raises Refused ("unknown_post") where the mail was no post, Retry where another does the same.
    """
    routed = [
        (event, stored.headers)
        async for stored in broker.scan("ROUTED", f"mail.routed.*.*.{ask.mail_id}")
        for event in stored.envelope().events
        if isinstance(event, PostRouted | OwnerMailRouted)
    ]
    if not routed:
        told = f"the mail {ask.mail_id} was posted to no list, so nobody failed to get it"
        raise Refused("unknown_post", told)
    return tuple([await _on_list(broker, roster, ask, *each) for each in routed])


async def ledger(broker: Broker, list_: str, mail_id: str) -> Ledger:
    """The ledger of a post, folded as far as it goes."""
    found = Ledger()
    async for stored in broker.scan("DELIVERY", subjects.delivery(list_, mail_id, "*")):
        for event in stored.envelope().events:
            if isinstance(event, WindowRecorded):
                found.take(stored.seq, event)
    return found


async def failed_between(
    broker: Broker, after: int, upto: int
) -> AsyncIterator[tuple[str, str, list[Failed]]]:
    """Who failed in the entries of DELIVERY behind `after`, up to and with `upto`, and did not get
    it since: by list and mail."""
    posts: dict[tuple[str, str], None] = {}
    async for stored in broker.scan("DELIVERY", "delivery.>", after + 1):
        if stored.seq > upto:
            break
        if _FAILED in stored.data:
            events = stored.envelope().events
            posts |= {(e.list, e.mail_id): None for e in events if isinstance(e, WindowRecorded)}
    for list_, mail_id in posts:
        failed = (await ledger(broker, list_, mail_id)).failed.values()
        yield list_, mail_id, [each for each in failed if after < each.seq <= upto]


async def _on_list(
    broker: Broker,
    roster: Roster,
    ask: RetryFailed,
    routed: PostRouted | OwnerMailRouted,
    trace: Mapping[str, str],
) -> FailedCopies:
    listed = roster.feed.lists.get(routed.list)
    failed = (await ledger(broker, routed.list, routed.mail_id)).failed
    again = Again(failed)
    if failed:
        async for stored in broker.scan(
            "SEND", subjects.send_any_lane(routed.list, routed.mail_id, "*")
        ):
            for event in stored.envelope().events:
                if isinstance(event, ChunkQueued):
                    again.take(event)
    waiting, places = again.waiting(), again.places(ask.domain)
    ready = await _still_there(roster, routed, listed, places)
    chunks = list(again.chunks(routed.mail_id, ready)) if ask.go else []
    queued = await _queue(broker, chunks, trace)
    return FailedCopies(
        list=listed.state.address if listed else routed.list,
        failed=len(failed),
        waiting=len(waiting),
        gone=len(places) - len(ready) if ask.domain else len(failed) - len(waiting) - len(ready),
        ready=len(ready),
        reasons=reasons(failed.values(), {place.person for place in ready}),
        queued=queued,
        domains=again.domains(),
    )


async def _still_there(
    roster: Roster,
    routed: PostRouted | OwnerMailRouted,
    listed: Listed | None,
    places: Sequence[Place],
) -> Sequence[Place]:
    """Those who get mail of the list now, or whom its `also_to` names; nobody where it is closed.
    Mail to the owners went to persons who need not be on the list."""
    if listed is None or not listed.state.open:
        return ()
    if isinstance(routed, OwnerMailRouted):
        return places
    standings = await roster.standings({(routed.list, place.person) for place in places})
    stay: Collection[str] = {
        person for (_, person), standing in standings.items() if standing.receives
    }
    also = listed.state.settings.also_to
    return [place for place in places if place.person in stay or place.address in also]


async def _queue(broker: Broker, chunks: Sequence[ChunkQueued], trace: Mapping[str, str]) -> int:
    """Store the chunks, in the trace of their post; how many people stand in them. Cut short, the
    others are still failed, and whoever asks again finds them."""
    if not chunks:
        return 0
    current().link("retry", trace.get(PARENT, ""))
    cause, head = new_id(), carry("retry", trace)
    messages = [
        Message(
            subjects.send("bulk", chunk.list, chunk.mail_id, chunk.chunk),
            codec.encode(
                envelope([chunk], correlation=chunk.mail_id, causation=cause, actor=ACTOR)
            ),
            expect=0,
            headers=head,
        )
        for chunk in chunks
    ]
    for start in range(0, len(messages), BATCH_LIMIT):
        try:
            await broker.publish_batch(messages[start : start + BATCH_LIMIT])
        except Conflict:
            raise Retry("somebody else is having these copies sent again") from None
    return sum(len(chunk.people) for chunk in chunks)
