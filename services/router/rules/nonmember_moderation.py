"""nonmember-moderation: what the list does with posts of strangers.

`default_nonmember_action` of the list; defer is a miss. Owners and moderators are no strangers,
members or not. A mail whose author is unknown altogether is for no-senders.
"""

from __future__ import annotations

from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether the author is not on the list and an action is set for that."""
    action = context.list.settings.default_nonmember_action
    if context.author.roles or action == "defer" or len(context.facts.from_) != 1:
        return None
    return Hit(f"its author is not a member; such posts are set to {action}", action)
