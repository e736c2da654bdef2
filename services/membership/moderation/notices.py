"""Owners and moderators are told what waits, and what nobody decides on expires.

One event a list in PENDING says how far they were told. Before a letter is written it is claimed
there, and marked as done behind it: whoever dies on the way leaves a claim that the next instance
carries out, and letters have ids made from it, so each goes out once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

import structlog
from msgspec.structs import replace

from postroad.mail.addresses import sub_address
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, now
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.health import Health
from schemas import codec, subjects
from schemas.commands import HeldRow
from schemas.pending import HeldTold
from services.membership.directory import Listed
from services.membership.letters.letter import Letter, notice_id
from services.membership.letters.posting import Letterbox
from services.membership.mirror import Recipient
from services.membership.moderation import notice, schedule
from services.membership.moderation.decider import Verdict
from services.membership.moderation.desk import HeldDesk
from services.membership.moderation.tokens import Tokens
from services.membership.moderation.verdicts import Verdicts
from services.membership.moderation.waiting import Waiting, WaitingMail
from services.membership.owners import Owners
from services.membership.refused import Refused

ACTOR = "service:membership"
LOOK = 60.0  # seconds between two looks, where nothing is held meanwhile
SETTLE = 1.0  # seconds for others that come in the same moment

log = structlog.get_logger()


class HeldNotices:
    """Tells owners of held mail, and lets it expire."""

    def __init__(
        self,
        broker: Broker,
        owners: Owners,
        letterbox: Letterbox,
        waiting: WaitingMail,
        desk: HeldDesk,
        verdicts: Verdicts,
        tokens: Tokens,
        health: Health,
    ) -> None:
        self._broker = broker
        self._owners = owners
        self._letterbox = letterbox
        self._waiting = waiting
        self._desk = desk
        self._verdicts = verdicts
        self._tokens = tokens
        self._health = health

    def poke(self) -> None:
        """Something was held just now."""
        self._verdicts.moved.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Look again and again until told to stop."""
        stop = asyncio.create_task(stopping.wait())
        moved = self._verdicts.moved
        moved.set()  # what happened before nobody has told us of
        while not stopping.is_set():
            poked = asyncio.create_task(moved.wait())
            await asyncio.wait({stop, poked}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
            poked.cancel()
            if moved.is_set():
                await asyncio.wait({stop}, timeout=SETTLE)
            moved.clear()
            if stopping.is_set():
                break
            try:
                await self.look(now())
                waiting = await self._waiting.count()
            except Retry:  # the next look will do
                continue
            except Exception as bug:  # noqa: BLE001  a notice is not worth the service
                log.error("held.not_told", error=type(bug).__name__)  # noqa: TRY400
            else:
                self._health.report("held", "mail", ok=True, waiting=waiting)

    async def look(self, at: datetime) -> None:
        """Do on every list what is due at this time. Raises Retry."""
        for slug in await self._waiting.lists():
            listed = self._desk.listed(slug)
            if listed is not None and listed.state.open:
                with contextlib.suppress(Conflict):  # another instance does it
                    await self._look(listed, at)

    async def _look(self, listed: Listed, at: datetime) -> None:
        slug, days = listed.state.slug, listed.state.settings.max_days_to_hold
        last = await self._broker.last("PENDING", subjects.held_told(slug))
        events = last.envelope().events if last else ()
        told = next((event for event in events if isinstance(event, HeldTold)), None)
        seq, begun = (last.seq if last else 0), told is not None and not told.done
        if not begun and not schedule.due(told, self._waiting.newest(slug), at):
            return
        people = await self._owners.of(listed, correlation=subjects.held_told(slug))
        waiting = await self._expire(listed, await self._waiting.on(slug), told, at)
        if begun and last is not None and told is not None:
            claim = last.envelope().id
        elif waiting and schedule.due(told, waiting[-1].seq, at):
            told = schedule.claim(told, slug, waiting[-1].seq, days, at)
            claim, seq = await self._store(told, seq)
            crashpoint("membership.held_claimed")
        else:
            return
        if waiting:
            await self._tell(listed, people, waiting, told, claim, seq)
        await self._store(replace(told, done=True), seq)

    async def _expire(
        self, listed: Listed, waiting: Sequence[Waiting], told: HeldTold | None, at: datetime
    ) -> list[Waiting]:
        """Discard what has waited too long; what still waits."""
        days = listed.state.settings.max_days_to_hold
        upto = schedule.expired(told, days, at)
        verdict = Verdict(
            word="discard", reason=f"nobody decided on it within {days} days", expired=True
        )
        for one in waiting:
            if one.seq <= upto:
                with contextlib.suppress(Refused):  # somebody decided just now
                    await self._verdicts.give(listed, one.mail_id, verdict, actor=ACTOR)
        return [one for one in waiting if one.seq > upto]

    async def _tell(
        self,
        listed: Listed,
        people: Sequence[Recipient],
        waiting: Sequence[Waiting],
        told: HeldTold,
        claim: str,
        seq: int,
    ) -> None:
        """Write to everybody who may decide."""
        state = listed.state
        named = set(notice.chosen([one.seq for one in waiting], told.after))
        mails = [one for one in waiting if one.seq in named]
        rows = await self._desk.describe(mails)
        for person in people:
            tokens = [await self._tokens.ask(state.slug, row.id, person.person) for row in rows]
            if len(waiting) > 1:
                token = await self._tokens.ask(state.slug, "", person.person)
            else:
                (token,) = tokens
            letter = notice_id(claim, state.slug, f"held {person.person}")
            await self._letterbox.send(
                Letter.of_list(
                    *(state, letter),
                    text=_text(listed, len(waiting)),
                    to=person.address,
                    date=told.at,
                    fields=_fields(listed, rows, tokens, len(waiting) - len(rows), token),
                ),
                notice=letter,
                list_slug=state.slug,
                cause=claim,
                post=seq,
            )

    async def _store(self, told: HeldTold, expect: int) -> tuple[str, int]:
        """The id of the envelope, and its sequence."""
        subject = subjects.held_told(told.list)
        message = envelope([told], correlation=subject, actor=ACTOR)
        data = codec.encode(message)
        return message.id, await self._broker.publish(subject, data, expect=expect)


def _text(listed: Listed, waiting: int) -> str:
    expires = " held_expires" if listed.state.settings.max_days_to_hold else ""
    return ("held_one" if waiting == 1 else "held_several") + expires


def _fields(
    listed: Listed, rows: Sequence[HeldRow], tokens: Sequence[str], others: int, token: str
) -> dict[str, str]:
    """What the letter is told; `token` is brought back by a plain Reply."""
    ways = [_way(listed, each) if each != token else "" for each in tokens]
    return {
        "count": f"{len(rows) + others:,}",
        "waiting": "\n".join(notice.lines(rows, ways, listed.state.address, others)),
        "days": str(listed.state.settings.max_days_to_hold),
        "token": token,
    }


def _way(listed: Listed, token: str) -> str:
    """Where to write about one of several mails."""
    form = listed.state.settings.sub_address
    address = sub_address(listed.state.address, "confirm", form, token)
    return f'{address} with the Subject "confirm {token}"' if form == "none" else address
