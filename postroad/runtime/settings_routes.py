"""What may be wrong about which relay gets what: names, patterns, weights, limits.

A pattern is a domain, or `*.` and an end of it: `*.example.org` is every domain below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from postroad.runtime.errors import SettingsError
from postroad.runtime.quantities import rate
from postroad.runtime.settings import Destination, Domain, Rates, Relay

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PATTERN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


def check_routes(relays: Sequence[Relay], domains: Sequence[Domain]) -> Iterator[str]:
    """Every copy has a relay, every pattern a use, every limit a number."""
    if relays and not any(relay.weight for relay in relays):
        yield "[[relay]]: every relay has weight 0 (only where no other can); give one at least 1"
    chosen = {domain.relay for domain in domains if domain.relay}
    if relays and all(relay.domains for relay in relays):
        for domain in domains:
            if not domain.relay:
                yield (
                    f'[[domain]] "{domain.name}": every [[relay]] is for some domains only; leave'
                    " domains out of one, or name the relay for everybody else here by relay"
                )
    for relay in relays:
        where = f'[[relay]] "{relay.name}"'
        yield from _patterns(f"{where} domains", relay.domains, ())
        yield from _rates(f"{where} rate", relay.rate)
        if bool(relay.warm_up) != (relay.warm_up_from is not None):
            missing = "warm_up_from" if relay.warm_up else "warm_up"
            yield f"{where}: {missing} is missing; warm_up_from = 2026-12-01 is the first day"
        for before, step in pairwise(relay.warm_up):
            if step < before:
                yield f"{where} warm_up: {step} comes after {before}; let no day have less"
        yield from _destinations(where, relay, everybody=relay.name in chosen)


def warn_routes(relays: Sequence[Relay], domains: Sequence[Domain]) -> Iterator[str]:
    """What works, and is hardly what was meant."""
    single = {"localhost", *(domain.name for domain in domains)}
    for relay in relays:
        where = f'[[relay]] "{relay.name}"'
        more = next((step for step in relay.warm_up if 0 < relay.daily < step), 0)
        if more:
            yield (
                f"{where} warm_up: {more} is more than daily = {relay.daily}, which holds from "
                "the first day on; lower it, or raise daily"
            )
        named = [(f"{where} domains", relay.domains)]
        for number, destination in enumerate(relay.destination, 1):
            named.append((f"{where} destination number {number} domains", destination.domains))
        for here, patterns in named:
            for pattern in patterns:
                if "." not in pattern and pattern.lower() not in single:
                    yield (
                        f'{here}: "{pattern}" has no dot, so it is only for addresses such as '
                        f'ann@{pattern}; write the whole domain, such as "{pattern}.com"'
                    )


def _destinations(where: str, relay: Relay, *, everybody: bool) -> Iterator[str]:
    """`everybody`: it also gets recipients of other domains than its own."""
    before: list[str] = []
    for number, destination in enumerate(relay.destination, 1):
        here = f"{where} destination number {number}"
        if not destination.domains:
            yield f"{here}: domains is empty"
        if not _limits(destination):
            yield f"{here}: nothing is limited; set connections, rate or daily"
        yield from _patterns(f"{here} domains", destination.domains, before)
        yield from _rates(f"{here} rate", destination.rate)
        for pattern in destination.domains if relay.domains and not everybody else ():
            if not any(_meet(pattern, own) for own in relay.domains):
                yield f'{here} domains: "{pattern}" never comes here: see domains of the relay'
        before += destination.domains


def _patterns(where: str, patterns: Sequence[str], before: Sequence[str]) -> Iterator[str]:
    """Each is a domain or `*.` and one, and not covered by one that stands before it."""
    seen = list(before)
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern.lower()):
            yield f'{where}: "{pattern}" is not a domain such as "example.org" or "*.example.org"'
        elif (other := next((each for each in seen if covers(each, pattern)), None)) is not None:
            yield f'{where}: "{pattern}" is never asked for: "{other}" stands before it'
        seen.append(pattern)


def _rates(where: str, given: Rates) -> Iterator[str]:
    for text in given.split(",") if isinstance(given, str) else given:
        if not given:
            continue
        try:
            rate(text)
        except SettingsError as error:
            yield f"{where}: {error}"


def _limits(destination: Destination) -> bool:
    return bool(destination.connections or destination.rate or destination.daily)


def _meet(one: str, other: str) -> bool:
    return covers(one, other) or covers(other, one)


def covers(pattern: str, other: str) -> bool:
    """Whether whatever the other pattern (or domain) holds for, this one does."""
    pattern, other = pattern.lower(), other.lower()
    return pattern == other or (pattern.startswith("*.") and other.endswith(pattern[1:]))
