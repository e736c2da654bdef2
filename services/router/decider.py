"""What becomes of one mail at one of our lists. Pure: facts in, one event out.

A mail is a post, mail to the owners, a command, a bounce, or it is stopped by a rule. Bounces
and commands pass without rules: who reads them knows best which to believe, and a machine may
well ask to leave. What changes in the headers travels with the event as data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

from postroad.mail.addresses import Match
from postroad.mail.edits import edit
from postroad.mail.listheaders import cleansed, list_headers
from schemas import subjects
from schemas.commands import Author
from schemas.envelope import Event
from schemas.mail import HeaderEdit
from schemas.road import (
    BounceRouted,
    CommandRouted,
    MailReceived,
    MailStopped,
    MailUnrouted,
    OwnerMailRouted,
    PostRouted,
    RuleHit,
)
from services.router import rules
from services.router.context import Context, Verdict
from services.router.lists import List
from services.router.rules import Ruling

NOBODY = Author()
BEEN_THERE = 30  # X-BeenThere fields that are carried on; as many hops as a mail may have

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
    web: str = "",
) -> tuple[subjects.Kind, Event]:
    """The decision on `mail` at the address `to` of the list `known`: its kind and its event.

    `mail_id` is the id to decide under where it is not the mail's own (see `numbered`); `web`
    is the base URL of our pages, empty where there are none.
    """
    mail_id = mail_id or mail.mail_id
    if to.sub == "bounces":
        return "bounce", BounceRouted(
            mail_id=mail_id, list=known.slug, token=to.token, raw=mail.raw, settings=known.seq
        )
    if to.sub not in ("", "owner"):
        return "command", CommandRouted(
            mail_id=mail_id,
            list=known.slug,
            command=to.sub,
            token=to.token,
            raw=mail.raw,
            settings=known.seq,
        )
    context = Context(mail, known, author)
    rulings = rules.ask(rules.OWNER if to.sub else rules.POST, context)
    decisive = next(ruling for ruling in rulings if ruling.verdict)
    if decisive.verdict != "accept":
        return _stopped(context, rulings, decisive, mail_id)
    if to.sub:
        return "owner", OwnerMailRouted(
            mail_id=mail_id,
            list=known.slug,
            raw=mail.raw,
            edits=owner_edits(context),
            as_of=author.as_of,
            settings=known.seq,
            subject=mail.facts.subject,
            message_id=mail.facts.message_id,
        )
    return "post", PostRouted(
        mail_id=mail_id,
        list=known.slug,
        raw=mail.raw,
        edits=post_edits(context, web),
        personal=known.settings.personalize == "individual",
        author=author.person,
        as_of=author.as_of,
        settings=known.seq,
        rule=decisive.rule,
        subject=mail.facts.subject,
        message_id=mail.facts.message_id,
    )


def _stopped(
    context: Context, rulings: Iterable[Ruling], decisive: Ruling, mail_id: str
) -> tuple[subjects.Kind, MailStopped]:
    """Stopped, with every rule that would have stopped it; the one that decided comes first."""
    objections = [r for r in rulings if r.hit and r.verdict not in (None, "accept")]
    objections.sort(key=lambda ruling: ruling is not decisive)
    assert decisive.verdict is not None
    stop = _STOPS[decisive.verdict]
    return stop, MailStopped(
        mail_id=mail_id,
        list=context.list.slug,
        verdict=stop,
        hits=tuple(RuleHit(rule=r.rule, reason=r.hit.reason) for r in objections if r.hit),
        raw=context.mail.raw,
        author=context.author.person,
        settings=context.list.seq,
        subject=context.facts.subject,
        message_id=context.facts.message_id,
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


def post_edits(context: Context, web: str = "") -> tuple[HeaderEdit, ...]:
    """What a post's headers need: what is not for members off, other lists' marks off, ours on,
    the subject prefix. Sender stays as it is; Message-ID and everything signed stay too, where
    the list's own headers allow."""
    known = context.list
    return (*_edits_of_list(known, web), *_been_there(context, known.address))


@lru_cache(maxsize=1_000)
def _edits_of_list(known: List, web: str) -> tuple[HeaderEdit, ...]:
    """The edits that are the same for every post to a list, under the settings it has now."""
    settings, prefix = known.settings, subject_prefix(known)
    return (
        *cleansed(),
        *list_headers(
            known.address,
            settings.description or settings.display_name,
            settings.sub_address,
            post_allowed=settings.default_member_action not in ("reject", "discard"),
            web_base=f"{web}/lists/{known.slug}" if web else "",
        ),
        *([edit("prefix", "Subject", prefix)] if prefix else []),
    )


def owner_edits(context: Context) -> tuple[HeaderEdit, ...]:
    """Mail to owners goes as it came, but for a mark that tells when it comes round again."""
    return (*cleansed(), *_been_there(context, context.list.owner_address))


def _been_there(context: Context, here: str) -> tuple[HeaderEdit, ...]:
    """Every list it went through, and this one: two lists that are members of each other take
    off each other's List-Id, so only this tells that a mail comes round."""
    before = context.facts.been_there[-BEEN_THERE:]
    return (
        edit("remove", "X-BeenThere"),
        *(edit("add", "X-BeenThere", address) for address in (*before, here)),
    )


def subject_prefix(known: List) -> str:
    """`[Name]` unless the list says otherwise; empty for none."""
    if known.settings.subject_prefix is not None:
        return known.settings.subject_prefix.strip()
    return f"[{known.settings.display_name or known.address.partition('@')[0]}]"
