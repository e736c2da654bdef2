"""Who may not join a list: those whom its `bans` mean, and the addresses of lists themselves."""

from __future__ import annotations

from postroad.mail import addresses, senders
from schemas.lists import ListSettings
from services.membership.people import People
from services.membership.refused import Refused


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


def own_address(address: str) -> Refused:
    """The refusal for an address whose mail comes back to lists."""
    return Refused("bad_address", f"{address} is an address of a list itself, which nobody reads")
