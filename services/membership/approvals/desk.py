"""Requests that wait for owners: stored, told, decided, and carried out.

Each step can be repeated: changes are found again by request and verdict, letters have ids made
from them, and what is decided but not done is looked for again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial, reduce

import structlog

from postroad.mail import addresses
from postroad.mail.words import printable
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id, now
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Retry
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.approvals import RequestRow, RequestWord
from schemas.commands import Answer, DecideRequest, ListRequests
from schemas.envelope import Event
from schemas.pending import Action, RequestDecided, RequestMade, VerdictAsked
from schemas.road import AsOf
from services.membership import actors
from services.membership import decider as member
from services.membership.approvals import decider
from services.membership.approvals.decider import State
from services.membership.bans import banned, refusal
from services.membership.directory import Listed
from services.membership.letters.letter import Letter, notice_id
from services.membership.letters.posting import Letterbox
from services.membership.looks import again_and_again
from services.membership.moderation import words
from services.membership.moderation.tokens import Tokens
from services.membership.owners import Owners
from services.membership.people import People
from services.membership.refused import Refused
from services.membership.requests.outbox import Outbox
from services.membership.requests.reply import BY_PROGRAM, Reply, bundles
from services.membership.roster import Roster

ACTOR = "service:membership"
LOOK = 60.0  # seconds between two looks for what has expired, or was left half done
OUTCOME = {"join": 100, "leave": 101}  # numbers of letters, behind those of the verdict's own mail
MOST = 500  # rows of an answer: it stays below the broker's 1 MB
FOLD_SECONDS = 3.0

TURNED_DOWN = Reply("limited", reason="the owners turned the same down within a day")

log = structlog.get_logger()
Decide = Callable[[State], Sequence[Event]]


class Approvals:
    """Everybody who waits for owners."""

    def __init__(
        self,
        broker: Broker,
        roster: Roster,
        people: People,
        owners: Owners,
        letterbox: Letterbox,
        outbox: Outbox,
        tokens: Tokens,
    ) -> None:
        self._broker = broker
        self._roster = roster
        self._people = people
        self._owners = owners
        self._letterbox = letterbox
        self._outbox = outbox
        self._tokens = tokens

    # --- requests -----------------------------------------------------------------------------

    async def wait(self, listed: Listed, made: RequestMade) -> Reply:
        """Have somebody wait for the owners, and tell these; what to say to them. Whoever has
        already what they want waits for nothing."""
        if await self._fulfilled(listed.state.slug, made):
            text = "already_member" if made.action == "join" else "not_member"
            return Reply("answered", text=text, to=made.address, owed=True)
        request = self._id(listed, made.action, made.address)
        decide = partial(decider.decide_make, made=made)
        events = await self._transact(
            listed.state.slug, request, decide, by=made.cause, actor=ACTOR
        )
        crashpoint("membership.request_made")
        if events:
            await self._tell(listed, request, made)
        elif not (await self._look(listed.state.slug, request)).waits:
            return TURNED_DOWN
        told = await self._owners.of(listed, correlation=made.cause)
        text = "request_waits" if told else "request_alone"
        return Reply("waiting", text=text, to=made.address, owed=True)

    async def turned_down(
        self, listed: Listed, action: Action, address: str, *, at: datetime
    ) -> bool:
        """Whether the owners said no to this wish of theirs within a day."""
        request = self._id(listed, action, address)
        return decider.turned_down(await self._look(listed.state.slug, request), at)

    async def _fulfilled(self, list_: str, made: RequestMade) -> bool:
        """Whether they have what they want, whoever gave it to them."""
        person = await self._people.find(made.address)
        standing = await self._roster.standing(list_, person.id if person else "")
        return ("member" in standing.roles) == (made.action == "join")

    def _id(self, listed: Listed, action: Action, address: str) -> str:
        """The same for the same person, list and wish; it tells no address."""
        key = self._people.key_of_normal(addresses.normalise(address))
        bound = f"request\0{listed.state.slug}\0{action}\0{key}".encode()
        return hashlib.blake2b(bound, digest_size=8).hexdigest()

    async def _look(self, list_: str, request: str) -> State:
        last = await self._broker.last("PENDING", subjects.request(list_, request))
        return decider.fold(last.envelope().events if last else ())

    async def _tell(self, listed: Listed, request: str, made: RequestMade) -> None:
        """Write to everybody who may decide."""
        state = listed.state
        for person in await self._owners.of(listed, correlation=made.cause):
            token = await self._tokens.ask(state.slug, made.cause, person.person, request=request)
            notice = notice_id(made.cause, state.slug, f"request {request} {person.person}")
            letter = Letter.of_list(
                *(state, notice),
                text=f"request_{made.action}",
                to=person.address,
                date=made.at,
                fields={"token": token, "waiting": _named(made), "days": str(decider.LIFE.days)},
            )
            await self._letterbox.send(
                letter, notice=notice, list_slug=state.slug, cause=made.cause, post=0
            )

    # --- verdicts -----------------------------------------------------------------------------

    async def obey(
        self,
        listed: Listed,
        asked: VerdictAsked,
        *,
        token: str,
        subject: str,
        text: str,
        mail_id: str,
    ) -> Reply:
        """What came of a moderator's reply with this subject and first text, the mail `mail_id`.
        Who is answered is the moderator whose token it is, whoever wrote."""
        to = await self._owners.address(listed, asked.person, correlation=mail_id)
        if not to:
            return Reply("refused", "the token is of nobody who runs the list now")
        verdict = words.verdict(text)
        if words.by_program(subject, text):
            return BY_PROGRAM
        state = await self._look(asked.list, asked.request)
        if state.made is None or state.made.cause != asked.mail_id:
            fields = {"verdict": "has ended", "waiting": "(it is kept no more)"}
            return Reply("refused", "the request is gone", "request_already", to, fields)
        about = {"waiting": _named(state.made)}
        try:
            if verdict is None and not state.waits:
                raise Refused("decided", "this request is decided")
            if verdict is None:
                raise Refused(
                    "bad_request",
                    "the first line of your answer is none of accept, reject and discard",
                )
            ended = await self.decide(
                *(listed, asked.request, verdict.word),
                reason=verdict.reason,
                by=mail_id,
                actor=f"person:{asked.person}",
            )
        except Refused as refused:
            if refused.code == "decided":
                done = (await self._look(asked.list, asked.request)).decided
                fields = {"verdict": decider.told(done) if done else "has ended", **about}
                return Reply("refused", "it is decided", "request_already", to, fields)
            fields = {"token": token, "reason": str(refused), **about}
            return Reply("refused", "it could not be decided so", "request_refused", to, fields)
        said = f"{ended.end} ({ended.reason})" if ended.reason else ended.end
        fields = {"verdict": said, **about}
        return Reply("decided", ended.end, "request_decided", to, fields, owed=True)

    async def decide(
        self, listed: Listed, request: str, word: RequestWord, *, reason: str, by: str, actor: str
    ) -> RequestDecided:
        """Give a verdict because of the mail or command `by`, and carry it out. Raises Refused
        where there is nothing to decide, or the person cannot be let in."""
        slug = listed.state.slug
        state = await self._look(slug, request)
        if word == "accept" and state.waits and state.made and state.made.action == "join":
            if not listed.state.open:
                raise Refused("closed", f"the list {listed.state.address} is closed")
            if banned(listed.state.settings, self._people, state.made.address):
                raise Refused("banned", refusal(state.made.address))
        decide = partial(
            decider.decide_verdict,
            word=word,
            reason=reason,
            by=by,
            actor=actor,
            at=now(),
        )
        await self._transact(slug, request, decide, by=by, actor=actor)
        crashpoint("membership.request_decided")
        return await self._carry_out(listed, request)

    async def _carry_out(self, listed: Listed, request: str) -> RequestDecided:
        """Do what was decided, and say so to whom it is about."""
        state = await self._look(listed.state.slug, request)
        made, ended = state.made, state.decided
        assert made is not None
        assert ended is not None
        if not ended.done:
            reply = await self._outcome(listed, made, ended)
            for bundle in bundles([reply] if reply else []):
                await self._outbox.write(
                    listed, bundle, cause=ended.by, number=OUTCOME[made.action], at=ended.at
                )
            await self._transact(
                listed.state.slug, request, decider.decide_done, by=f"{ended.by} done", actor=ACTOR
            )
        return ended

    async def _outcome(
        self, listed: Listed, made: RequestMade, ended: RequestDecided
    ) -> Reply | None:
        if ended.end == "discarded":
            return None
        if ended.end != "accepted" and await self._fulfilled(listed.state.slug, made):
            return None
        if ended.end != "accepted":
            text, fields = f"request_{ended.end}", {"reason": ended.reason}
            return Reply("refused", text=text, to=made.address, fields=fields, owed=True)
        joins = made.action == "join"
        if joins:
            evidence = f"{made.evidence}, accepted in {ended.by}"
            person = await self._people.obtain(
                *(made.address, made.display_name),
                evidence=evidence,
                correlation=made.cause,
                actor=ended.actor,
            )
            decide = partial(
                member.decide_subscribe,
                delivery_mode=made.delivery_mode,
                how="mail, accepted by the owners",
                consent=made.consent,
            )
        else:
            found = await self._people.find(made.address)
            if found is None:
                return None
            person = found
            decide = partial(member.decide_unsubscribe, how="mail, accepted by the owners")
        events, seq = await transact(
            *(self._broker, "MEMBERSHIP", subjects.membership(listed.state.slug, person.id)),
            lambda events: reduce(member.evolve, events, member.initial),
            decide,
            correlation=made.cause,
            causation=ended.by,
            actor=ended.actor,
        )
        with contextlib.suppress(Retry):  # whoever asks next should see it
            await self._roster.feed.reached(
                AsOf(membership=seq, people=person.seq), timeout=FOLD_SECONDS
            )
        if not events:  # somebody else did it, and has told them
            return None
        if not joins:
            return Reply("left", text="goodbye", to=made.address, owed=True)
        return Reply("joined", text="welcome", to=made.address, owed=True, person=person.id)

    async def _transact(
        self, list_: str, request: str, decide: Decide, *, by: str, actor: str
    ) -> Sequence[Event]:
        events, _ = await transact(
            *(self._broker, "PENDING", subjects.request(list_, request), decider.fold, decide),
            correlation=by,
            actor=actor,
            latest=True,
        )
        return events

    # --- command line -------------------------------------------------------------------------

    async def ls(self, ask: ListRequests) -> Answer:
        """Who waits, the oldest first."""
        slug = self._roster.feed.lists.find(ask.list).state.slug if ask.list else "*"
        rows = [
            self._row(list_, request, state)
            for list_, request, state in await self._all(slug)
            if state.waits and state.made and not await self._fulfilled(list_, state.made)
        ]
        rows.sort(key=lambda row: row.since)
        return Answer(requests=tuple(rows[:MOST]))

    async def request_decide(self, ask: DecideRequest) -> Answer:
        """Give a verdict; how the request stands then. Raises Refused."""
        found = [one for one in await self._all("*") if one[1].startswith(ask.request)]
        if not found or not ask.request:
            raise Refused(
                "unknown_request", f"there is no request {ask.request!r}; `postroad request ls`"
            )
        if len(found) > 1:
            raise Refused("unknown_request", f"several requests begin with {ask.request}")
        ((list_, request, _),) = found
        listed = self._roster.feed.lists.find(list_)
        reason = printable(" ".join(ask.reason.split()), words.REASON)
        await self.decide(
            *(listed, request, ask.word),
            reason=reason,
            by=new_id(),
            actor=actors.operator(ask.by),
        )
        row = self._row(list_, request, await self._look(list_, request))
        return Answer(changed=1, requests=(row,), as_of=self._roster.feed.as_of)

    async def _all(self, list_: str) -> list[tuple[str, str, State]]:
        """Every request that is remembered: list, id, and how it stands."""
        found = {}
        async for stored in self._broker.scan("PENDING", subjects.request(list_, "*")):
            _, _, slug, request = stored.subject.split(".")
            found[slug, request] = decider.fold(stored.envelope().events)  # the last one counts
        return [(slug, request, state) for (slug, request), state in found.items()]

    def _row(self, list_: str, request: str, state: State) -> RequestRow:
        made, ended = state.made, state.decided
        assert made is not None
        listed = self._roster.feed.lists.get(list_)
        return RequestRow(
            id=request,
            list=listed.state.address if listed else list_,
            action=made.action,
            address=made.address,
            display_name=made.display_name,
            since=made.at.isoformat(timespec="seconds"),
            expires=made.expires.isoformat(timespec="seconds"),
            verdict=ended.end if ended else "",
        )

    # --- what is due --------------------------------------------------------------------------

    async def run(self, stopping: asyncio.Event) -> None:
        """Let requests expire, and finish what was left half done, until told to stop."""
        await again_and_again(
            *(self.look, LOOK, stopping),
            lambda error: log.error("requests.not_looked_at", error=error),
        )

    async def look(self, at: datetime) -> None:
        """Do what is due at this time. Raises Conflict, Retry."""
        for list_, request, state in await self._all("*"):
            listed = self._roster.feed.lists.get(list_)
            if listed is None or state.made is None or (state.decided and state.decided.done):
                continue
            if state.decided is None and at < state.made.expires:
                continue
            expire = partial(decider.decide_expire, actor=ACTOR, at=at)
            await self._transact(list_, request, expire, by=f"{state.made.cause} due", actor=ACTOR)
            await self._carry_out(listed, request)


def _named(made: RequestMade) -> str:
    """Who it is, for owners; on lines of its own, which are never markup."""
    return f"{made.display_name[:60]} <{made.address}>" if made.display_name else made.address
