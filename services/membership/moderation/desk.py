"""Held mail at the command line: what waits, how it looks, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from postroad.mail.words import printable
from postroad.runtime.blobs import get_raw
from postroad.runtime.broker import Broker
from postroad.runtime.errors import Reject, Retry
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.commands import DecideHeld, HeldRow, ListHeld, ShowHeld
from schemas.mail import RawRef
from schemas.road import MailReceived
from services.membership import actors
from services.membership.directory import Listed
from services.membership.feed import Feed
from services.membership.letters.held import counted_as
from services.membership.moderation import decider, words
from services.membership.moderation.decider import State, Verdict
from services.membership.moderation.extract import extract
from services.membership.moderation.verdicts import Verdicts
from services.membership.moderation.waiting import Waiting, WaitingMail
from services.membership.received import Received
from services.membership.refused import Refused
from services.membership.requests.contacts import Contacts

MOST = 200  # rows of an answer: it stays below the broker's 1 MB
LARGEST = 4 << 20  # octets of a mail that is read to show how it begins


class HeldDesk:
    """Answers questions about held mail."""

    def __init__(
        self,
        broker: Broker,
        feed: Feed,
        received: Received,
        verdicts: Verdicts,
        waiting: WaitingMail,
        contacts: Contacts,
    ) -> None:
        self._broker = broker
        self._feed = feed
        self._received = received
        self._verdicts = verdicts
        self._waiting = waiting
        self._contacts = contacts

    async def ls(self, ask: ListHeld) -> tuple[HeldRow, ...]:
        """What waits, the oldest first."""
        lists = [self._slug(ask.list)] if ask.list else await self._waiting.lists()
        found = [one for slug in lists for one in await self._waiting.on(slug)]
        found = sorted((one for one in found if one.seq > ask.after), key=lambda one: one.seq)
        states = [
            await self._verdicts.look(one.list, one.mail_id)
            for one in found[: min(ask.limit, MOST)]
        ]
        return await self._rows(states)

    async def show(self, ask: ShowHeld) -> tuple[HeldRow, ...]:
        """A mail on every list that held it, with how it begins. Raises Refused for one that
        none did."""
        return await self._with_text(await self._states(ask.mail_id, ask.list))

    async def describe(self, waiting: Sequence[Waiting]) -> tuple[HeldRow, ...]:
        """The same of mail that waits."""
        return await self._with_text(
            [await self._verdicts.look(one.list, one.mail_id) for one in waiting]
        )

    def listed(self, slug: str) -> Listed | None:
        """The list with this slug."""
        return self._feed.lists.get(slug)

    async def _with_text(self, states: Sequence[State]) -> tuple[HeldRow, ...]:
        rows = await self._rows(states)
        return tuple(
            [
                replace(row, text=await self._text(state.held.raw))
                for row, state in zip(rows, states, strict=True)
                if state.held is not None
            ]
        )

    async def decide(self, ask: DecideHeld) -> HeldRow:
        """Store a verdict; how the mail stands then. Raises Refused."""
        states = await self._states(ask.mail_id, ask.list)
        waiting = [state for state in states if state.waits]
        if len(waiting) > 1:
            lists = ", ".join([row.list for row in await self._rows(waiting)])
            raise Refused("unknown_post", f"it waits on several lists: {lists}; name one: --list")
        held = (waiting or states)[0].held
        assert held is not None
        listed = self._feed.lists.find(held.list)
        if ask.always:
            await self._check_author(held.raw.mail_id)
        verdict = Verdict(
            word=ask.verdict,
            reason=printable(" ".join(ask.reason.split()), words.REASON),
            always=ask.always,
        )
        actor = actors.operator(ask.by)
        await self._verdicts.give(listed, held.mail_id, verdict, actor=actor)
        (row,) = await self._rows([await self._verdicts.look(held.list, held.mail_id)])
        cause, tells = counted_as(held), self._contacts.could_answer
        if row.untold or await tells(row.author, cause, proved=True):
            return row
        return replace(row, untold="they were written to three times today")

    async def _text(self, raw: RawRef) -> str:
        """How a mail begins, as far as it may be shown; empty where there is nothing."""
        if raw.size > LARGEST:
            return ""
        try:
            return extract(await get_raw(self._broker, raw))
        except (Reject, Retry):  # its bytes are gone
            return ""

    async def _check_author(self, mail_id: str) -> None:
        mail = await self._received.mail(subjects.received("*", mail_id))
        if mail is None or len(mail.facts.from_) != 1:
            raise Refused(
                "not_held", "its From is not one address, so nobody can be accepted always"
            )

    async def _states(self, mail_id: str, name: str) -> list[State]:
        """How a mail stands on the lists that held it. Raises Refused for one that none did."""
        list_ = self._slug(name) if name else "*"
        held = self._broker.scan("ROUTED", subjects.routed("held", list_, mail_id))
        lists = [stored.subject.split(".")[3] async for stored in held]
        if lists:
            return [await self._verdicts.look(slug, mail_id) for slug in dict.fromkeys(lists)]
        if await self._broker.last("ROUTED", subjects.decided(list_, mail_id)) is not None:
            raise Refused("not_held", "it was not held; `postroad post show` tells its story")
        where = f" for {name}" if name else ""
        raise Refused(
            "unknown_post",
            f"there is no such mail{where}; `postroad held ls` shows what waits",
        )

    async def _rows(self, states: Sequence[State]) -> tuple[HeldRow, ...]:
        wanted = [subjects.received("*", s.held.raw.mail_id) for s in states if s.held]
        mails: dict[str, MailReceived] = {}
        for stored in (await self._broker.last_many("RECEIVED", wanted)).values():
            try:
                events = stored.envelope().events
            except UnknownEvent:
                continue
            mails |= {e.mail_id: e for e in events if isinstance(e, MailReceived)}
        return tuple([self._row(state, mails) for state in states])

    def _row(self, state: State, mails: dict[str, MailReceived]) -> HeldRow:
        held, at, decided = state.held, state.at, state.decided
        assert held is not None
        assert at is not None
        mail = mails.get(held.raw.mail_id)
        box = mail.facts.from_[0] if mail is not None and mail.facts.from_ else None
        listed = self._feed.lists.get(held.list)
        days = listed.state.settings.max_days_to_hold if listed else 0
        expires = at + timedelta(days=days) if days and decided is None else None
        return HeldRow(
            id=held.mail_id,
            list=listed.state.address if listed else held.list,
            seq=state.seq,
            since=at.isoformat(timespec="seconds"),
            author=box.address if box else "",
            name=box.name if box else "",
            subject=held.subject,
            message_id=held.message_id,
            size=held.raw.size,
            hits=held.hits,
            expires=expires.isoformat(timespec="seconds") if expires else "",
            verdict=decided.ended if decided else "",
            decided=decider.told(decided) if decided else "",
            untold=self._received.silence(held.hits, mail, self._feed.lists),
        )

    def _slug(self, name: str) -> str:
        return self._feed.lists.find(name).state.slug
