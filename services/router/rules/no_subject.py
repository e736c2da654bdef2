"""no-subject: mail without a Subject, or with an empty one (`no_subject_action`)."""

from __future__ import annotations

from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether there is nothing to call it by."""
    action = context.list.settings.no_subject_action
    if context.facts.subject.strip() or action == "defer":
        return None
    return Hit("it has no subject", action)
