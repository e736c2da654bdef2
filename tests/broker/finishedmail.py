"""Mail on the streams as the road leaves it, finished or not: for tests of the janitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.stored import Stored
from projections.analytics import deliveries, mails, routing, sending
from projections.catalog import queries
from projections.projection import Message
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.mail import HeaderFacts, RawRef
from schemas.marks import STREAMS, Diary, Mark
from schemas.parking import ParkedResolved
from schemas.road import (
    ChunkQueued,
    Copy,
    FanoutDone,
    FanoutProgressed,
    MailReceived,
    MailStopped,
    Origin,
    Outcome,
    Parked,
    PostRouted,
    WindowRecorded,
)
from services.janitor.sweep import Ages
from tests.unit.projections.analysis import Analysis

DAY = 86_400.0
AGES = Ages(mail=30 * DAY, send=7 * DAY, deadletter=90 * DAY)
LIST = "team"
FED = (mails.PROJECTION, routing.PROJECTION, sending.PROJECTION, deliveries.PROJECTION)


def mail_id(number: int) -> str:
    """The id of the mail of this number."""
    return f"{number:032x}"


class Finished:
    """Puts mails onto the streams."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._analysis = Analysis()
        self._folded: dict[str, int] = {}  # by projection: up to where

    async def store(self, subject: str, *events: Event) -> int:
        """One message."""
        message = envelope(events, correlation="c", actor="test")
        return await self.broker.publish(subject, codec.encode(message))

    async def mail(self, number: int) -> RawRef:
        """A mail that came in."""
        id_ = mail_id(number)
        raw = await put_raw(self.broker, id_, 0, b"Subject: secret\r\n\r\nHello.\r\n", 19)
        event = MailReceived(mail_id=id_, origin=Origin(source="box"), raw=raw, facts=HeaderFacts())
        await self.store(subjects.received("box", id_), event)
        return raw

    async def held(self, number: int, *, list_: str = LIST) -> None:
        """It is held."""
        event = MailStopped(
            mail_id=mail_id(number), list=list_, verdict="held", hits=(), raw=ref(number)
        )
        await self.store(subjects.routed("held", list_, mail_id(number)), event)

    async def queued(self, number: int, chunks: int = 1) -> None:
        """It became a post, and so many chunks of it are queued, with their progress."""
        id_ = mail_id(number)
        post = PostRouted(mail_id=id_, list=LIST, raw=ref(number))
        await self.store(subjects.routed("post", LIST, id_), post)
        for chunk in range(chunks):
            await self.chunk(number, str(chunk))
        progress = FanoutProgressed(mail_id=id_, list=LIST, chunk=chunks, count=chunks, person="p")
        await self.store(subjects.fanout(LIST, id_), progress)

    async def chunk(self, number: int, name: str, *, notice: bool = False) -> None:
        """One chunk, or a letter."""
        copy = Copy(
            raw=ref(number),
            list=LIST,
            list_address="team@example.org",
            bounces=("", ""),
            post=1,
            notice=notice,
        )
        event = ChunkQueued(
            mail_id=mail_id(number),
            list=LIST,
            chunk=name,
            people=("p",),
            addresses=("p@example.net",),
            copy=copy,
        )
        await self.store(subjects.send("now", LIST, mail_id(number), name), event)

    async def sent(self, number: int, name: str, **entry: Any) -> None:
        """An entry of a chunk's ledger that closes it, or says something else."""
        said = {"outcome": Outcome(start=0, end=1), "people": ("p",), "finished": True, **entry}
        event = WindowRecorded(mail_id=mail_id(number), list=LIST, chunk=name, **said)
        await self.store(subjects.delivery(LIST, mail_id(number), name), event)

    async def fanned_out(self, number: int, chunks: int = 1) -> None:
        """Nothing more of it comes."""
        id_ = mail_id(number)
        done = FanoutDone(mail_id=id_, list=LIST, audience=chunks, chunks=chunks)
        await self.store(subjects.routed("done", LIST, id_), done)

    async def post(self, number: int, chunks: int = 1) -> None:
        """A mail that became a post, of which every copy is sent."""
        await self.mail(number)
        await self.queued(number, chunks)
        for chunk in range(chunks):
            await self.sent(number, str(chunk))
        await self.fanned_out(number, chunks)

    async def letter(self, number: int) -> None:
        """A letter that was sent."""
        await put_raw(self.broker, mail_id(number), 0, b"Subject: Welcome\r\n\r\n", 20)
        await self.chunk(number, "0", notice=True)
        await self.sent(number, "0")

    async def park(self, subject: str, durable: str) -> str:
        """The last message of a subject is parked, and the broker says that it was ended."""
        stream = subjects.stream_of(subject)
        last = await self.broker.last(stream, subject)
        assert last is not None
        parked = Parked(
            stream=stream,
            seq=last.seq,
            subject=subject,
            durable=durable,
            reason="a bug",
            family="bug",
            data=b"a secret of somebody",
        )
        name = subjects.deadletter(durable, stream, last.seq)
        await self.store(name, parked)
        advisory = b'{"stream":"%s","consumer":"%s","stream_seq":%d}'
        said = advisory % (stream.encode(), durable.encode(), last.seq)
        where = f"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.{stream}.{durable}"
        await self.broker.publish(where, said)
        return name

    async def resolve(self, name: str, how: Any) -> None:
        """Somebody says what becomes of it."""
        last = await self.broker.last("DEADLETTER", name)
        assert last is not None
        await self.store(name, ParkedResolved(parked=last.seq, how=how))

    async def acknowledge(self) -> None:
        """Every consumer is done with all that there is."""
        for durable in subjects.DURABLES:
            info = await self.broker.api(f"STREAM.INFO.{durable.stream}")
            ask = {"seq": info["state"]["last_seq"] + 1}
            await self.broker.api(f"CONSUMER.RESET.{durable.stream}.{durable.name}", ask)

    async def diary(self, days: float) -> Diary:
        """What a janitor knows for whom all that there is came so many days ago."""
        infos = {name: await self.broker.api(f"STREAM.INFO.{name}") for name in STREAMS}
        ends = {name: info["state"]["last_seq"] for name, info in infos.items()}
        born = {name: info["created"] for name, info in infos.items()}
        return Diary(lived=days * DAY, marks=(Mark(at=0.0, ends=ends),), born=born)

    async def left(self, stream: str) -> list[str]:
        """The subjects that a stream still has."""
        return [stored.subject async for stored in self.broker.scan(stream, ">")]

    async def ask(
        self, name: str, /, *, after: Mapping[str, int] | None = None, **parameters: Any
    ) -> list[dict[str, Any]]:
        """What the projector says, from tables that keep what the streams had."""
        del after  # all of it is
        for projection in FED:
            start = self._folded.get(projection.name, 0) + 1
            stored = self.broker.scan(projection.stream, projection.subjects, start)
            if messages := [_message(each) async for each in stored]:
                self._analysis.fold(projection, messages)
                self._folded[projection.name] = messages[-1].seq
        return self._analysis.dicts(queries()[name].sql, parameters)


def ref(number: int) -> RawRef:
    """Where the bytes of a mail lie."""
    return RawRef(mail_id=mail_id(number), chunks=1, size=9, sha256="", head=4)


def numbers(names: Sequence[str]) -> list[int]:
    """The mails that subjects are of, by number."""
    found = {int(token, 16) for name in names for token in name.split(".") if len(token) == 32}
    return sorted(found)


def _message(stored: Stored) -> Message:
    return Message(stored.subject, stored.seq, int(stored.time.timestamp()), stored.envelope())
