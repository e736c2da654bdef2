"""automatic: a machine wrote it (RFC 3834, and what vendors did before it).

Automatic mail is what turns two robots into a storm, so none of it reaches a list unseen by a
human. It is held rather than discarded: build reports and newsletters are automatic too, and a
list may want them. `Precedence: list` says nothing here: every mail from a nested list has it.
"""

from __future__ import annotations

from services.router.context import Context, Hit

ANSWERS = ("delivery-status", "disposition-notification")  # RFC 3464, RFC 8098


def check(context: Context) -> Hit | None:
    """Whether any sign says that no human sent it."""
    facts = context.facts
    if facts.auto_submitted not in ("", "no"):
        return Hit(f"it is marked Auto-Submitted: {facts.auto_submitted}")
    if facts.precedence in ("bulk", "junk"):
        return Hit(f"it is marked Precedence: {facts.precedence}")
    return check_answer(context)


def check_answer(context: Context) -> Hit | None:
    """Whether it answers other mail by itself: a bounce, a vacation notice.

    What a machine sends of its own accord (a cron job, an abuse report) passes.
    """
    facts = context.facts
    if facts.auto_submitted not in ("", "no", "auto-generated"):
        return Hit(f"it is marked Auto-Submitted: {facts.auto_submitted}")
    if "" in (facts.return_path, context.mail.envelope_from):
        return Hit("it has a null return path, as bounces have")
    if facts.report_type in ANSWERS:
        return Hit(f"it is a {facts.report_type} report")
    if facts.vendor_auto:
        return Hit(f"it carries {facts.vendor_auto[0]}, as automatic answers do")
    return None
