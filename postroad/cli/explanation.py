"""Who got a post, who did not, and why: one mail and one person, from what is known. Pure.

The outcome is one word of `OUTCOMES`, on each list and in all; the steps tell how it came to that,
in order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from postroad.cli import explanationwords as words
from postroad.cli.evidence import Change, Decision, Evidence, Period, Posted, Try

# In all counts what stands first here.
OUTCOMES: Mapping[str, str] = {
    "delivered": "a relay took their copy",
    "bounced": "a relay took their copy, and it came back",
    "deferred": "their copy was refused for now and is tried again",
    "waiting": "their copy is queued, or still to be, and was not tried yet",
    "failed": "their copy was refused for good",
    "departed": "they were on the list, and left before their copy was sent",
    "suppressed": "they were on the list and get no such mail: stopped, or by their own wish",
    "undecided": "nothing is decided on the mail yet",
    "held": "the mail waits for a moderator: nobody has it yet",
    "rejected": "the mail was sent back to its author: nobody got it",
    "discarded": "the mail was thrown away: nobody got it",
    "left_before": "they had left before the mail was posted",
    "joined_later": "they joined after the mail was posted",
    "not_member": "they were no member of the list, so no copy was for them",
    "not_posted": "the mail was no post: a command, a bounce, or for no list",
    "refused": "the mail was left on its server: too large, or too old",
    "erased": "the person was erased, so that nothing is told of them",
    "unknown": "nobody of this address is known, or what became of the copy is kept no more",
}
_SENT: Mapping[str, str] = {
    "accepted": "delivered",
    "deferred": "deferred",
    "failed": "failed",
    "departed": "departed",
}
RETURNED = ("hard", "soft", "full", "policy", "unknown")  # of a bounce: the copy did not arrive
LAST = datetime.max.replace(tzinfo=UTC)
OWNERS = ("owner", "moderator")  # whom mail for the owners goes to
GMAIL = ("gmail.com", "googlemail.com")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened: when (UTC), on which list (an address, empty for none), of which
    kind, and in plain words what. `facts` are the numbers and names in it."""

    at: datetime | None
    list: str = ""
    step: str
    what: str
    facts: dict[str, object] = {}


class ListOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of their copy on one list; `why` says it in words."""

    list: str
    outcome: str
    why: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: `why` is that of the list that decided the `outcome`."""

    outcome: str
    why: str
    lists: tuple[ListOutcome, ...] = ()
    steps: tuple[Step, ...] = ()


def explain(known: Evidence) -> Explanation:
    """What became of this person's copy of this mail, and how."""
    found = _explained(known)
    return _together(found, _explained(known.owners)) if known.owners else found


def _explained(known: Evidence) -> Explanation:
    steps = [*_received(known)]
    if known.mail is not None and known.mail.refused:
        why = words.REFUSED[known.mail.refused]
        return Explanation(outcome="refused", why=why, steps=tuple(steps))
    if known.erased:
        return Explanation(outcome="erased", why=words.ERASED, steps=tuple(steps))
    found = []
    slugs = [one.list for one in known.decisions] + [one.list for one in known.tries]
    for slug in dict.fromkeys(slugs):
        place = _OnList(known, slug)
        found.append(place.outcome())
        steps += place.steps
    steps += _hints(known, found)
    steps.sort(key=lambda step: step.at or LAST)
    if not found:
        found.append(ListOutcome(list="", outcome="undecided", why=words.UNDECIDED))
    order = list(OUTCOMES)
    best = min(found, key=lambda each: order.index(each.outcome))
    outcome, why = best.outcome, best.why
    if not known.person and outcome == "not_member":
        outcome, why = "unknown", words.NOBODY
    return Explanation(outcome=outcome, why=why, lists=tuple(found), steps=tuple(steps))


def _together(first: Explanation, second: Explanation) -> Explanation:
    order = list(OUTCOMES)
    best = min((first, second), key=lambda each: order.index(each.outcome))
    steps = [*first.steps, *[step for step in second.steps if step not in first.steps]]
    steps.sort(key=lambda step: step.at or LAST)
    lists = (*first.lists, *second.lists)
    return msgspec.structs.replace(best, lists=lists, steps=tuple(steps))


def _received(known: Evidence) -> Iterator[Step]:
    if (mail := known.mail) is not None:
        what = words.received(mail)
        facts: dict[str, object] = {"source": mail.source, "folder": mail.folder, "uid": mail.uid}
        yield Step(at=mail.ts, step="received", what=what, facts=facts)


def _hints(known: Evidence, found: list[ListOutcome]) -> Iterator[Step]:
    """What helps who asks: their program hides a copy, or they look into another mailbox."""
    arrived = any(each.outcome == "delivered" for each in found)
    wrote = any(each.author == known.person != "" for each in known.posts)
    domain = (known.current or known.address).rpartition("@")[2].lower()
    if arrived and wrote and (domain in GMAIL or any("gsmtp" in one.reply for one in known.tries)):
        yield Step(at=None, step="hint", what=words.HIDDEN)
    first = min((one.ts for one in known.tries), default=None)
    if first is None:
        return
    if known.until is not None:
        what = words.theirs_until(known.until, known.current, before=first < known.until)
        yield Step(at=None, step="hint", what=what)
    elif known.current and known.current.lower() != known.address.lower():
        yield Step(at=None, step="hint", what=words.elsewhere(known.current))
    if known.since is not None and known.since > first:
        yield Step(at=None, step="hint", what=words.theirs_since(known.since))


class _OnList:
    """One list: its part of the evidence, and the steps that were found worth telling."""

    def __init__(self, known: Evidence, slug: str) -> None:
        self.known = known
        self.slug = slug
        self.address = known.lists.get(slug, "" if slug == words.NO_LIST else slug)
        self.steps: list[Step] = []
        self.decisions = [one for one in known.decisions if one.list == slug]
        self.periods = [one for one in known.periods if one.list == slug]
        self.changes = [one for one in known.changes if one.list == slug]
        self.tries = [one for one in known.tries if one.list == slug]

    def outcome(self) -> ListOutcome:
        """What became of their copy here; tells the steps."""
        for decision in self.decisions:
            self._decided(decision)
        last = self.decisions[-1] if self.decisions else None
        post = next((one for one in self.known.posts if one.list == self.slug), None)
        self._life(post)
        if self.tries or last is None:
            outcome, why = self._sent()
        elif last.kind in ("held", "rejected", "discarded"):
            outcome, why = last.kind, words.stopped(last, self._who(last.actor))
        elif last.kind == "accepted":
            outcome, why = "undecided", words.ACCEPTED
        elif last.kind == "letter" and self._theirs(last):
            wait = self._wait()
            outcome, why = ("waiting", wait) if wait else ("unknown", words.FORGOTTEN)
        elif last.kind == "letter" and not last.author and self.known.theirs is None:
            outcome, why = "unknown", words.LETTER
        elif last.kind not in ("post", "owner") or post is None:
            outcome, why = "not_posted", words.no_post(last)
        else:
            outcome, why = self._nothing_sent(last, post)
        return ListOutcome(list=self.address, outcome=outcome, why=why)

    def _say(
        self, at: datetime | None, step: str, what: str, **facts: object
    ) -> None:  # facts: of JSON, in the order of the words
        told = {name: value for name, value in facts.items() if value not in (None, "")}
        self.steps.append(Step(at=at, list=self.address, step=step, what=what, facts=told))

    def _who(self, actor: str) -> str:
        return words.who(actor, self.known.people, self.known.person)

    def _theirs(self, letter: Decision) -> bool:
        return letter.author == self.known.person if letter.author else bool(self.known.theirs)

    def _decided(self, one: Decision) -> None:
        what = words.decided(one, self._who(one.actor))
        self._say(one.ts, one.kind, what, rule=one.rule, reason=one.reason)

    def _life(self, post: Posted | None) -> None:
        """How they came onto the list before the post, or later, and what they changed."""
        as_of = post.membership_seq if post else max((one.seq for one in self.changes), default=0)
        owners = any(one.kind == "owner" for one in self.decisions)
        roles = OWNERS if owners else ("member",)
        joined = [one for one in self.changes if one.event == words.JOINED and one.role in roles]
        before = [one for one in joined if one.seq <= as_of]
        since = before[-1].seq if before else 0
        for one in [*before[-1:], *[one for one in joined if one.seq > as_of][:1]]:
            what = words.joined(one, self._who(one.actor))
            self._say(one.ts, "joined", what, how=one.how, since=one.since)
        for one in self.changes:
            gone = one.event == words.LEFT and one.role in roles
            wish = one.event == words.CHANGED and (one.delivery_mode or one.delivery_status)
            if one.seq > since and (gone or wish):
                what = words.changed(one, self._who(one.actor))
                self._say(one.ts, "left" if gone else "changed", what, reason=one.reason)

    def _sent(self) -> tuple[str, str]:
        """What relays said to each try, and what came back later."""
        for queued in self.known.queued:
            if queued.list == self.slug:
                what = words.queued(queued)
                facts = {"chunk": queued.chunk, "attempt": queued.attempt}
                self._say(queued.ts, "queued", what, **facts)
        for one in self.tries:
            what = words.tried(one)
            self._say(one.ts, one.outcome, what, **_facts(one))
        last = self.tries[-1]
        outcome, why = _SENT[last.outcome], words.tried(last)
        for bounce in self.known.bounces:
            if bounce.list == self.slug:
                what = words.bounced(bounce)
                facts = {"kind": bounce.kind, "status": bounce.status, "said": bounce.said}
                report = {"server": bounce.server, "mail": bounce.report, "points": bounce.points}
                self._say(bounce.ts, "bounce", what, **facts, **report)
                returned = bounce.report and bounce.kind in RETURNED and not bounce.delayed
                if outcome == "delivered" and returned:
                    outcome, why = "bounced", what
        if outcome == "deferred" and (wait := self._wait()):
            why = f"{why}; {wait}"
        return outcome, why

    def _nothing_sent(self, last: Decision, post: Posted) -> tuple[str, str]:
        """Why a mail that went out was not tried for them."""
        as_of = post.membership_seq
        then = next((one for one in self._held(last) if one.holds(as_of)), None)
        if then is None:
            return self._no_member(last, as_of)
        if last.kind == "post" and not then.receives:
            cause = self._cause(then)
            return "suppressed", words.stopped_for(
                then, cause, self._who(cause.actor if cause else "")
            )
        if wish := self.known.without.get(self.slug):
            return "suppressed", words.WISHES.get(wish, wish)
        if wait := self._wait():
            return "waiting", wait
        if post.fanned_out_at is None:
            return "waiting", words.NOT_QUEUED
        if gone := self._gone(as_of, post.fanned_out_at):
            return "departed", gone
        return "unknown", words.FORGOTTEN

    def _held(self, last: Decision) -> list[Period]:
        roles = OWNERS if last.kind == "owner" else ("member",)
        return [one for one in self.periods if one.role in roles]

    def _no_member(self, last: Decision, as_of: int) -> tuple[str, str]:
        held = self._held(last)
        ended = [one for one in held if one.to_seq is not None and one.to_seq <= as_of]
        if ended:
            change = next((one for one in self.changes if one.seq == ended[-1].to_seq), None)
            by = self._who(change.actor) if change else ""
            return "left_before", words.left_before(ended[-1], change, by)
        if later := [one for one in held if one.from_seq > as_of]:
            return "joined_later", words.joined_later(later[0])
        other = {one.role for one in self.periods if one.holds(as_of)}
        passed = [address for slug, address in self.known.passed if slug == self.slug]
        return "not_member", words.no_member(last.kind, other) + words.went_on(passed)

    def _cause(self, then: Period) -> Change | None:
        """What stopped their mail: the last that was said of it up to then."""
        stopped = then.delivery_status != "enabled"
        found = [
            one
            for one in self.changes
            if one.seq <= then.from_seq
            and (
                one.delivery_status == then.delivery_status
                if stopped
                else one.delivery_mode == then.delivery_mode
            )
        ]
        return found[-1] if found else None

    def _gone(self, as_of: int, fanned_out_at: datetime) -> str:
        """Whether they left, or stopped their mail, between the decision and the fan-out."""
        for one in self.changes:
            if one.seq > as_of and one.ts <= fanned_out_at:
                return words.gone(one, self._who(one.actor))
        return ""

    def _wait(self) -> str:
        for wait in self.known.waits:
            if wait.list == self.slug:
                what = words.waits(wait)
                self._say(None, "waiting", what, chunk=wait.chunk, due=wait.due)
                return what
        return ""


def _facts(one: Try) -> dict[str, object]:
    """What a relay said, by the names that rows have."""
    names = ("chunk", "attempt", "relay", "code", "enhanced", "reply", "scope", "doubtful", "late")
    return {name: getattr(one, name) for name in names}
