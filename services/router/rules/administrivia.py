"""administrivia: a command that was sent to everybody (`administrivia`).

Told by the Subject, or by the first lines of a short text, which ingest reads
(`postroad.mail.opening`). It is held, so that its author's `unsubscribe` embarrasses nobody; what
to write to instead stands in every copy and in the notice.
"""

from __future__ import annotations

from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether the mail is a command rather than a post."""
    if not context.list.settings.administrivia or context.mail.opening != "command":
        return None
    return Hit("it looks like a command for the list's -request address")
