"""The mails of a time, in pages of which all is known that judging them needs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from postroad.cli.hindsight.decided import NOTHING, Decided, fold
from postroad.cli.hindsight.past import Moments, Oracle, learn
from postroad.cli.hindsight.standing import Standings
from postroad.runtime.broker import Broker
from postroad.runtime.stored import Stored
from projections.lists import Directory, List
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.commands import Author
from schemas.envelope import Envelope
from schemas.road import MailReceived
from services.router.decider import numbered
from services.router.reach import Reach
from services.router.recipients import who_is_asked
from services.router.rules import repetition

PAGE = 400  # mails in hand
TOGETHER = 200  # of which decisions are asked for at once: the server answers with 1,000
BEFORE = timedelta(days=1)  # for which `repetition` remembers what an author posted
_EVERY = "mail.received.>"
_REFUSED = b'"mail_refused"'


@dataclass(frozen=True)
class Wanted:
    """Which mails are judged, and how: those from `begin` up to `end`, of the list `only` (a slug;
    empty for every one); `proposed` are settings of it: name to (old, new). Name servers are asked
    (`dns`), and hooks, or what they said then holds."""

    begin: datetime
    end: datetime
    only: str = ""
    proposed: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    dns: bool = True
    hooks: bool = False


@dataclass
class Taken:
    """A mail in hand: its place in RECEIVED, when it was stored, and the sequence of MEMBERSHIP at
    which its author was asked about."""

    mail: MailReceived
    seq: int
    stored: datetime
    moment: int = 0


class Window:
    """Reads them. `total` sequences of RECEIVED are read, and were so far."""

    def __init__(
        self, broker: Broker, oracle: Oracle, wanted: Wanted, directory: Directory
    ) -> None:
        self.total = 0
        self.read = 0
        self.moments = Moments(broker)
        self._broker, self._oracle, self._wanted = broker, oracle, wanted
        self._directory = directory
        self._standings = Standings()
        self._decided: dict[tuple[str, str], Decided] = {}
        self._keys: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)  # by mail
        self._moment: dict[str, int] = {}
        self._seen: set[str] = set()  # ids of mails in the time asked for

    def decided(self, list_: str, mail_id: str) -> Decided:
        """What was decided on a mail at a list."""
        return self._decided.get((list_, mail_id), NOTHING)

    def author(self, known: List, mail: MailReceived) -> Author:
        """Who its author was there."""
        then = self.decided(known.slug, mail.mail_id)
        return self._standings.author(
            known,
            self._directory,
            who_is_asked(mail, known),
            then.as_of if then.post and not then.accepted else self._moment.get(mail.mail_id, 0),
            person=then.author,
            without=dict(then.post.without) if then.post else None,
        )

    def all_of(self, mail_id: str) -> Mapping[tuple[str, str], Decided]:
        """All that was decided on a mail, by list and id."""
        return {key: self._decided[key] for key in self._keys.get(mail_id, ())}

    async def unrouted(self, mail_id: str) -> Decided:
        """What was decided on a mail that it is for no list; `NOTHING` where that was not."""
        key = subjects.NO_LIST, mail_id
        if key not in self._decided:
            await self._fold_decisions([f"mail.routed.*.{subjects.NO_LIST}.{mail_id}"])
        found = self._decided.get(key, NOTHING)
        return found if found.kind == "unrouted" else NOTHING

    async def pages(self, begin: datetime, reach: Reach) -> AsyncIterator[list[Taken]]:
        """The mails, in pages."""
        newest = await self._broker.last("RECEIVED", _EVERY)
        page: list[Taken] = []
        first = 0
        async for stored in self._broker.scan("RECEIVED", _EVERY, start_time=begin.isoformat()):
            time = stored.time
            if time >= self._wanted.end or newest is None or stored.seq > newest.seq:
                break
            first = first or stored.seq
            self.total, self.read = newest.seq - first + 1, stored.seq - first + 1
            mail = _mail(stored)
            if time >= self._wanted.begin:
                self._seen.add(stored.subject.rpartition(".")[2])
            if mail is None or (time < self._wanted.begin and not repetition.answers(mail)):
                continue
            page.append(Taken(mail, stored.seq, time))
            if len(page) == PAGE:
                await self._learn(page, reach)
                yield page
                page = []
        if page:
            await self._learn(page, reach)
            yield page

    async def _learn(self, page: Sequence[Taken], reach: Reach) -> None:
        """All that judging these mails needs to know of then."""
        self._decided.clear()
        self._keys.clear()
        self._moment.clear()
        slug = self._wanted.only or "*"
        wanted = [
            f"mail.routed.*.{slug}.{mail_id}"
            for taken in page
            for mail_id in _ids(taken.mail, reach)
        ]
        await self._fold_decisions(wanted)
        for taken in page:
            taken.moment = self._moment[taken.mail.mail_id] = await self.moments.at(taken.stored)
        boxes = (
            box.address
            for taken in page
            for part in (taken.mail.facts.from_, taken.mail.facts.to, taken.mail.facts.cc)
            for box in part
        )
        people = (then.author or "" for then in self._decided.values())
        await learn(self._oracle, self._standings, boxes, people)

    async def _fold_decisions(self, wanted: Sequence[str]) -> None:
        found: defaultdict[tuple[str, str], list[Stored]] = defaultdict(list)
        pieces = [wanted[at : at + TOGETHER] for at in range(0, len(wanted), TOGETHER)]
        for stored in await asyncio.gather(
            *(self._broker.last_many("ROUTED", piece) for piece in pieces)
        ):
            for each in stored.values():
                _, _, _, list_, mail_id = each.subject.split(".")
                found[list_, mail_id].append(each)
        for key, some in found.items():
            some.sort(key=lambda each: each.seq)
            self._decided[key] = fold(_readable(some))
            self._keys[key[1].partition("-")[0]].append(key)

    async def count_gone(self) -> int:
        """How many mails were decided on that are stored no more."""
        state = (await self._broker.api("STREAM.INFO.RECEIVED"))["state"]
        if not state.get("num_deleted") and state["first_seq"] <= 1:
            return 0
        begin, end = self._wanted.begin, self._wanted.end
        gone: set[str] = set()
        every = f"mail.routed.*.{self._wanted.only or '*'}.*"
        async for stored in self._broker.scan("ROUTED", every, start_time=begin.isoformat()):
            _, _, kind, _, numbered_id = stored.subject.split(".")
            mail_id = numbered_id.partition("-")[0]
            if kind != "done" and mail_id not in self._seen and begin <= _arrived(mail_id) < end:
                gone.add(mail_id)
        return len(gone)


def _mail(stored: Stored) -> MailReceived | None:
    if _REFUSED in stored.data:
        return None
    return next((each for each in stored.events() if isinstance(each, MailReceived)), None)


def _arrived(mail_id: str) -> datetime:
    """When a mail came: its id begins with that, as a UUIDv7."""
    return datetime.fromtimestamp(int(mail_id[:12], 16) / 1000, UTC)


def _readable(some: Sequence[Stored]) -> Iterable[tuple[int, Envelope]]:
    for each in some:
        with contextlib.suppress(UnknownEvent):  # of a newer release
            yield each.seq, each.envelope()


def _ids(mail: MailReceived, reach: Reach) -> Iterable[str]:
    """The ids under which a mail may have been decided on."""
    yield mail.mail_id
    if len(mail.facts.to) + len(mail.facts.cc) + len(mail.envelope_to) > 1:
        source = reach.source(mail)
        to = reach.recipients(mail, source) if source else ()
        yield from (each for each, _ in numbered(mail.mail_id, to) if each != mail.mail_id)
