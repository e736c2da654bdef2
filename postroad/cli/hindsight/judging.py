"""Past mail, judged anew mail by mail: read in pages, each asked about at once."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from postroad.cli.hindsight.decided import NOTHING, Decided, fold, of_event
from postroad.cli.hindsight.differing import Judged, Side, compare, mendable
from postroad.cli.hindsight.past import Audiences, Moments, Oracle, learn
from postroad.cli.hindsight.reader import Reader
from postroad.cli.hindsight.rehearsal import Now, Rehearsal
from postroad.cli.hindsight.standing import Standings
from postroad.cli.hindsight.tally import Tally
from postroad.runtime.attach import COMMAND
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.errors import Reject, Retry
from postroad.runtime.health import Health
from postroad.runtime.service import Context
from postroad.runtime.stored import Stored
from postroad.runtime.telemetry import Telemetry
from projections.lists import Directory, List
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.commands import Author
from schemas.envelope import Envelope
from schemas.lists import ListConfigured, ListSettings
from schemas.road import MailReceived
from services.router.decider import numbered
from services.router.reach import Reach
from services.router.recipients import who_is_asked
from services.router.rules import repetition

PAGE = 400  # mails in hand
TOGETHER = 200  # of which decisions are asked for at once: the server answers with 1,000
BEFORE = timedelta(days=1)  # for which `repetition` remembers what an author posted
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
class _Taken:
    mail: MailReceived
    seq: int
    stored: datetime
    moment: int = 0  # the sequence of MEMBERSHIP at which its author was asked about


class Judging:
    """Judges past mail. `tally` counts what was judged, `already` those mails that a proposal does
    not touch, and that today's rules decide otherwise all the same."""

    def __init__(self, broker: Broker, config: Config, oracle: Oracle, wanted: Wanted) -> None:
        self.tally = Tally()
        self.already = 0
        self.total = 0  # sequences of RECEIVED that are read
        self.read = 0
        self._broker, self._oracle, self._wanted = broker, oracle, wanted
        self._unasked: set[str] = set()
        self._config = self._quiet(config)
        self._directory, self._proposed = Directory(), Directory()
        self._versions: defaultdict[str, list[tuple[int, ListSettings]]] = defaultdict(list)
        self._standings = Standings()
        self._moments = Moments(broker)
        self._audiences: Audiences
        self._newest = 0  # of MEMBERSHIP
        self._decided: dict[tuple[str, str], Decided] = {}
        self._keys: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)  # by mail
        self._moment: dict[str, int] = {}

    def notes(self) -> list[str]:
        """What could not be asked, in sentences."""
        found = []
        if "hooks" in self._unasked:
            found.append(
                "hooks were not asked (--hooks has them asked): what they stopped stays stopped, "
                "and fields that they edit are told as different"
            )
        if "spam" in self._unasked:
            found.append("spamd was not asked: what it stopped stays stopped")
        if "dmarc" in self._unasked and self._config.dns.resolver == "none":
            found.append("name servers were not asked: what they said of a mail then holds")
        return found

    async def run(self) -> AsyncIterator[Judged]:
        """Every mail that was, or would be, for the list, in order."""
        await self._fold_lists()
        newest = await self._broker.last("MEMBERSHIP", "membership.>")
        self._newest = newest.seq if newest else 0
        info = await self._broker.api(f"CONSUMER.INFO.RECEIVED.{subjects.ROUTER.name}")
        self._floor = int(info["ack_floor"]["stream_seq"])
        begin = self._wanted.begin - BEFORE
        self._audiences = Audiences(self._oracle, await self._moments.at(begin))
        async with contextlib.AsyncExitStack() as stack:
            rehearsals = [self._rehearsal(self._directory)]
            if self._wanted.proposed:
                rehearsals.append(self._rehearsal(self._proposed))
            for each in rehearsals:
                await stack.enter_async_context(contextlib.aclosing(each.content))
                await stack.enter_async_context(contextlib.aclosing(each.lookups))
            async for page in self._pages(begin, rehearsals[0].reach):
                for judged in await self._judge(page, rehearsals):
                    self.tally.take(judged)
                    yield judged

    # --- what is known --------------------------------------------------------------------------

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

    async def _fold_lists(self) -> None:
        async for stored in self._broker.scan("LISTS", "lists.>"):
            with contextlib.suppress(UnknownEvent):
                slug = stored.subject.removeprefix("lists.")
                events = stored.envelope().events
                self._directory.fold(slug, stored.seq, events, stored.time)
                self._proposed.fold(slug, stored.seq, events, stored.time)
                known = self._directory.get(slug)
                if known is not None:
                    self._versions[slug].append((stored.seq, known.settings))
        if self._wanted.proposed:
            known = self._proposed[self._wanted.only]
            change = ListConfigured(changes=dict(self._wanted.proposed))
            self._proposed.fold(known.slug, known.seq, (change,))

    def _quiet(self, config: Config) -> Config:
        """The settings, without what is not to be asked."""
        replace = msgspec.structs.replace
        if not self._wanted.hooks and config.site.hooks:
            self._unasked.add("hooks")
            config = replace(config, site=replace(config.site, hooks=()))
        if config.spamd is not None:
            self._unasked.add("spam")
            config = replace(config, spamd=None)
        if not self._wanted.dns:
            self._unasked.add("dmarc")
            config = replace(config, dns=replace(config.dns, resolver="none"))
        return config

    def _rehearsal(self, lists: Directory) -> Rehearsal:
        context = Context(
            config=self._config,
            broker=Reader(self._broker),
            telemetry=Telemetry(COMMAND),
            health=Health(COMMAND),
        )
        return Rehearsal(
            context, self, lists, only=self._wanted.only, unasked=frozenset(self._unasked)
        )

    # --- reading --------------------------------------------------------------------------------

    async def _pages(self, begin: datetime, reach: Reach) -> AsyncIterator[list[_Taken]]:
        """The mails, in pages of which all is known; the next is read meanwhile."""
        newest = await self._broker.last("RECEIVED", "mail.received.>")
        page: list[_Taken] = []
        first = 0
        async for stored in self._broker.scan(
            "RECEIVED", "mail.received.>", start_time=begin.isoformat()
        ):
            time = stored.time
            if time >= self._wanted.end or newest is None or stored.seq > newest.seq:
                break
            first = first or stored.seq
            self.total, self.read = newest.seq - first + 1, stored.seq - first + 1
            mail = _mail(stored)
            if mail is None or (time < self._wanted.begin and not repetition.answers(mail)):
                continue
            page.append(_Taken(mail, stored.seq, time))
            if len(page) == PAGE:
                await self._learn(page, reach)
                yield page
                page = []
        if page:
            await self._learn(page, reach)
            yield page

    async def _learn(self, page: Sequence[_Taken], reach: Reach) -> None:
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
            taken.moment = self._moment[taken.mail.mail_id] = await self._moments.at(taken.stored)
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

    # --- judging --------------------------------------------------------------------------------

    async def _judge(self, page: Sequence[_Taken], rehearsals: Sequence[Rehearsal]) -> list[Judged]:
        nows = [
            await asyncio.gather(*(self._rehearse(each, taken) for taken in page))
            for each in rehearsals
        ]
        judged: list[Judged] = []
        for at, taken in enumerate(page):
            if taken.stored < self._wanted.begin:
                continue
            sides = [found[at] for found in nows]
            if any(isinstance(each, str) for each in sides):
                if "gone" in sides:
                    self.tally.gone += 1
                else:
                    self.tally.unjudged += 1
                continue
            judged += await self._compared(taken, [s for s in sides if not isinstance(s, str)])
        return judged

    async def _rehearse(self, rehearsal: Rehearsal, taken: _Taken) -> list[Now] | str:
        try:
            return await rehearsal.rehearse(taken.mail, taken.stored)
        except Reject:
            return "gone"
        except Retry:
            return "unjudged"

    async def _compared(self, taken: _Taken, sides: Sequence[Sequence[Now]]) -> list[Judged]:
        """What would be otherwise at each list that one mail reached, or reaches."""
        by_key = [{(each.list, each.mail_id): each for each in side} for side in sides]
        thens = {key: self._decided[key] for key in self._keys.get(taken.mail.mail_id, ())}
        keys = [*thens, *(key for found in by_key for key in found if key not in thens)]
        keys = [key for key in dict.fromkeys(keys) if self._wanted.only in ("", key[0])]
        real = [key for key in keys if key[0] != subjects.NO_LIST]
        judged = []
        for key in real or keys:
            then = thens.get(key) or await self._elsewhere(taken)
            if then is NOTHING and taken.seq > self._floor:
                self.tally.undecided += 1
                continue
            would = [_now(found, key) for found in by_key]
            judged.append(await self._one(taken, key, then, would))
        return judged

    async def _elsewhere(self, taken: _Taken) -> Decided:
        """What became of a mail that did not reach a list: that it was for none of them, or
        nothing that matters there."""
        key = subjects.NO_LIST, taken.mail.mail_id
        if key not in self._decided:
            await self._fold_decisions([f"mail.routed.*.{subjects.NO_LIST}.{taken.mail.mail_id}"])
        found = self._decided.get(key, NOTHING)
        return msgspec.structs.replace(found, last=0) if found.kind == "unrouted" else NOTHING

    async def _one(
        self, taken: _Taken, key: tuple[str, str], then: Decided, would: Sequence[Decided]
    ) -> Judged:
        slug, mail_id = key
        known = self._directory.get(slug)
        left, right = (then, would[0]) if len(would) == 1 else would
        also = known.settings.also_to if known else ()
        before = self._settings(slug, then).also_to if len(would) == 1 else also
        now = (self._directory if len(would) == 1 else self._proposed).get(slug)
        differs, fields, text, more, fewer = compare(
            left, right, also_then=before, also_now=now.settings.also_to if now else ()
        )
        if len(would) == 2 and not differs and compare(then, would[0])[0]:
            self.already += 1
        moment = then.as_of or taken.moment
        copies = then.audience if then.kind == "post" else 0
        would_go: int | None = 0
        if right.kind == "post" and then.kind == "post":
            would_go = None if copies is None else copies + len(more) - len(fewer)
        elif right.kind == "post" and right.post:
            members = await self._audiences.at(slug, moment, self._newest)
            named = len(now.settings.also_to) if now else 0
            would_go = max(0, members - len(right.post.without)) + named
        if left.kind == "post" and then.kind != "post" and left.post:
            copies = would_go
        may, kept = mendable(left, right)
        facts = taken.mail.facts
        return Judged(
            mail=mail_id,
            list=known.address if known else "",
            time=taken.stored.isoformat(timespec="seconds"),
            author=facts.from_[0].address if facts.from_ else "",
            subject=facts.subject,
            then=_side(left, copies),
            now=_side(right, would_go),
            differs=differs,
            fields=fields,
            text=text,
            more=more,
            fewer=fewer,
            send="post" if may else "copies" if more else "",
            kept=kept or ("copies that are out stay as they are" if fields or fewer else ""),
            slug=slug,
            decided=then.last,
            as_of=moment,
        )

    def _settings(self, slug: str, then: Decided) -> ListSettings:
        """The settings of a list that a post was made under."""
        versions = self._versions.get(slug, [])
        seq = then.post.settings if then.post else 0
        at = bisect_right(versions, seq, key=lambda version: version[0])
        return versions[max(0, at - 1)][1] if versions else ListSettings()


def _mail(stored: Stored) -> MailReceived | None:
    if _REFUSED in stored.data:
        return None
    return next((each for each in stored.events() if isinstance(each, MailReceived)), None)


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


def _now(found: Mapping[tuple[str, str], Now], key: tuple[str, str]) -> Decided:
    """The decision at a list, or why there is none."""
    now = found.get(key) or found.get((subjects.NO_LIST, key[1]))
    return of_event(now.kind, now.event) if now else NOTHING


def _side(decided: Decided, copies: int | None) -> Side:
    return Side(outcome=decided.kind, rule=decided.rule, reason=decided.reason, copies=copies)
