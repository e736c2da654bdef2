"""banned-address: an author who is banned from this list (`bans`)."""

from __future__ import annotations

from postroad.mail import senders
from services.router.context import Context, Hit

_BY = {"@": ", as everybody at their domain", "^": ", by a pattern"}


def check(context: Context) -> Hit | None:
    """Whether one of the authors is banned. By which entry is left out: it may be an address."""
    bans = context.list.settings.bans
    if not bans:
        return None
    for author in context.facts.from_:
        if entry := senders.named(bans, author.address, context.author.named):
            return Hit(f"its author is banned{_BY.get(entry[0], '')}")
    return None
