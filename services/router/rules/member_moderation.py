"""member-moderation: a member's post, where posts of this member, or of members, have an action.

`moderation_action` of the member, else `default_member_action` of the list. Defer is a miss: the
remaining rules decide.
"""

from __future__ import annotations

from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether the author is a member and an action is set for them."""
    author, settings = context.author, context.list.settings
    if "member" not in author.roles:
        return None
    action = author.moderation or settings.default_member_action
    if action == "defer":
        return None
    whose = "this member" if author.moderation else "members"
    return Hit(f"posts of {whose} are set to {action}", action)
