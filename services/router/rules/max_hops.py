"""max-hops: mail that has passed more servers than honest mail does.

The last guard against a loop whose marks somebody strips (RFC 5321 section 6.3). The real
mail we test with has at most 13 Received fields; Postfix gives up at 50. The one that we put before
what clients bring is not counted: the mail must not depend on the way it takes to us.
"""

from __future__ import annotations

from services.router.context import Context, Hit

LIMIT = 30


def check(context: Context) -> Hit | None:
    """Whether there are more than 30 Received fields."""
    hops = context.facts.received
    return Hit(f"it has {hops} Received fields, more than {LIMIT}") if hops > LIMIT else None
