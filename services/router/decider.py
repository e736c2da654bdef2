"""What becomes of one mail at one of our lists. Pure: facts in, one event out.

A mail is a post, mail to the owners, a command, a bounce, or it is stopped by a rule. Bounces
and commands pass without rules: who reads them knows best which to believe, and a machine may
well ask to leave. Where commands and bounces have no address but the list's own, only what came
round again is stopped first. What changes in the headers travels with the event as data.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

from postroad.mail.addresses import Match
from postroad.mail.automatic import answers_by_itself
from projections.lists import List
from schemas import subjects
from schemas.commands import Author
from schemas.envelope import Event
from schemas.mail import HeaderEdit
from schemas.road import (
    BounceRouted,
    CommandRouted,
    HeldAccepted,
    MailReceived,
    MailStopped,
    MailUnrouted,
    OwnerMailRouted,
    PostRouted,
    RuleHit,
)
from schemas.seen import Seen
from services.router import rules
from services.router.context import NOTHING, Context, Looked, Verdict
from services.router.copies import owner_edits, post_edits
from services.router.rules import Ruling, loop
from services.router.subjectcommand import subject_command

NOBODY = Author()

Stop = Literal["held", "rejected", "discarded"]

_STOPS: dict[Verdict, Stop] = {
    "hold": "held",
    "reject": "rejected",
    "discard": "discarded",
}


def asks_for_author(to: Match) -> bool:
    """Whether the decision on this address needs membership to say who the author is."""
    return to.sub in ("", "owner")


def decide(
    mail: MailReceived,
    to: Match,
    known: List,
    author: Author = NOBODY,
    *,
    mail_id: str = "",
    authserv_id: str = "",
    this: Seen | None = None,
    earlier: tuple[Seen, ...] = (),
    looked: Looked = NOTHING,
    accepted: HeldAccepted | None = None,
) -> tuple[subjects.Kind, Event]:
    """The decision on `mail` at the address `to` of the list `known`: its kind and its event.
    Not for bounces: what they are about must be looked up first (`decide_bounce`).

    `mail_id` is the id to decide under where it is not the mail's own (see `numbered`);
    `authserv_id` is that of the mail's source; `this` and `earlier` are the post and those of its
    author before it, `looked` what was fetched for the rules (see `Context`). A mail that a
    moderator `accepted` is a post, unless it would go round in circles; it goes to who was a
    member then.
    """
    mail_id = mail_id or mail.mail_id
    context = Context(mail, known, author, this, earlier, looked)
    none = to.sub == "" and known.settings.sub_address == "none" and accepted is None
    if none and not loop.check(context):
        to = subject_command(known, mail.facts.subject) or to
    if to.sub not in ("", "owner"):
        return decide_command(mail, to, settings=known.seq, mail_id=mail_id)
    rulings = rules.ask(rules.OWNER if to.sub else rules.POST, context)
    decisive = rules.decisive(rulings, accepted=accepted is not None)
    if decisive.verdict != "accept":
        return _stopped(context, rulings, decisive, mail_id)
    if to.sub:
        return "owner", OwnerMailRouted(
            mail_id=mail_id,
            list=known.slug,
            raw=mail.raw,
            edits=owner_edits(context),
            authserv_id=authserv_id,
            as_of=author.as_of,
            settings=known.seq,
            subject=mail.facts.subject,
            message_id=mail.facts.message_id,
        )
    return "post", PostRouted(
        mail_id=mail_id,
        list=known.slug,
        raw=mail.raw,
        edits=(*post_edits(context, munged=_hit("dmarc", rulings)), *_hooked(looked)),
        authserv_id=authserv_id,
        personal=known.settings.personalize == "individual",
        author=author.person,
        as_of=accepted.as_of if accepted else author.as_of,
        settings=known.seq,
        rule="moderator" if accepted else decisive.rule,
        subject=mail.facts.subject,
        message_id=mail.facts.message_id,
        hits=_flags(rulings),
        without=author.without,
    )


def _hooked(looked: Looked) -> tuple[HeaderEdit, ...]:
    """The edits of the operator's hooks, which come last."""
    return looked.hooked.edits if looked.hooked else ()


def decide_command(
    mail: MailReceived, to: Match, *, settings: int = 0, mail_id: str = "", domain: str = ""
) -> tuple[subjects.Kind, CommandRouted]:
    """A command. Where only its token can tell the list, `to.slug` is `none`, and `domain` the only
    one that its source reaches."""
    return "command", CommandRouted(
        mail_id=mail_id or mail.mail_id,
        list=to.slug,
        domain=domain,
        command=to.sub,
        token=to.token,
        raw=mail.raw,
        received=subjects.received(mail.origin.source, mail.mail_id),
        settings=settings,
    )


def decide_bounce(
    mail: MailReceived,
    known: List,
    token: str = "",
    *,
    about: str = "",
    number: int = -1,
    mail_id: str = "",
) -> tuple[subjects.Kind, BounceRouted]:
    """A bounce: at the bounce address, or a report on a mail of ours wherever it came in."""
    return "bounce", BounceRouted(
        mail_id=mail_id or mail.mail_id,
        list=known.slug,
        token=token,
        raw=mail.raw,
        about=about,
        number=number,
        settings=known.seq,
    )


def decide_domain(
    mail: MailReceived, domain: str, *, mail_id: str = "", authserv_id: str = ""
) -> tuple[subjects.Kind, Event]:
    """Mail to the people that run a domain: as mail to the owners of a list, but of none."""
    desk = List(slug=subjects.NO_LIST, address=f"postmaster@{domain}")
    context = Context(mail, desk, NOBODY)
    rulings = rules.ask(rules.OWNER, context)
    decisive = rules.decisive(rulings)
    if decisive.verdict != "accept":
        return _stopped(context, rulings, decisive, mail_id)
    return "owner", OwnerMailRouted(
        mail_id=mail_id or mail.mail_id,
        list=subjects.NO_LIST,
        domain=domain,
        raw=mail.raw,
        edits=owner_edits(context),
        authserv_id=authserv_id,
        subject=mail.facts.subject,
        message_id=mail.facts.message_id,
    )


def decide_caught(mail: MailReceived) -> tuple[subjects.Kind, MailStopped]:
    """A mail to nobody, in a domain whose `catch_all` discards such."""
    hit = RuleHit(rule="catch-all", reason="no list has its address, and such mail is discarded")
    nobody = List(slug=subjects.NO_LIST, address="")
    return _stop(Context(mail, nobody, NOBODY), "discarded", hit)


def may_report(mail: MailReceived) -> bool:
    """Whether a mail to a list's own address may be a report, so that what it brings back is
    looked up. A person who writes of failures, with all headers quoted, writes a post."""
    by_itself = answers_by_itself(mail.facts, mail.envelope_from)
    return bool(by_itself) or mail.facts.content_type == "multipart/report"


def bounces_here(mail: MailReceived, known: List) -> bool:
    """Whether a mail to the list's own address is a bounce: what answers by itself, at a list
    that has no other address for it."""
    none = known.settings.sub_address == "none"
    return none and bool(answers_by_itself(mail.facts, mail.envelope_from))


def decide_own(mail: MailReceived, known: List) -> tuple[subjects.Kind, MailStopped]:
    """A mail of ours for somebody else, met in a mailbox: one we sent is not for us again."""
    hit = RuleHit(rule="loop", reason="it carries the List-Id of this list, and is for no list")
    return _stop(Context(mail, known, NOBODY), "discarded", hit)


def decide_copy(
    mail: MailReceived, known: List, author: Author
) -> tuple[subjects.Kind, MailStopped]:
    """A copy that another list sent to the mailbox itself: To and Cc stand as the author of the
    post wrote them, and the list they name was sent a mail of its own."""
    hit = RuleHit(rule="loop", reason="it is a copy that another list sent, to somebody else")
    return _stop(Context(mail, known, author), "discarded", hit)


def decide_duplicate(
    mail: MailReceived, known: List, author: Author, first: str
) -> tuple[subjects.Kind, MailStopped]:
    """A second copy of the post `first`, come by another way."""
    reason = f"the list has had this mail already: the first copy is {first}"
    hit = RuleHit(rule="duplicate", reason=reason)
    return _stop(Context(mail, known, author), "discarded", hit)


def decide_told(mail: OwnerMailRouted, first: str) -> tuple[subjects.Kind, MailStopped]:
    """A second copy of the mail to owners `first`, come by another way."""
    reason = f"its owners have had this mail already: the first copy is {first}"
    return "discarded", MailStopped(
        mail_id=mail.mail_id,
        list=mail.list,
        verdict="discarded",
        hits=(RuleHit(rule="duplicate", reason=reason),),
        raw=mail.raw,
        settings=mail.settings,
        subject=mail.subject,
        message_id=mail.message_id,
    )


def digest(mail: MailReceived) -> str:
    """What makes two mails the same post: Message-ID, From and body, in hex; without Message-ID
    Date and Subject too. Empty where the body's digest is not known (older releases)."""
    facts = mail.facts
    if not mail.body_sha256:
        return ""
    told = (facts.message_id,) if facts.message_id else ("", facts.date, facts.subject)
    authors = tuple(box.address for box in facts.from_)
    return hashlib.sha256(repr((told, authors, mail.body_sha256)).encode()).hexdigest()


def _stopped(
    context: Context, rulings: Iterable[Ruling], decisive: Ruling, mail_id: str
) -> tuple[subjects.Kind, MailStopped]:
    """Stopped, with every rule that would have stopped it; the one that decided comes first, what
    others only remark last."""
    objections = [r for r in rulings if r.hit and r.verdict not in (None, "accept")]
    objections.sort(key=lambda ruling: ruling is not decisive)
    assert decisive.verdict is not None
    hits = (RuleHit(rule=r.rule, reason=r.hit.reason) for r in objections if r.hit)
    return _stop(context, _STOPS[decisive.verdict], *hits, *_flags(rulings), mail_id=mail_id)


def _hit(rule: str, rulings: Iterable[Ruling]) -> bool:
    return any(ruling.rule == rule and ruling.hit is not None for ruling in rulings)


def _flags(rulings: Iterable[Ruling]) -> tuple[RuleHit, ...]:
    """What rules say without a verdict."""
    flags = (ruling for ruling in rulings if ruling.hit and ruling.verdict is None)
    return tuple(RuleHit(rule=r.rule, reason=r.hit.reason) for r in flags if r.hit)


def _stop(
    context: Context, verdict: Stop, *hits: RuleHit, mail_id: str = ""
) -> tuple[subjects.Kind, MailStopped]:
    return verdict, MailStopped(
        mail_id=mail_id or context.mail.mail_id,
        list=context.list.slug,
        verdict=verdict,
        hits=hits,
        raw=context.mail.raw,
        author=context.author.person,
        settings=context.list.seq,
        subject=context.facts.subject,
        message_id=context.facts.message_id,
        password=context.looked.filtered is not None and context.looked.filtered.password,
    )


def decide_unrouted(mail: MailReceived, reason: str) -> tuple[subjects.Kind, MailUnrouted]:
    """The mail is for none of our lists: recorded, and visible until somebody cares."""
    return "unrouted", MailUnrouted(
        mail_id=mail.mail_id,
        raw=mail.raw,
        reason=reason,
        subject=mail.facts.subject,
        message_id=mail.facts.message_id,
    )


def numbered(mail_id: str, to: Iterable[Match]) -> Iterator[tuple[str, Match]]:
    """Each address with the id to decide under. A mail and a list have one decision, so where a
    mail names several addresses of one list (`team@` and `team-owner@`), the first goes under
    the mail's own id and the n-th under `<mail id>-<n>`."""
    seen: Counter[str] = Counter()
    for each in to:
        seen[each.slug] += 1
        count = seen[each.slug]
        yield (mail_id if count == 1 else f"{mail_id}-{count}"), each
