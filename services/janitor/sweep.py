"""One look through the streams: what is finished and has its age goes, the rest is counted.

What there is to look at, the streams say; what of it is finished, the projector; whether that is
so, the streams again, message by message. Each deletion names the last sequence that was looked at,
so what comes meanwhile stays. A look that is cut short, by whatever, leaves nothing half true:
copies go before their mail, what a mail says before its bytes, and the next look finds the rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.config import Retention
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.projector import Ask
from postroad.runtime.pull import head_pages
from postroad.runtime.stored import Stored
from schemas.marks import Diary, Ends, before, horizon
from services.janitor import decider, evidence
from services.janitor.evidence import Evidence
from services.janitor.waiting import Waiting

QUIET = 90 * 86_400.0  # seconds after which nobody is at work; the ledger itself is kept so long
TOGETHER = 200  # mails the projector is asked about at once
SHARE = 3.0  # rests that long for each second of deleting: the road goes first
REST = 1.0  # seconds, at most
IDLE = 300.0  # seconds that a page may take
ENDED = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>"


class Ages(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds: `[retention]`."""

    mail: float
    send: float
    deadletter: float

    @classmethod
    def of(cls, kept: Retention) -> Ages:
        """Those of the settings."""
        return cls(
            mail=kept.mail_seconds, send=kept.send_seconds, deadletter=kept.deadletter_seconds
        )

    @property
    def longest(self) -> float:
        """The longest that is ever asked for."""
        return max(self.mail, self.send, self.deadletter, QUIET)


@dataclass
class Tally:
    """What went (`mails`, `sendings`, `parked`), and how many of each stay, and why."""

    gone: Counter[str] = field(default_factory=Counter)
    kept: dict[str, Counter[str]] = field(default_factory=dict)

    def keep(self, kind: str, why: str) -> None:
        """One stays."""
        self.kept.setdefault(kind, Counter())[why] += 1


class Sweep:
    """Looks through the streams, again and again if need be. With `dry` nothing goes."""

    def __init__(
        self,
        broker: Broker,
        ask: Ask,
        ages: Ages,
        *,
        stopping: asyncio.Event | None = None,
        dry: bool = False,
    ) -> None:
        self._broker = broker
        self._ask = ask
        self._ages = ages
        self._stopping = stopping or asyncio.Event()
        self._dry = dry
        self._evidence = Evidence(broker)
        self._sent: Waiting[tuple[str, str]] = Waiting()
        self._mailed: Waiting[str] = Waiting()

    async def run(self, diary: Diary) -> Tally:
        """One look, as of this diary. Raises PostroadError where the projector cannot answer,
        Retry, ApiError."""
        tally = Tally()
        await self._evidence.begin()
        standing = self._evidence.floors.acked, self._evidence.dead.dropped
        for waiting in (self._sent, self._mailed):
            waiting.begin(diary, standing)
        quiet = horizon(diary, QUIET)
        if (old := horizon(diary, self._ages.send)) is not None:
            await self._sendings(old, quiet, tally)
        if (old := horizon(diary, self._ages.mail)) is not None:
            await self._mails(old, quiet, tally)
        await self._parked(horizon(diary, self._ages.deadletter) or {}, tally)
        return tally

    # --- copies -----------------------------------------------------------------------------------

    async def _sendings(self, old: Ends, quiet: Ends | None, tally: Tally) -> None:
        after = await self._evidence.folded(old)
        seen: set[tuple[str, str]] = set()  # a post has many chunks; it is looked at once
        async for page in self._listed("SEND", "mail.>", old):
            listed = {evidence.sending_of(each.subject): each.seq for each in reversed(page)}
            units = [each for each in listed if each not in seen]
            seen.update(units)
            units = self._sent.due(units, old, partial(tally.keep, "sendings"))
            for start in range(0, len(units), TOGETHER):
                some = units[start : start + TOGETHER]
                mails = sorted({mail for _, mail in some})
                rows = await self._ask("finished_sendings", after=after, mails=mails)
                states = {(row["list"], row["mail"]): row["state"] for row in rows}
                for unit in some:
                    state = states.get(unit, "")
                    still = before(quiet, {"SEND": listed[unit]})
                    why = self._at_once(unit[1], state, still=still)
                    if why:
                        self._sent.note(unit, why)
                    else:
                        why = await self._sending(unit, state, old, quiet)
                    if why:
                        tally.keep("sendings", why)
                    else:
                        tally.gone["sendings"] += 1
                    if self._stopping.is_set():
                        return

    async def _sending(
        self, unit: tuple[str, str], state: str, old: Ends, quiet: Ends | None
    ) -> str:
        found = await self._evidence.sending(*unit, finished=state == decider.FINISHED)
        why = decider.judge_sending(found, old, quiet)
        self._sent.note(unit, why, found.seqs)
        if why:
            return why
        list_, mail = unit
        self._mailed.note(mail.partition("-")[0], "")  # it may have waited for just this
        crashpoint("janitor.before_send")
        await self._purge("SEND", f"mail.send.*.{list_}.{mail}.*", found.seqs.get("SEND", 0))
        crashpoint("janitor.after_send")
        await self._purge("SEND", f"mail.fanout.{list_}.{mail}", found.seqs.get("SEND", 0))
        return ""

    # --- mail itself ------------------------------------------------------------------------------

    async def _mails(self, old: Ends, quiet: Ends | None, tally: Tally) -> None:
        after = await self._evidence.folded(old)
        kept: set[str] = set()  # by what RECEIVED has of it: its bytes need not be looked at
        for stream, subject in (("RECEIVED", "mail.received.>"), ("RAW", "raw.>")):
            async for page in self._listed(stream, subject, old):
                listed = {evidence.mail_of(each.subject): each.seq for each in reversed(page)}
                listed = {mail: seq for mail, seq in listed.items() if mail not in kept}
                mails = self._mailed.due(listed, old, partial(tally.keep, "mails"))
                kept.update(listed.keys() - mails)
                for start in range(0, len(mails), TOGETHER):
                    some = mails[start : start + TOGETHER]
                    rows = await self._ask("finished_mails", after=after, mails=some)
                    states = {row["mail"]: row["state"] for row in rows}
                    for mail in some:
                        state = states.get(mail, "")
                        still = before(quiet, {stream: listed[mail]})
                        why = self._at_once(mail, state, still=still)
                        if why:
                            self._mailed.note(mail, why)
                        else:
                            why = await self._mail(mail, state, old, quiet)
                        if why:
                            tally.keep("mails", why)
                        else:
                            tally.gone["mails"] += 1
                        if why or self._dry:
                            kept.add(mail)
                        if self._stopping.is_set():
                            return

    async def _mail(self, mail: str, state: str, old: Ends, quiet: Ends | None) -> str:
        found = await self._evidence.mail(mail, state=state)
        why = decider.judge_mail(found, old, quiet, self._evidence.floors)
        self._mailed.note(mail, why, found.seqs)
        if why:
            return why
        crashpoint("janitor.before_mail")
        await self._purge("RECEIVED", f"mail.received.*.{mail}", found.seqs.get("RECEIVED", 0))
        crashpoint("janitor.after_received")
        await self._purge("RAW", f"raw.{mail}.>", old["RAW"])
        return ""

    # --- what was parked --------------------------------------------------------------------------

    async def _parked(self, old: Ends, tally: Tally) -> None:
        dead = self._evidence.dead
        for _ in dead.mails:
            tally.keep("parked", "parked")
        gone = []
        for each in dead.resolved:
            if not before(old, {"DEADLETTER": each.seq}):
                tally.keep("parked", "young")
            elif each.how == "dropped" and not await self._evidence.is_gone(each):
                tally.keep("parked", "sending")
            else:
                gone.append(each)
        if gone:
            tally.gone["parked"] += len(gone)
        if not self._dry:
            await self._advisories(old, {tuple(each.subject.split(".")[1:]) for each in gone})
            for each in gone:
                await self._broker.erase("DEADLETTER", each.parked)
                await self._broker.erase("DEADLETTER", each.seq)

    async def _advisories(self, old: Ends, gone: Collection[tuple[str, ...]]) -> None:
        """Delete what the broker said of these, and of what was parked and is deleted: whoever
        ends a message has parked it before."""
        parked = {tuple(each.split(".")[1:]) for each in self._evidence.dead.parked}
        async for stored in self._broker.scan("DEADLETTER", ENDED):
            if stored.seq > old.get("DEADLETTER", 0):
                return
            said = _advised(stored.data)
            about = said.consumer, said.stream, str(said.stream_seq)
            if said.stream and (about in gone or about not in parked):
                await self._broker.erase("DEADLETTER", stored.seq)

    # --- both -------------------------------------------------------------------------------------

    def _at_once(self, mail: str, state: str, *, still: bool) -> str:
        """Why something stays, where the streams need not be asked; empty where they are: the
        projector knows no better, or it has been `still` for so long that this may be wrong."""
        base = mail.partition("-")[0]
        if base in self._evidence.dead.mails:
            return "parked"
        if still or state in ("", decider.FINISHED) or base in self._evidence.dead.dropped_mails:
            return ""
        return state

    async def _listed(
        self, stream: str, subject: str, old: Ends
    ) -> AsyncIterator[Sequence[Stored]]:
        """The messages in a stream up to a horizon, by pages and without their bytes."""
        upto = old.get(stream, 0)
        info = await self._broker.api(f"STREAM.INFO.{stream}")
        if not info["state"]["messages"] or info["state"]["first_seq"] > upto:
            return
        pages = head_pages(self._broker, stream, subject, seconds=IDLE)
        async with aclosing(pages):  # type: ignore[type-var]
            async for page in pages:
                if listed := [stored for stored in page if stored.seq <= upto]:
                    yield listed
                if page[-1].seq > upto:
                    return

    async def _purge(self, stream: str, subject: str, upto: int) -> None:
        if self._dry or not upto:
            return
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await self._broker.purge(stream, subject, upto)
        await asyncio.sleep(min(REST, SHARE * (loop.time() - begun)))


class _Advisory(msgspec.Struct):
    """What the broker says of a message that was ended."""

    stream: str = ""
    consumer: str = ""
    stream_seq: int = 0


def _advised(data: bytes) -> _Advisory:
    try:
        return msgspec.json.decode(data, type=_Advisory)
    except msgspec.DecodeError:
        return _Advisory()
