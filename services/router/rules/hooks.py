"""hooks: what packages of the operator's find in it (`[site] hooks`, docs/hooks.md).

A hook that fails or takes too long holds the mail, and is named.
"""

from __future__ import annotations

from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """What failed, else the first hook with a verdict, else the first that says anything."""
    found = context.looked.hooked
    if found is None:
        return None
    if found.trouble:
        return Hit(found.trouble, "hold")
    decided = (hit for hit in found.hits if hit.verdict)
    return next(decided, next(iter(found.hits), None))
