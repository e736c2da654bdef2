"""What became of one mail, told from its events. Pure.

Feed it the events of RECEIVED and ROUTED (bounces about the mail too), then those of DELIVERY,
then those of SEND: who is in trouble is known before the chunks are read that say who that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from postroad.cli.durations import Durations, durations
from postroad.cli.output import counted
from postroad.cli.story import Fate, Line, Returned, Story, Trouble, Wait
from postroad.cli.windowwords import counts, doubtful_in
from postroad.mail.refusals import why
from schemas import subjects
from schemas.envelope import Event
from schemas.mail import HeaderFacts
from schemas.road import (
    BounceRouted,
    ChunkQueued,
    CommandDone,
    CommandRouted,
    FanoutDone,
    HeldAccepted,
    MailReceived,
    MailRefused,
    MailStopped,
    MailUnrouted,
    Outcome,
    OwnerMailRouted,
    PostRouted,
    RuleHit,
    WindowRecorded,
)
from services.membership.moderation import decider

LINES = 20  # windows told one by one; a large post has thousands


class Teller:
    """Folds events into a story. `addresses` names lists by their slug."""

    def __init__(self, mail_id: str, addresses: Mapping[str, str]) -> None:
        self.story = Story(id=mail_id)
        self._addresses = addresses
        self._lines: list[Line] = []
        self.fates: dict[str, Fate] = {}  # by slug
        self._troubles: dict[str, dict[str, Trouble]] = {}
        self._left: dict[str, set[str]] = {}  # by slug: persons
        self._intents: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
        self._last_window: dict[str, datetime] = {}
        self._stands: dict[
            tuple[str, str], tuple[int, bool]
        ] = {}  # where a chunk ends, if it is over
        self._fanned_out: set[str] = set()  # slugs of which every chunk is known
        self._growing: dict[str, tuple[set[str], datetime]] = {}  # of the others: chunks, the last
        self._late: set[tuple[str, str]] = set()  # chunks of who was missing at first
        self._waits: dict[str, dict[str, Wait]] = {}  # by slug, by reason
        self._taken: dict[str, list[tuple[datetime, int]]] = {}  # by slug: copies, and when
        self._let_through: dict[str, datetime] = {}  # by slug: since when it was a post

    def take(self, at: datetime, event: Event, actor: str = "") -> None:
        """Take in one event, stored at this time, and who did it (`Envelope.actor`)."""
        self.story.name_by(event)
        match event:
            case MailReceived() | MailRefused():
                self._received(at, event)
            case CommandDone():
                self._done(at, event)
            case PostRouted() | OwnerMailRouted() | CommandRouted() | BounceRouted():
                self._routed(at, event)
            case MailStopped() if event.held:
                said = event.hits[0] if event.hits else RuleHit(rule="", reason="")
                expired = "expired" if said.rule == decider.BY_TIME else ""
                self._verdict(at, event.list, event.verdict, expired or actor, said.reason)
            case HeldAccepted():
                always = "and its sender from now on" if event.always else ""
                self._verdict(at, event.list, "accepted", actor, always)
            case MailStopped():
                self._decided(at, event.list, event.verdict, _told(event.hits))
            case MailUnrouted():
                self._decided(at, "", "unrouted", (event.reason,))
            case FanoutDone():
                fate = self._fate(event.list)
                fate.recipients, fate.chunks = event.audience, event.chunks
                self._fanned_out.add(event.list)
                self._say(at, event.list, _queued(event.audience, event.chunks, fate.kind))
            case WindowRecorded() | ChunkQueued():
                self._sent(at, event)
            case _:
                pass

    def wait(self, chunk: ChunkQueued, why: str, due: datetime | None = None) -> None:
        """Who has no copy of this chunk yet waits, until then, for this; where that is empty, each
        for what they were refused for."""
        if self.over(chunk):
            return
        end, _ = self._stands.get((chunk.list, chunk.chunk), (0, False))
        troubles = self._troubles.get(chunk.list, {})
        waits = self._waits.setdefault(chunk.list, {})
        for index, person in enumerate(chunk.people):
            trouble = troubles.get(person)
            deferred = trouble is not None and trouble.kind == "deferred"
            if index < end and not deferred:
                continue
            reason = why or (_refusal(trouble) if trouble is not None else "refused for now")
            found = waits.setdefault(reason, Wait(copies=0, why=reason, next=due))
            found.copies += 1
            if due is not None:
                found.next = min(found.next or due, due)
            if trouble is not None:  # had it failed for good, it was told to be sent again
                trouble.kind, trouble.why, trouble.next = "deferred", reason, due

    def over(self, chunk: ChunkQueued) -> bool:
        """Whether nothing more is sent of this chunk; who is tried again stands in another."""
        return self._stands.get((chunk.list, chunk.chunk), (0, False))[1]

    def tell(self) -> Story:
        """The story so far, its lines in order of time."""
        for slug, fate in self.fates.items():
            found = self._troubles.get(slug, {}).values()
            fate.troubles = tuple(sorted(found, key=lambda trouble: trouble.kind != "failed"))
            fate.failed = sum(trouble.kind == "failed" for trouble in fate.troubles)
            fate.left = len(self._left.get(slug, ()))
            fate.waiting = self._waiting(slug, fate)
            fate.waits = self._told_waits(slug, fate.waiting)
            fate.took = self._took(slug)
            if slug in self._growing and slug not in self._fanned_out:
                at, so_far = self._growing[slug][1], _queued(fate.recipients, fate.chunks)
                self._say(at, slug, f"{so_far} so far; the rest is not queued yet")
            if fate.windows > LINES:
                left_out = f"{fate.windows - LINES} more windows, the last now"
                self._say(self._last_window[slug], slug, left_out)
        self.story.lists = tuple(self.fates.values())
        self.story.timeline = tuple(sorted(self._lines, key=lambda line: line.at))
        return self.story

    def _took(self, slug: str) -> Durations | None:
        """How long its copies took since the mail came in, where that is known still, or since it
        was let through: what a moderator takes is no time of delivery."""
        if (began := self._let_through.get(slug, self.story.received)) is None:
            return None
        taken = self._taken.get(slug, ())
        return durations(((at - began).total_seconds(), copies) for at, copies in taken)

    def owes(self) -> bool:
        """Whether somebody waits for a copy, as far as was told."""
        return any(self._waiting(slug, fate) for slug, fate in self.fates.items())

    def _waiting(self, slug: str, fate: Fate) -> int:
        troubles = self._troubles.get(slug, {}).values()
        failed = sum(trouble.kind == "failed" for trouble in troubles)
        return max(0, fate.recipients - fate.accepted - failed - len(self._left.get(slug, ())))

    def _told_waits(self, slug: str, waiting: int) -> tuple[Wait, ...]:
        """Why copies wait, the most first; of some it may just be changing."""
        waits = list(self._waits.get(slug, {}).values())
        if (rest := waiting - sum(wait.copies for wait in waits)) > 0:
            waits.append(Wait(copies=rest, why="just being queued"))
        return tuple(sorted(waits, key=lambda wait: -wait.copies))

    def _received(self, at: datetime, event: MailReceived | MailRefused) -> None:
        story, origin = self.story, event.origin
        where = (origin.folder, f"UID {origin.uid}" if origin.uid else origin.name)
        place = f"{origin.source} ({', '.join(filter(None, where)) or 'handed over'})"
        story.received, story.source = at, origin.source
        if isinstance(event, MailRefused):
            story.size = event.size
            detail = f": {event.detail}" if event.detail else ""
            why = event.reason.replace("_", " ")
            self._say(at, "", f"left on {place}, {event.size:,} octets: {why}{detail}")
            return
        story.size = event.raw.size
        story.message_id, story.subject = event.facts.message_id, event.facts.subject
        story.author = author(event.facts)
        self._say(at, "", f"received from {place}, {event.raw.size:,} octets")

    def _routed(
        self, at: datetime, event: PostRouted | OwnerMailRouted | CommandRouted | BounceRouted
    ) -> None:
        match event:
            case PostRouted():
                by = () if event.rule in ("", "truth") else (f"accepted by the rule {event.rule}",)
                self._decided(at, event.list, "post", (*by, *_told(event.hits)))
                fate = self._fate(event.list)
                if fate.verdict == "accepted":
                    self._let_through.setdefault(event.list, at)
                fate.parent, fate.thread = event.parent, event.thread
                fate.answers, fate.namesake = event.answers, event.namesake
            case OwnerMailRouted():
                if event.list == subjects.NO_LIST:  # it is for the owner of a domain
                    self._addresses = {**self._addresses, event.list: event.domain}
                self._decided(at, event.list, "owner", ())
            case CommandRouted():
                self._decided(at, event.list, "command", (event.command,))
            case BounceRouted() if event.mail_id != self.story.id:
                self._came_back(at, event)
            case BounceRouted():
                about = (f"about {event.about}",) if event.about else ()
                self._decided(at, event.list, "bounce", about)

    def _decided(self, at: datetime, slug: str, kind: str, reasons: tuple[str, ...]) -> None:
        fate = self._fate(slug)
        fate.kind, fate.reasons = kind, reasons
        what = "mail for its owners" if kind == "owner" else kind
        self._say(at, slug, f"{what} ({'; '.join(reasons)})" if reasons else what)

    def _verdict(self, at: datetime, slug: str, kind: str, actor: str, reason: str) -> None:
        """What became of a held mail: who decided, and what they said."""
        fate = self._fate(slug)
        expired = actor == "expired"
        who = "nobody decided" if expired else f"by {decider.actor(actor)}"
        fate.kind, fate.verdict, fate.decided_by = kind, "expired" if expired else kind, actor
        fate.reasons = (reason,) if reason else ()
        self._say(at, slug, f"{kind}: {who}{f' ({reason})' if reason else ''}")

    def _done(self, at: datetime, event: CommandDone) -> None:
        self._fate(event.list).outcome = event.outcome
        reason = f" ({event.reason})" if event.reason else ""
        self._say(at, event.list, f"{event.outcome.replace('_', ' ')}{reason}")
        self._notice(event.list, event.notice)

    def _notice(self, slug: str, notice: str) -> None:
        fate = self._fate(slug)
        if notice and notice not in fate.notices:
            fate.notices = (*fate.notices, notice)

    def _sent(self, at: datetime, event: WindowRecorded | ChunkQueued) -> None:
        if event.mail_id != self.story.id:
            self._answered(at, event)
        elif isinstance(event, WindowRecorded):
            self._window(at, event)
        else:
            self._chunk(at, event)

    def _answered(self, at: datetime, event: WindowRecorded | ChunkQueued) -> None:
        """A notice was queued, or a relay has said something of it."""
        self._notice(event.list, event.mail_id)
        if isinstance(event, ChunkQueued):
            again = "tried again" if event.attempt else "queued"
            self._say(at, event.list, f"notice {event.mail_id} {again}")
        elif event.outcome is not None and event.outcome.end > event.outcome.start:
            said = f"{counts(event.outcome)} by {event.relay}"
            self._say(at, event.list, f"notice {event.mail_id}: {said}")

    def _came_back(self, at: datetime, event: BounceRouted) -> None:
        fate = self._fate(event.list)
        bounce = Returned(mail=event.mail_id, at=at, number=event.number)
        fate.bounces = (*fate.bounces, bounce)
        if len(fate.bounces) <= LINES:
            self._say(at, event.list, f"a copy came back: bounce {event.mail_id}")

    def _window(self, at: datetime, event: WindowRecorded) -> None:
        key = event.list, event.chunk
        end = event.outcome.end if event.outcome is not None else self._stands.get(key, (0,))[0]
        self._stands[key] = end, event.finished
        if event.outcome is not None:
            begin, people = self._intents.pop(key, (event.outcome.start, event.people))
            self._outcome(at, event, event.outcome, people[event.outcome.start - begin :])
        if event.late or event.cleared:
            fate = self._fate(event.list)
            fate.accepted += len(event.late)
            self._taken.setdefault(event.list, []).append((at, len(event.late)))
            fate.possible_duplicates -= len(event.cleared)
            if (once := len(event.cleared)) and fate.windows <= LINES:
                self._say(at, event.list, f"chunk {event.chunk}: answered late: {once} not twice")
            troubles = self._troubles.get(event.list, {})
            for person in event.cleared:
                if person in troubles:
                    troubles[person].doubtful = max(0, troubles[person].doubtful - 1)
            for person in event.late:
                troubles.pop(person, None)
        if event.intent is not None:
            self._intents[key] = event.intent.start, event.intent.people

    def _outcome(
        self, at: datetime, event: WindowRecorded, outcome: Outcome, people: tuple[str, ...]
    ) -> None:
        fate = self._fate(event.list)
        troubles = self._troubles.setdefault(event.list, {})
        refused = {failure.index: failure for failure in outcome.failures}
        size = outcome.end - outcome.start
        doubtful = doubtful_in(outcome)
        for index, person in enumerate(people[:size], outcome.start):
            failure = refused.get(index)
            if failure is None or failure.kind == "left":
                troubles.pop(person, None)
                if failure is not None:
                    self._left.setdefault(event.list, set()).add(person)
                continue
            before = troubles[person].doubtful if person in troubles else 0
            troubles[person] = Trouble(
                doubtful=before + (index in doubtful),
                person=person,
                kind=failure.kind,
                code=failure.code,
                enhanced=failure.enhanced,
                text=failure.text,
                why=why(failure.code, failure.enhanced) if failure.kind == "failed" else "",
                scope=failure.scope,
                relay=event.relay,
                at=at,
            )
        fate.accepted += size - len(refused)
        self._taken.setdefault(event.list, []).append((at, size - len(refused)))
        fate.windows += 1 if size else 0
        fate.possible_duplicates += len(doubtful)
        self._last_window[event.list] = at
        if size and fate.windows <= LINES:
            self._say(at, event.list, f"chunk {event.chunk}: {counts(outcome)} by {event.relay}")

    def _chunk(self, at: datetime, event: ChunkQueued) -> None:
        fate = self._fate(event.list)
        troubles = self._troubles.get(event.list, {})
        if troubles:
            for person, address in zip(event.people, event.addresses, strict=True):
                if person in troubles:
                    troubles[person].address = address
        for bounce in fate.bounces:
            index = _index(event, bounce.number)
            if index is not None:
                bounce.person, bounce.address = event.people[index], event.addresses[index]
        if event.attempt or event.chunk.startswith("f"):
            self._say(at, event.list, f"chunk {event.chunk}: {len(event.people)} tried again")
        elif event.chunk[0] == "m" and event.chunk[1:].isdecimal():
            if (event.list, event.chunk) not in self._late:
                self._late.add((event.list, event.chunk))
                fate.recipients += len(event.people)
            self._say(at, event.list, f"chunk {event.chunk}: {len(event.people)} who were missing")
        elif event.chunk.isdecimal() and event.list not in self._fanned_out:
            self._queued_so_far(at, event, fate)

    def _queued_so_far(self, at: datetime, event: ChunkQueued, fate: Fate) -> None:
        """A chunk of a fan-out that is not done, or not known to be."""
        names, _ = self._growing.get(event.list, (set[str](), at))
        if event.chunk in names:  # it waited, and was stored again
            return
        names.add(event.chunk)
        self._growing[event.list] = names, at
        fate.recipients += len(event.people)
        fate.chunks += 1
        if event.last:
            self._fanned_out.add(event.list)
            self._say(at, event.list, _queued(fate.recipients, fate.chunks))

    def _fate(self, slug: str) -> Fate:
        if slug not in self.fates:
            self.fates[slug] = Fate(list=self._place(slug), kind="")
        return self.fates[slug]

    def _say(self, at: datetime, slug: str, what: str) -> None:
        place = self._place(slug)
        self._lines.append(Line(at=at, what=f"{place}: {what}" if place else what))

    def _place(self, slug: str) -> str:
        """The address of a list, or the domain of mail that is at none."""
        return self._addresses.get(slug, "" if slug == subjects.NO_LIST else slug)


def author(facts: HeaderFacts) -> str:
    """Whom a mail says it is from."""
    return facts.from_[0].address if facts.from_ else ""


def _refusal(trouble: Trouble) -> str:
    """What somebody was refused for, in plain words and in the server's numbers."""
    if not trouble.code:
        return trouble.text
    said = f"{trouble.code} {trouble.enhanced}".strip()
    return f"{why(trouble.code, trouble.enhanced)} ({said})"


def _index(chunk: ChunkQueued, number: int) -> int | None:
    """Where the recipient with this number within the post stands in a chunk."""
    if chunk.numbers:
        return chunk.numbers.index(number) if number in chunk.numbers else None
    at = number - chunk.first
    return at if 0 <= at < len(chunk.people) else None


def _told(hits: Iterable[RuleHit]) -> tuple[str, ...]:
    return tuple(f"{hit.rule}: {hit.reason}" for hit in hits)


def _queued(recipients: int, chunks: int, kind: str = "") -> str:
    if not recipients:
        nobody = "nobody was reached: "
        if kind == "owner":
            return f"{nobody}the list had no owner or moderator, and its domain no owner"
        return f"{nobody}there was nobody to send it to"
    return f"{counted(recipients, 'recipient')} queued in {counted(chunks, 'chunk')}"
