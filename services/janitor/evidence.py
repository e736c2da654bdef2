"""What the streams hold of a mail, its copies, or a parked message: exact reads, one at a time.

What is scheduled is looked for first: the broker stores a chunk that is due before it takes the
schedule away, so one of the two is always seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.marks import STREAMS
from schemas.parking import ParkedResolved
from schemas.road import MailRefused, Parked, WindowRecorded
from services.janitor import decider
from services.janitor.decider import Decision, Floors, Mail, Sending

PAGE = 500  # ledgers looked at together
FANNED_OUT: tuple[subjects.Kind, ...] = ("post", "owner", "done")  # what a fan-out has in ROUTED


def mail_of(subject: str) -> str:
    """The id of the mail, or letter, that a message of RAW, RECEIVED, ROUTED or SEND is of."""
    parts = subject.split(".")
    place = {"raw": 1, "received": 3, "fanout": 3, "retry": 3}
    token = parts[place.get(parts[0]) or place.get(parts[1], 4)]
    return token.partition("-")[0]


@dataclass
class Resolution:
    """A parked message that needs nobody any more: the sequences of its two events."""

    subject: str
    seq: int
    parked: int
    how: str


@dataclass
class Dead:
    """What DEADLETTER holds: subjects of parked messages, the mails with one that nobody resolved,
    subjects of messages that were dropped for good, and what is resolved."""

    parked: Collection[str] = ()
    mails: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    resolved: list[Resolution] = field(default_factory=list)

    @property
    def dropped_mails(self) -> set[str]:
        """The mails that these were of: nobody will finish them as the projector has it."""
        return set(map(mail_of, self.dropped))


class Evidence:
    """Reads, at one moment after another; `floors` are those of the beginning."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._parked: dict[str, str] = {}  # subject of a parked message: that of the message
        self.floors = Floors(acked={})
        self.dead = Dead()

    async def begin(self) -> None:
        """Learn how far consumers are, and what is parked."""
        acked = {}
        for durable in subjects.DURABLES:
            info = await self._broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
            acked[durable.name] = int(info["ack_floor"]["stream_seq"])
        self.floors = Floors(acked=acked)
        self.dead = await self._dead()

    async def ends(self) -> tuple[dict[str, int], dict[str, str]]:
        """The last sequence of each stream, and when each was created."""
        infos = await asyncio.gather(*(self._broker.api(f"STREAM.INFO.{name}") for name in STREAMS))
        return (
            {name: info["state"]["last_seq"] for name, info in zip(STREAMS, infos, strict=True)},
            {name: info["created"] for name, info in zip(STREAMS, infos, strict=True)},
        )

    async def folded(self, old: Mapping[str, int]) -> dict[str, int]:
        """How far whoever has folded all up to this horizon stands: some of its last messages
        may be gone."""
        goal = {}
        for stream, subject in (
            ("RECEIVED", "mail.received.>"),
            ("ROUTED", "mail.routed.>"),
            ("SEND", "mail.send.>"),
            ("DELIVERY", "delivery.>"),
        ):
            last = await self._broker.last(stream, subject)
            goal[stream] = min(old.get(stream, 0), last.seq if last else 0)
        return goal

    async def sending(self, list_: str, mail: str, *, finished: bool) -> Sending:
        """What there is of the copies of a mail at a list; `finished` says the projector."""
        retry = await self._broker.last("SEND", subjects.retry(list_, mail, "*"))
        queued = await self._subjects("SEND", subjects.send_any_lane(list_, mail, "*"))
        seqs = {}
        wanted = (
            subjects.send("now", list_, mail, "*"),
            subjects.send("bulk", list_, mail, "*"),
            subjects.fanout(list_, mail),
        )
        lasts = [await self._broker.last("SEND", name) for name in wanted]
        stored = [last for last in lasts if last is not None]
        if stored:
            seqs["SEND"] = max(each.seq for each in stored)
        acked = all(self.floors.passed("SEND", each.subject, each.seq) for each in stored)
        dropped = {each.rpartition(".")[2] for each in queued if each in self.dead.dropped}
        chunks = {each.rpartition(".")[2] for each in queued} - dropped
        open_, silent, written = await self._ledgers(list_, mail, sorted(chunks), acked=acked)
        if written:
            seqs["DELIVERY"] = written
        names = [subjects.routed(kind, list_, mail) for kind in FANNED_OUT]
        decided = await self._broker.last_many("ROUTED", names)
        if decided:
            seqs["ROUTED"] = max(each.seq for each in decided.values())
        return Sending(
            seqs=seqs,
            chunks=len(queued),
            open=open_,
            silent=silent,
            scheduled=retry is not None,
            routed=names[0] in decided or names[1] in decided,
            fanned_out=names[2] in decided or not self.dead.dropped.isdisjoint(names),
            parked=mail.partition("-")[0] in self.dead.mails,
            finished=finished or (bool(dropped) and not (open_ or silent)),
        )

    async def mail(self, mail: str, *, state: str) -> Mail:
        """What there is of a mail; `state` is what the projector calls it."""
        received = await self._broker.last("RECEIVED", subjects.received("*", mail))
        seqs = {"RECEIVED": received.seq} if received else {}
        decisions: list[Decision] = []
        ids = [mail]
        while names := await self._subjects("ROUTED", subjects.decided("*", ids[-1])):
            found = await self._broker.last_many("ROUTED", names)
            decisions += [Decision.of(each.subject, each.seq) for each in found.values()]
            ids.append(f"{mail}-{len(ids) + 1}")
        if len(ids) > 1:
            ids.pop()
        if decisions:
            seqs["ROUTED"] = max(each.seq for each in decisions)
        queued = False
        for each in ids:
            queued = queued or await self._queued(each)
            last = await self._broker.last("DELIVERY", subjects.delivery("*", each, "*"))
            if last is not None:
                seqs["DELIVERY"] = max(last.seq, seqs.get("DELIVERY", 0))
        dropped = received is not None and received.subject in self.dead.dropped
        gone = [each for each in decisions if self._was_dropped(each)]
        events = received.events() if received else ()
        return Mail(
            seqs=seqs,
            received=received is not None,
            refused=dropped or any(isinstance(each, MailRefused) for each in events),
            acked=received is None
            or self.floors.passed("RECEIVED", received.subject, received.seq),
            decisions=[each for each in decisions if each not in gone],
            queued=queued,
            parked=mail in self.dead.mails,
            state=decider.FINISHED if mail in self.dead.dropped_mails else state,
        )

    async def is_gone(self, found: Resolution) -> bool:
        """Whether the message itself, which was dropped, is deleted by now."""
        place = _place(found.subject)
        return place is None or await self._broker.get(*place) is None

    # --- parts of it ------------------------------------------------------------------------------

    def _was_dropped(self, decision: Decision) -> bool:
        subject = f"mail.routed.{decision.kind}.{decision.list}.{decision.mail}"
        return subject in self.dead.dropped

    async def _queued(self, mail: str) -> bool:
        """Whether SEND has anything of a mail, at whatever list."""
        for name in (
            subjects.retry("*", mail, "*"),
            subjects.send_any_lane("*", mail, "*"),
            subjects.fanout("*", mail),
        ):
            if await self._broker.last("SEND", name) is not None:
                return True
        return False

    async def _ledgers(
        self, list_: str, mail: str, chunks: Sequence[str], *, acked: bool
    ) -> tuple[int, int, int]:
        """How many of these chunks are still open, how many have no ledger, and the last
        sequence of all."""
        open_ = silent = written = 0
        for start in range(0, len(chunks), PAGE):
            some = chunks[start : start + PAGE]
            names = [subjects.delivery(list_, mail, chunk) for chunk in some]
            found = await self._broker.last_many("DELIVERY", names)
            silent += len(some) - len(found)
            for stored in found.values():
                written = max(written, stored.seq)
                entries = [each for each in stored.events() if isinstance(each, WindowRecorded)]
                # of a newer release there is none
                open_ += not entries or any(decider.is_open(each, acked=acked) for each in entries)
        return open_, silent, written

    async def _dead(self) -> Dead:
        counts = await self._subjects("DEADLETTER", "deadletter.>")
        found = Dead(parked=counts.keys())
        self._parked = {name: about for name, about in self._parked.items() if name in counts}
        for name, count in counts.items():
            if count > 1:
                last = await self._broker.last("DEADLETTER", name)
                events = last.events() if last else ()
                ends = [each for each in events if isinstance(each, ParkedResolved)]
                if last and ends:
                    found.resolved.append(Resolution(name, last.seq, ends[0].parked, ends[0].how))
                    if ends[0].how == "dropped":
                        about = await self._about(name, ends[0].parked)
                        found.dropped |= {about} - {""}
                    continue
            about = await self._about(name)
            if about:
                found.mails.add(mail_of(about))
        return found

    async def _about(self, name: str, seq: int = 0) -> str:
        """The subject of a message that was parked; remembered, for what is parked may be large.
        Empty where nobody can tell."""
        if name not in self._parked:
            get = self._broker.get("DEADLETTER", seq) if seq else None
            stored = await (get or self._broker.last("DEADLETTER", name))
            events = stored.events() if stored else ()
            about = next((each.subject for each in events if isinstance(each, Parked)), "")
            if not about and not seq:  # of another release: the message itself tells
                place = _place(name)
                message = await self._broker.get(*place) if place else None
                about = message.subject if message else ""
            self._parked[name] = about
        return self._parked[name]

    async def _subjects(self, stream: str, subject_filter: str) -> dict[str, int]:
        """How many messages each subject of this filter has."""
        found: dict[str, int] = {}
        while True:
            ask = {"subjects_filter": subject_filter, "offset": len(found)}
            info = await self._broker.api(f"STREAM.INFO.{stream}", ask)
            page = info["state"].get("subjects") or {}
            found |= page
            if not page or len(found) >= info.get("total", 0):
                return found


def _place(name: str) -> tuple[str, int] | None:
    """Stream and sequence of the message that was parked under this subject; None where somebody
    else than a service stored there."""
    *_, stream, number = name.split(".")
    ours = any(stream == each.name for each in subjects.STREAMS)
    return (stream, int(number)) if ours and number.isdecimal() else None


def sending_of(subject: str) -> tuple[str, str]:
    """List and mail of a message of SEND."""
    parts = subject.split(".")
    at = 3 if parts[1] == "send" else 2
    return parts[at], parts[at + 1]
