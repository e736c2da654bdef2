"""Which relay gets whose copy (pure).

A recipient goes to the relays whose `domains` have the recipient's domain; else to the relay of
the list's domain; else to those without `domains`. Among equals the weights decide, by the name
of the chunk: the same each time, and where a relay is passed over only its own share moves.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """What the settings say of a relay: of which recipients it is, and its share. A weight of
    0 is for when no other works."""

    name: str
    domains: Names = ()
    weight: int = 1


class Routes:
    """All relays. `relay_of` names the relay of a list's domain, where the settings do."""

    def __init__(self, ways: Sequence[Way], relay_of: Mapping[str, str]) -> None:
        self._weights = {way.name: way.weight for way in ways}
        self._own = [(way.name, way.domains) for way in ways if way.domains]
        self._general = tuple(way.name for way in ways if not way.domains)
        self._relay_of = relay_of
        self.candidates = lru_cache(4096)(self._candidates)

    def of(
        self, list_domain: str, domains: Sequence[str], key: str, works: Callable[[str], bool]
    ) -> Sequence[str]:
        """The relay of each recipient, by their domains in lower case; `key` names the chunk.
        Of relays that do not work the first choice is kept, to wait for."""
        if not self._own:
            return [self.choose(self.candidates(list_domain, ""), key, works)] * len(domains)
        chosen: dict[Names, str] = {}
        found = []
        for domain in domains:
            names = self.candidates(list_domain, domain)
            if names not in chosen:
                chosen[names] = self.choose(names, key, works)
            found.append(chosen[names])
        return found

    def choose(self, names: Names, key: str, works: Callable[[str], bool]) -> str:
        """One of these relays: each gets its share of all keys (weighted rendezvous hashing)."""
        if len(names) == 1:
            return names[0]
        ranked = sorted(names, key=lambda name: _rank(name, self._weights[name], key))
        return next(filter(works, ranked), ranked[0])

    def _candidates(self, list_domain: str, domain: str) -> Names:
        own = tuple(name for name, patterns in self._own if matches(patterns, domain))
        if own:
            return own
        if list_domain in self._relay_of:
            return (self._relay_of[list_domain],)
        return self._general


def matches(patterns: Names, domain: str) -> bool:
    """Whether one of the patterns is this domain, or `*.` and an end of it."""
    return any(
        domain == pattern or (pattern.startswith("*.") and domain.endswith(pattern[1:]))
        for pattern in patterns
    )


def lower(names: Sequence[str]) -> Names:
    """Domains or patterns, as `matches` wants them."""
    return tuple(name.lower() for name in names)


def domain_of(address: str) -> str:
    """The domain of an address, in lower case."""
    return address.rpartition("@")[2].lower()


def apart(keys: Sequence[str], indices: Sequence[int]) -> list[list[int]]:
    """These indices by their key, in the order in which the keys first come."""
    groups: dict[str, list[int]] = {}
    for index in indices:
        groups.setdefault(keys[index], []).append(index)
    return list(groups.values())


def _rank(name: str, weight: int, key: str) -> float:
    """Lower comes first. -log(u) / weight, u even in (0, 1), is least for each name in the
    share of its weight; those without weight come behind all others."""
    digest = hashlib.blake2b(f"{name} {key}".encode(), digest_size=8).digest()
    draw = -math.log((int.from_bytes(digest, "big") + 1) / (2**64 + 1))
    return draw / weight if weight else 1e9 + draw
