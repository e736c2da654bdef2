"""no-senders: mail of which nobody can tell who wrote it.

A From that is missing, that cannot be read to its end, or that names several people (RFC 5322
section 3.6.2 allows it, forgers use it). Such mail is held whatever the list does with strangers:
never dropped, and never taken for a member's.
"""

from __future__ import annotations

from services.router.context import Context, Hit

# Old forms that still can be read in one way only (RFC 5322 section 4.4, RFC 5321 appendix C).
_READABLE = ("from: space or comment inside an address", "from: source route")


def check(context: Context) -> Hit | None:
    """Whether From names anything but exactly one address."""
    facts = context.facts
    if not facts.from_:
        return Hit("it has no From address that can be read")
    if len(facts.from_) > 1:
        return Hit(f"its From names {len(facts.from_)} addresses")
    for odd in facts.oddities:
        if odd == "more than one from" or (odd.startswith("from: ") and odd not in _READABLE):
            return Hit(f"its From is odd: {odd.removeprefix('from: ')}")
    return None
