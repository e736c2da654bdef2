"""implicit-dest: mail that names the list in neither To nor Cc (`require_explicit_destination`).

So is mail that was sent in Bcc, as most spam is. `acceptable_aliases` names further addresses, or
patterns of such, that are as good as the list's own. What comes from a source for this list alone
need not name it.
"""

from __future__ import annotations

from postroad.mail import patterns
from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether the list is not named though it has to be."""
    settings = context.list.settings
    if not settings.require_explicit_destination or context.looked.meant:
        return None
    facts = context.facts
    named = {box.address for box in (*facts.to, *facts.cc)}
    if not named.isdisjoint(context.list.names):
        return None
    accepted = [alias for alias in settings.acceptable_aliases if alias.startswith("^")]
    if any(patterns.found(alias, address) for alias in accepted for address in named):
        return None
    return Hit("neither its To nor its Cc names the list")
