"""nonmember-moderation: a stranger's post, where posts of strangers have an action.

What was decided on this very stranger, as a nonmember, stands first. Those named in
`accept_these_nonmembers` are treated as members: the remaining rules decide. Then `hold_`,
`reject_` and `discard_these_nonmembers` are asked, and for everybody else
`default_nonmember_action`; defer is a miss. Owners and moderators are no strangers, members or not.
A mail whose author is unknown altogether is for no-senders.
"""

from __future__ import annotations

from typing import Literal

from postroad.mail import senders
from services.router.context import Context, Hit

_ACTIONS: tuple[Literal["hold", "reject", "discard"], ...] = ("hold", "reject", "discard")


def check(context: Context) -> Hit | None:
    """Whether the author is not on the list and an action is set for that."""
    settings = context.list.settings
    if context.author.roles or len(context.facts.from_) != 1:
        return None
    if own := context.author.moderation:
        if own == "defer":
            return None
        return Hit(f"posts of this nonmember are set to {own}", own)
    if _named(context, settings.accept_these_nonmembers):
        return Hit("its author is not a member, and named in accept_these_nonmembers")
    for action in _ACTIONS:
        if _named(context, getattr(settings, f"{action}_these_nonmembers")):
            return Hit(
                f"its author is not a member, and named in {action}_these_nonmembers", action
            )
    default = settings.default_nonmember_action
    if default == "defer":
        return None
    return Hit(f"its author is not a member; such posts are set to {default}", default)


def _named(context: Context, entries: tuple[str, ...]) -> bool:
    author = context.facts.from_[0].address
    return bool(entries and senders.named(entries, author, context.author.named))
