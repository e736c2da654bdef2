"""Who waits for a copy is counted from the streams, each once."""

from __future__ import annotations

from pathlib import Path

from postroad.cli.post import tell
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.road import ChunkQueued, Copy, FanoutDone, PostRouted, WindowRecorded
from tests.broker.membership import LIST, SLUG, raw, settings


def chunk(mail_id: str, name: str, people: int) -> ChunkQueued:
    """A chunk of so many people."""
    return ChunkQueued(
        mail_id=mail_id,
        list=SLUG,
        chunk=name,
        people=tuple(f"{name}-{n}" for n in range(people)),
        addresses=tuple(f"p{n}@example.net" for n in range(people)),
        copy=Copy(raw=raw(mail_id), list=SLUG, list_address=LIST, bounces=("", ""), post=7),
    )


async def test_a_chunk_that_waited_is_counted_once(broker: Broker, tmp_path: Path) -> None:
    """Each time it is due the broker stores it again; whether it is scheduled once more, or lies in
    the queue, or was split into others, nobody stands in the count twice."""
    mail_id = new_id()

    async def store(subject: str, event: Event, **headers: str) -> None:
        message = envelope([event], correlation=mail_id, actor="test")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await broker.publish(subject, codec.encode(message), headers=named)

    whole, again, part = chunk(mail_id, "0", 5), chunk(mail_id, "1", 3), chunk(mail_id, "0s0", 5)
    post = PostRouted(mail_id=mail_id, list=SLUG, raw=raw(mail_id))
    done = FanoutDone(mail_id=mail_id, list=SLUG, audience=8, chunks=2)
    split = WindowRecorded(mail_id=mail_id, list=SLUG, chunk="0", finished=True, split=True)
    await store(subjects.routed("post", SLUG, mail_id), post)
    await store(subjects.routed("done", SLUG, mail_id), done)
    await store(subjects.delivery(SLUG, mail_id, "0"), split)
    for event in (whole, again, part, again, part):
        await store(subjects.send("bulk", SLUG, mail_id, event.chunk), event)
    due = {"Postroad_Waits": "limit of 3 reached", "Postroad_Relay": "out"}
    due["Nats_Schedule"] = "@at 2099-01-01T00:00:00Z"
    due["Nats_Schedule_Target"] = subjects.send("bulk", SLUG, mail_id, "1")
    await store(subjects.retry(SLUG, mail_id, "1"), again, **due)
    (fate,) = (await tell(broker, mail_id, {}, settings(tmp_path))).lists
    assert fate.waiting == 8
    assert [(wait.copies, wait.why.partition(";")[0]) for wait in fate.waits] == [
        (5, "the sender does not answer"),
        (3, "relay out: limit of 3 reached"),
    ]
