"""max-recipients: more people in To and Cc than a list expects (`max_num_recipients`)."""

from __future__ import annotations

from postroad.mail.mailboxes import MAILBOXES
from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether it names too many; 0 is no limit."""
    limit = context.list.settings.max_num_recipients
    count = len({box.address for box in (*context.facts.to, *context.facts.cc)})
    if not limit or count <= limit:
        return None
    more = "at least " if MAILBOXES in (len(context.facts.to), len(context.facts.cc)) else ""
    return Hit(f"its To and Cc name {more}{count:,} recipients, more than the {limit} of this list")
