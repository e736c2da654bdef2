"""Who may not join a list: those whom its `bans` mean."""

from __future__ import annotations

from postroad.mail import addresses, senders
from schemas.lists import ListSettings
from services.membership.people import People


def banned(settings: ListSettings, people: People, address: str) -> bool:
    """Whether this address, ready to keep, is banned."""
    if not settings.bans:
        return False
    normal = addresses.normalise(address)
    own = senders.of_key(people.key_of_normal(normal))
    return bool(senders.named(settings.bans, normal, (own,)))


def refusal(address: str) -> str:
    """What an operator reads who would add them all the same."""
    return f"{address} is banned from this list; take that out of its setting bans first"
