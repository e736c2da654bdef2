"""Why the author of a stopped mail is written nothing about it. Pure.

Only who certainly wrote it is told: otherwise a forger could have us write to strangers, and
robots would write to robots.
"""

from __future__ import annotations

from collections.abc import Iterable

from postroad.mail.automatic import unanswerable
from schemas.road import MailReceived, RuleHit

# Rules whose hit means that no person waits for an answer, or that one would go in circles.
SILENT = (
    *("loop", "automatic", "repetition", "no-senders", "max-hops", "duplicate"),
    "banned-address",  # the owner wants to be rid of them
)


def silence(
    hits: Iterable[RuleHit], mail: MailReceived | None, *, proved: bool, of_list: bool
) -> str:
    """The reason in plain words, without address; empty where the author may be told. `mail` is
    what was stopped by these `hits`, None where it is gone; `proved` whether From is, `of_list`
    whether it is an address of a list."""
    if any(hit.rule in SILENT for hit in hits):
        return "a rule found that no person waits for an answer"
    if mail is None:
        return "the mail is not on record"
    if reason := unanswerable(mail.facts, mail.envelope_from):
        return reason
    if not proved:
        return "From is not proved"
    return "it is from an address of a list" if of_list else ""
