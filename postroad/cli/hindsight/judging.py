"""Past mail, judged anew mail by mail: read in pages, each asked about at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from postroad.cli.hindsight.catalogue import Lists
from postroad.cli.hindsight.decided import NOTHING, Decided, of_event
from postroad.cli.hindsight.differing import Judged, Side, compare, mendable
from postroad.cli.hindsight.past import Audiences, Oracle
from postroad.cli.hindsight.reader import Reader
from postroad.cli.hindsight.rehearsal import Now, Rehearsal
from postroad.cli.hindsight.tally import Tally
from postroad.cli.hindsight.window import BEFORE, Taken, Wanted, Window
from postroad.runtime.attach import COMMAND
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.errors import Reject
from postroad.runtime.health import Health
from postroad.runtime.service import Context
from postroad.runtime.telemetry import Telemetry
from projections.lists import Directory
from schemas import subjects
from schemas.hindsight import Done, MissingCopies

MOST_ASKED = 500  # posts of which it is looked up who has no copy: each reads its chunks


class Judging:
    """Judges past mail. `tally` counts what was judged, `already` those mails that a proposal does
    not touch, and that today's rules decide otherwise all the same."""

    def __init__(self, broker: Broker, config: Config, oracle: Oracle, wanted: Wanted) -> None:
        self.tally = Tally()
        self.already = 0
        self._broker, self._oracle, self._wanted = broker, oracle, wanted
        self._unasked: set[str] = set()
        self._config = self._quiet(config)
        self._lists = Lists()
        self.window = Window(broker, oracle, wanted, self._lists.today)
        self._audiences: Audiences
        self._newest = 0  # of MEMBERSHIP
        self._asked = 0  # posts of which it was looked up who has no copy
        self._floor = 0  # of RECEIVED: what the router has dealt with

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
        await self._lists.fold(self._broker, self._wanted.only, self._wanted.proposed)
        newest = await self._broker.last("MEMBERSHIP", "membership.>")
        self._newest = newest.seq if newest else 0
        info = await self._broker.api(f"CONSUMER.INFO.RECEIVED.{subjects.ROUTER.name}")
        self._floor = int(info["ack_floor"]["stream_seq"])
        begin = self._wanted.begin - BEFORE
        self._audiences = Audiences(self._oracle, await self.window.moments.at(begin))
        async with contextlib.AsyncExitStack() as stack:
            rehearsals = [self._rehearsal(self._lists.today)]
            if self._wanted.proposed:
                rehearsals.append(self._rehearsal(self._lists.proposed))
            for each in rehearsals:
                await stack.enter_async_context(contextlib.aclosing(each.content))
                await stack.enter_async_context(contextlib.aclosing(each.lookups))
            async for page in self.window.pages(begin, rehearsals[0].reach):
                for judged in await self._judge(page, rehearsals):
                    self.tally.take(judged)
                    yield judged
        self.tally.gone += await self.window.count_gone()

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
            context, self.window, lists, only=self._wanted.only, unasked=frozenset(self._unasked)
        )

    # --- judging --------------------------------------------------------------------------------

    async def _judge(self, page: Sequence[Taken], rehearsals: Sequence[Rehearsal]) -> list[Judged]:
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

    async def _rehearse(self, rehearsal: Rehearsal, taken: Taken) -> list[Now] | str:
        try:
            return await rehearsal.rehearse(taken.mail, taken.stored)
        except Reject:
            return "gone"
        except Exception:  # noqa: BLE001  the router would park it
            return "unjudged"

    async def _compared(self, taken: Taken, sides: Sequence[Sequence[Now]]) -> list[Judged]:
        """What would be otherwise at each list that one mail reached, or reaches."""
        by_key = [{(each.list, each.mail_id): each for each in side} for side in sides]
        thens = self.window.all_of(taken.mail.mail_id)
        keys = [*thens, *(key for found in by_key for key in found if key not in thens)]
        keys = [key for key in dict.fromkeys(keys) if self._wanted.only in ("", key[0])]
        real = [key for key in keys if key[0] != subjects.NO_LIST]
        judged = []
        for key in real or keys:
            then = thens.get(key) or await self.window.unrouted(key[1])
            if then is NOTHING and taken.seq > self._floor:
                self.tally.undecided += 1
                continue
            would = [_now(found, key) for found in by_key]
            judged.append(await self._one(taken, key, then, would))
        return judged

    async def _one(
        self, taken: Taken, key: tuple[str, str], then: Decided, would: Sequence[Decided]
    ) -> Judged:
        slug, mail_id = key
        known = self._lists.today.get(slug)
        left, right = (then, would[0]) if len(would) == 1 else would
        also = known.settings.also_to if known else ()
        before = (
            self._lists.settings(slug, then.post.settings if then.post else 0).also_to
            if len(would) == 1
            else also
        )
        now = (self._lists.today if len(would) == 1 else self._lists.proposed).get(slug)
        differs, fields, text, more, fewer = compare(
            left, right, also_then=before, also_now=now.settings.also_to if now else ()
        )
        if len(would) == 2 and not differs and compare(then, would[0])[0]:
            self.already += 1
        moment = then.as_of or taken.moment
        if then.post and right.kind == "post" and len(would) == 1:
            missing = await self._missing(then, moment, len(before))
            if missing:
                more = tuple(dict.fromkeys((*more, *missing)))
                differs = (*differs, *(() if "audience" in differs else ("audience",)))
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
            decided=0 if then.kind == "unrouted" and slug != subjects.NO_LIST else then.last,
            as_of=moment,
        )

    async def _missing(self, then: Decided, moment: int, also: int) -> tuple[str, ...]:
        """Who was to get a post, and has no copy: asked where its fan-out found fewer than there
        were, which is so where somebody left in that moment, too."""
        post = then.post
        if post is None or then.accepted or then.audience is None:
            return ()
        there = await self._audiences.at(post.list, moment, self._newest) - len(post.without)
        if then.audience >= there + also or not self._oracle.runs or self._asked >= MOST_ASKED:
            return ()
        self._asked += 1
        ask = MissingCopies(list=post.list, mail_id=post.mail_id)
        return (await self._oracle.ask("missing", ask, Done)).missing


def _now(found: Mapping[tuple[str, str], Now], key: tuple[str, str]) -> Decided:
    """The decision at a list, or why there is none."""
    now = found.get(key) or found.get((subjects.NO_LIST, key[1]))
    return of_event(now.kind, now.event) if now else NOTHING


def _side(decided: Decided, copies: int | None) -> Side:
    return Side(outcome=decided.kind, rule=decided.rule, reason=decided.reason, copies=copies)
