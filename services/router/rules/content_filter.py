"""content-filter: mail of which the list's filter leaves nothing, or that it could not take apart.

What it takes off a mail that passes is no hit. Mailman's `filter_action` says what becomes of a
mail of which nothing is left; one that cannot be taken apart waits for a moderator, who may let it
through as it is.
"""

from __future__ import annotations

from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether the mail cannot go out as the list's filter wants it."""
    left = context.looked.filtered
    if left is None:
        return None
    if left.held:
        return Hit(left.held, "hold")
    if left.empty:
        return Hit(left.empty, context.list.settings.filter_action)
    return None
