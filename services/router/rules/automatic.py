"""automatic: mail that a machine wrote (`postroad.mail.automatic` says how that is told).

Automatic mail is what turns two robots into a storm, so none of it reaches a list unseen by a
human. It is held rather than discarded: build reports and newsletters are automatic too, and a
list may want them. Of posts the Subject counts as well, for vacation programs that set no mark.
"""

from __future__ import annotations

from postroad.mail.automatic import answers_by_itself, automatic, out_of_office
from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether any sign says that no human sent it."""
    if reason := automatic(context.facts, context.mail.envelope_from):
        return Hit(reason)
    if out_of_office(context.facts.subject):
        return Hit("its subject is that of a vacation notice")
    return None


def check_answer(context: Context) -> Hit | None:
    """Whether it answers other mail by itself: a bounce, a vacation notice.

    What a machine sends of its own accord (a cron job, an abuse report) passes.
    """
    reason = answers_by_itself(context.facts, context.mail.envelope_from)
    return Hit(reason) if reason else None
