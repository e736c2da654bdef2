"""The rules and their order: one file each, Mailman's names.

`check(context)` returns a Hit with its reason, or None for a miss. The first hit with a verdict
decides; the rules after it are still asked, so that a moderator sees every reason. A rule whose
verdict here is None takes it from the list's settings.

To add a rule: write its file, put it in its place here, give it a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from services.router.context import Context, Hit, Verdict
from services.router.rules import (
    administrivia,
    approved,
    automatic,
    banned_address,
    content_filter,
    dmarc,
    emergency,
    header_match,
    hooks,
    implicit_dest,
    loop,
    max_hops,
    max_recipients,
    max_size,
    member_moderation,
    no_senders,
    no_subject,
    nonmember_moderation,
    repetition,
    spam,
    suspicious_header,
    truth,
)


class Rule(NamedTuple):
    """One row of the table: what a hit of `check` means."""

    name: str
    check: Callable[[Context], Hit | None]
    verdict: Verdict | None


# Guards against loops stand before anything that accepts; so does what no trust in the author
# mends, but for the moderator's password. What looks into headers stands before
# what holds the mail of strangers, as in Mailman: else spam that is to be discarded would be held.
# The content filter is asked only of what all others would post, and holds whoever is the author.
POST: tuple[Rule, ...] = (
    Rule("loop", loop.check_post, "discard"),
    Rule("max-hops", max_hops.check, "hold"),
    Rule("repetition", repetition.check, "hold"),
    Rule("content-filter", content_filter.check, None),
    Rule("approved", approved.check, None),
    Rule("emergency", emergency.check, "hold"),
    Rule("banned-address", banned_address.check, "discard"),
    Rule("spam", spam.check, None),
    Rule("dmarc", dmarc.check, None),
    Rule("automatic", automatic.check, "hold"),
    Rule("no-senders", no_senders.check, "hold"),
    Rule("member-moderation", member_moderation.check, None),
    Rule("header-match", header_match.check, None),
    Rule("suspicious-header", suspicious_header.check, None),
    Rule("nonmember-moderation", nonmember_moderation.check, None),
    Rule("administrivia", administrivia.check, "hold"),
    Rule("implicit-dest", implicit_dest.check, "hold"),
    Rule("max-recipients", max_recipients.check, "hold"),
    Rule("max-size", max_size.check, "hold"),
    Rule("no-subject", no_subject.check, None),
    Rule("hooks", hooks.check, None),
    Rule("truth", truth.check, "accept"),
)

# Mail to -owner is never moderated: it is how people without any right reach a human. Only what
# would go round in circles is stopped, and recorded.
OWNER: tuple[Rule, ...] = (
    Rule("loop", loop.check, "discard"),
    Rule("max-hops", max_hops.check, "discard"),
    Rule("automatic", automatic.check_answer, "discard"),
    Rule("truth", truth.check, "accept"),
)


# What no moderator can overrule: such a mail would come back to the list, and again.
FINAL = ("loop",)


class Ruling(NamedTuple):
    """What one rule said: no `hit` is a miss, a hit without `verdict` passes the mail on."""

    rule: str
    hit: Hit | None
    verdict: Verdict | None


def ask(rules: tuple[Rule, ...], context: Context) -> tuple[Ruling, ...]:
    """Every rule's answer, in order. The first with a verdict decides."""
    return tuple(_ask(rule, context) for rule in rules)


def decisive(rulings: tuple[Ruling, ...], *, accepted: bool = False) -> Ruling:
    """The ruling that decides: the first with a verdict; of a mail that a moderator accepted, the
    first that agrees or that guards the world. Where none does the last row accepts."""

    def counts(ruling: Ruling) -> bool:
        if not accepted or ruling.verdict in (None, "accept"):
            return ruling.verdict is not None
        return ruling.rule in FINAL and ruling.verdict == "discard"

    return next(ruling for ruling in rulings if counts(ruling))


def _ask(rule: Rule, context: Context) -> Ruling:
    hit = rule.check(context)
    return Ruling(rule.name, hit, (hit.verdict or rule.verdict) if hit else None)
