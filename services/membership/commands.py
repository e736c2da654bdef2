"""Commands over NATS micro: `postroad.membership.<name>`, one function each.

A change is answered once this instance's roster has folded it, so that whoever asks next sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

import msgspec

from postroad.mail import addresses
from postroad.mail.words import printable
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id, now
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.settings_retention import Retention
from postroad.runtime.transact import transact
from schemas import codec, subjects
from schemas.commands import (
    Answer,
    Author,
    Change,
    ChangeMember,
    CloseList,
    ConfigureList,
    CreateList,
    DecideHeld,
    ListHeld,
    ListLists,
    ListRow,
    MemberBounces,
    RetryFailed,
    RosterPage,
    ShowHeld,
    ShowList,
    Subscribe,
    Unsubscribe,
    WhoIs,
)
from schemas.envelope import Event
from schemas.mass import ImportMembers, UndoChange
from schemas.road import AsOf
from services.membership import actors, decider, entries, importing, lists, retrying, undoing
from services.membership.afterall import AfterAll
from services.membership.approvals.desk import Approvals
from services.membership.authors import author
from services.membership.bans import banned, own_address, refusal
from services.membership.bounces.scores import Scores
from services.membership.directory import Listed
from services.membership.entries import Around
from services.membership.history import History
from services.membership.letters.templates import Templates
from services.membership.links import Links
from services.membership.moderation.desk import HeldDesk
from services.membership.people import People, valid
from services.membership.refused import Refused
from services.membership.requests.moving import Moving
from services.membership.requests.outbox import Outbox
from services.membership.requests.questions import Questions
from services.membership.requests.reply import Reply, bundles, in_role
from services.membership.roster import Roster

LONGEST_PAGE = 1_000  # rows: an answer stays below the broker's 1 MB
LONGEST_ANSWER = 900_000  # octets of rows of lists, for the same reason
TRIES = 20
LONGEST_REASON = 300  # characters
FOLD_SECONDS = 3.0  # less than callers wait: what is stored is stored, folded or not

S = TypeVar("S")


class Commands:
    """Everything membership can be asked."""

    def __init__(
        self,
        broker: Broker,
        roster: Roster,
        people: People,
        questions: Questions,
        outbox: Outbox,
        held: HeldDesk,
        approvals: Approvals,
        templates: Templates,
        *,
        links: Links,
        after_all: AfterAll,
        retention: Retention,
        erasures: Path,
    ) -> None:
        self.broker, self.roster, self.people = broker, roster, people
        self.questions, self.outbox = questions, outbox
        self.held, self.approvals, self.templates = held, approvals, templates
        self.links, self.after_all = links, after_all
        self.retention, self.erasures = retention, erasures  # rules, and notes, of erasing
        self.history = History(broker, roster, people)
        self.scores = Scores(broker, roster, people)
        self._synced = asyncio.Lock()  # of two syncs at once one sees what the other has done
        self.moving = Moving(broker, roster, people, questions, outbox)

    async def whois(self, ask: WhoIs) -> Author:
        """Who an author is on a list, as far as is folded."""
        return await author(self.roster, self.people, ask)

    # --- lists --------------------------------------------------------------------------------

    async def list_create(self, ask: CreateList) -> Answer:
        """A new list."""
        address = addresses.normalise(valid(ask.address))
        directory = self.roster.feed.lists
        for _ in range(TRIES):
            created = lists.decide_create(
                directory.known,
                address=address,
                typed=ask.settings,
                around=self._around(address),
            )
            subject = subjects.lists(created.slug)
            actor = actors.operator(ask.by)
            data = codec.encode(envelope([created], correlation=new_id(), actor=actor))
            try:
                seq = await self.broker.publish(subject, data, expect=0)
            except Conflict:
                last = await self.broker.last("LISTS", subject)  # somebody took the slug
                seq = last.seq if last else 0
            else:
                return await self._changed([created], lists=seq)
            await self.roster.feed.reached(AsOf(), lists=seq)
        raise Retry("too many lists are being created at once")

    async def list_set(self, ask: ConfigureList) -> Answer:
        """Change settings."""
        around = self._around(self.roster.feed.lists.find(ask.list).state.address)
        decide = partial(lists.decide_configure, typed=ask.settings, around=around)
        return await self._on_list(ask, decide)

    async def list_close(self, ask: CloseList) -> Answer:
        """Take no more mail."""
        return await self._on_list(ask, partial(lists.decide_close, reason=ask.reason))

    async def list_show(self, ask: ShowList) -> Answer:
        """One list, open or closed."""
        listed = self.roster.feed.lists.find(ask.list)
        return Answer(lists=await self._rows([listed]), as_of=self.roster.feed.as_of)

    async def list_ls(self, ask: ListLists) -> Answer:
        """Open lists: as many as one message can hold."""
        page = self.roster.feed.lists.page(ask.after, min(ask.limit, LONGEST_PAGE))
        rows = await self._rows(list(page))
        ends = accumulate(len(msgspec.json.encode(row)) for row in rows)
        fit = sum(end <= LONGEST_ANSWER for end in ends)
        return Answer(lists=rows[: max(1, fit)], as_of=self.roster.feed.as_of)

    def _around(self, address: str) -> Around:
        """What the settings of the list `address` are read in the light of."""
        return Around(
            domain=address.rpartition("@")[2],
            lists=self.roster.feed.lists.addresses,
            key=self.people.key_of_normal,
            languages=self.templates.readers.site.languages,
        )

    async def _rows(self, found: Sequence[Listed]) -> tuple[ListRow, ...]:
        counts = await self.roster.counts([listed.state.slug for listed in found])
        rows = []
        for listed in found:
            members, owners, moderators = counts.get(listed.state.slug, (0, 0, 0))
            rows.append(
                ListRow(
                    address=listed.state.address,
                    slug=listed.state.slug,
                    settings=entries.shown(listed.state.settings),
                    members=members,
                    owners=owners,
                    moderators=moderators,
                    since=listed.since.isoformat(timespec="seconds"),
                    closed=listed.state.closed,
                )
            )
        return tuple(rows)

    async def _on_list(
        self,
        ask: ConfigureList | CloseList,
        decide: Callable[[lists.State], Sequence[Event]],
    ) -> Answer:
        subject = subjects.lists(self.roster.feed.lists.find(ask.list).state.slug)
        events, seq = await self._transact(
            ask, "LISTS", subject, lists.initial, lists.evolve, decide
        )
        return await self._changed(events, lists=seq)

    # --- members ------------------------------------------------------------------------------

    async def subscribe(self, ask: Subscribe) -> Answer:
        """Give somebody a role on a list, or ask them first whether they want it."""
        listed = self._list(ask.list)
        settings = listed.state.settings
        if self.roster.feed.lists.reserved(listed.state.slug, valid(ask.address)):
            raise own_address(ask.address)
        if ask.role == "member" and banned(settings, self.people, valid(ask.address)):
            raise Refused("banned", refusal(ask.address))
        if not ask.confirmed and ask.role != "nonmember":
            return await self._ask_first(listed, ask)
        person = await self.people.obtain(
            ask.address,
            ask.display_name,
            evidence=ask.how,
            correlation=new_id(),
            actor=actors.operator(ask.by),
        )
        decide = partial(
            decider.decide_subscribe,
            role=ask.role,
            delivery_mode=ask.delivery_mode,
            how=ask.how,
        )
        answer = await self._on_member(ask, listed, person.id, decide, people=person.seq)
        if ask.welcome and answer.changed and ask.role == "member":
            to = valid(ask.address)
            welcome = Reply("joined", text="welcome", to=to, person=person.id)
            await self._write(listed, welcome, new_id())
        return answer

    async def _ask_first(self, listed: Listed, ask: Subscribe) -> Answer:
        """Send a confirmation, unless they have the role; nobody is kept before they agree."""
        address = valid(ask.address)
        person = await self.people.find(address)
        slug = listed.state.slug
        if person and ask.role in (await self.roster.standing(slug, person.id)).roles:
            return Answer(as_of=self.roster.feed.as_of)
        cause = new_id()
        question = await self.questions.ask(
            listed,
            "join",
            address,
            name=ask.display_name,
            role=ask.role,
            delivery_mode=ask.delivery_mode,
            cause=cause,
            at=now(),
            text="confirm_invitation" if ask.role == "member" else "confirm_role",
            invited=True,
        )
        question = in_role(question, ask.role)
        if question.outcome == "limited":
            raise Refused(
                "limited",
                "this address was asked in the last 24 hours; wait for the answer, or add them "
                "with --confirmed if they have agreed",
            )
        await self._write(listed, question, cause)
        return Answer(changed=1, as_of=self.roster.feed.as_of)

    async def _write(self, listed: Listed, reply: Reply, cause: str) -> None:
        (bundle,) = bundles([reply])
        await self.outbox.write(listed, bundle, cause=cause, at=now())

    async def unsubscribe(self, ask: Unsubscribe) -> Answer:
        """Take a role away. Who never had it, or is nobody we know, simply has it not."""
        listed = self._list(ask.list)
        person = await self.people.find(ask.address)
        if person is None:
            return Answer(as_of=self.roster.feed.as_of)
        reason = _reason(ask.reason)
        decide = partial(decider.decide_unsubscribe, role=ask.role, how=ask.how, reason=reason)
        return await self._on_member(ask, listed, person.id, decide)

    async def member_set(self, ask: ChangeMember) -> Answer:
        """Change how a member reads, or is moderated."""
        listed = self._list(ask.list)
        person = await self.people.find(ask.address)
        if person is None:
            raise decider.not_on_list()
        language = ask.preferred_language and self.templates.language(ask.preferred_language)
        decide = partial(
            decider.decide_change,
            delivery_mode=ask.delivery_mode,
            delivery_status=ask.delivery_status,
            moderation_action=ask.moderation_action,
            receive_own_postings=ask.receive_own_postings,
            receive_list_copy=ask.receive_list_copy,
            preferred_language=language,
            how=ask.how,
            reason=_reason(ask.reason),
        )
        return await self._on_member(ask, listed, person.id, decide)

    async def import_members(self, ask: ImportMembers) -> Answer:
        """Up to 1,000 people of a file at once."""
        listed = self._list(ask.list)
        async with self._synced if ask.seen else contextlib.nullcontext():
            imported = await importing.store(self.broker, self.roster, self.people, listed, ask)
        if not ask.more and not ask.dry:
            await self._folded(imported.as_of)
        return Answer(
            changed=imported.changed,
            bad_rows=imported.bad_rows,
            away_rows=imported.away_rows,
            after=imported.seen,
            as_of=self.roster.feed.as_of,
        )

    async def undo(self, ask: UndoChange) -> Answer:
        """Some of whom a mass change has changed are put back."""
        listed = self._list(ask.list)
        answer = await undoing.undo(self.broker, self.roster, self.people, listed, ask)
        if not ask.dry:
            await self._folded(answer.as_of)
        return answer

    async def roster_page(self, ask: RosterPage) -> Answer:
        """Who has a role on a list."""
        listed = self.roster.feed.lists.find(ask.list)
        limit = min(ask.limit, LONGEST_PAGE)
        rows = await self.roster.page(listed.state.slug, ask.role, ask.after, limit)
        return Answer(rows=tuple(rows), as_of=self.roster.feed.as_of)

    async def retry(self, ask: RetryFailed) -> Answer:
        """Try the failed copies of a post once more, or only count them."""
        return Answer(failed=await retrying.retry(self.broker, self.roster, ask))

    async def member_bounces(self, ask: MemberBounces) -> Answer:
        """Who has bounces on a list, and which."""
        return Answer(bounces=await self.scores.ls(ask), as_of=self.roster.feed.as_of)

    # --- held mail ----------------------------------------------------------------------------

    async def held_ls(self, ask: ListHeld) -> Answer:
        """What waits for a verdict."""
        return Answer(held=await self.held.ls(ask), as_of=self.roster.feed.as_of)

    async def held_show(self, ask: ShowHeld) -> Answer:
        """One held mail, with how it begins."""
        return Answer(held=await self.held.show(ask), as_of=self.roster.feed.as_of)

    async def held_decide(self, ask: DecideHeld) -> Answer:
        """A verdict on one."""
        return Answer(changed=1, held=(await self.held.decide(ask),), as_of=self.roster.feed.as_of)

    async def _on_member(
        self,
        ask: Change,
        listed: Listed,
        person: str,
        decide: Callable[[decider.State], Sequence[Event]],
        *,
        people: int = 0,
    ) -> Answer:
        subject = subjects.membership(listed.state.slug, person)
        events, seq = await self._transact(
            ask, "MEMBERSHIP", subject, decider.initial, decider.evolve, decide
        )
        return await self._changed(events, membership=seq, people=people)

    def _list(self, name: str) -> Listed:
        return self.roster.feed.lists.find_open(name)

    async def _transact(
        self,
        ask: Change,
        stream: str,
        subject: str,
        initial: S,
        evolve: Callable[[S, Event], S],
        decide: Callable[[S], Sequence[Event]],
    ) -> tuple[Sequence[Event], int]:
        def fold(events: Iterable[Event]) -> S:
            return reduce(evolve, events, initial)

        actor = actors.operator(ask.by)
        return await transact(
            self.broker, stream, subject, fold, decide, correlation=new_id(), actor=actor
        )

    async def _changed(
        self, events: Sequence[Event], *, membership: int = 0, people: int = 0, lists: int = 0
    ) -> Answer:
        await self._folded(AsOf(membership=membership, people=people), lists=lists)
        return Answer(changed=len(events), as_of=self.roster.feed.as_of)

    async def _folded(self, as_of: AsOf, *, lists: int = 0) -> None:
        # it is stored even if not folded in time; only who asks at once may not see it yet
        with contextlib.suppress(Retry):
            await self.roster.feed.reached(as_of, lists=lists, timeout=FOLD_SECONDS)


def _reason(text: str) -> str:
    """A reason as typed, ready to be kept for ever. Raises Refused where it tells an address."""
    if "@" in text:
        raise Refused("bad_request", "the reason is kept for ever: leave the address out of it")
    return printable(" ".join(text.split()), LONGEST_REASON)
