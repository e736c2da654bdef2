"""The records of a domain, all asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from postroad.cli.doctor.checks import REMEDIES
from postroad.cli.doctor.finding import Finding, failed
from postroad.cli.doctor.judge import domain as judge
from postroad.cli.doctor.probe.dns import Resolver
from postroad.cli.signing import keys_of
from postroad.runtime import profiles
from postroad.runtime.config import Config, Domain, Relay
from postroad.runtime.errors import SettingsError


async def examine_domain(
    config: Config, domain: Domain, resolver: Resolver
) -> AsyncIterator[Finding]:
    """Every check of a domain of lists."""
    name = domain.name
    if name in profiles.DOMAINS:
        for finding in judge.foreign(name):
            yield finding
        return
    # what is stored here needs no record; without relays the domain is judged for itself
    relays = [r for r in config.relays_of(domain) if r.kind in ("smtp", "http")]
    ways = dict.fromkeys(map(_way, relays)) or {Way(): None}
    (answer, hosts), spf, (at, policy), keys = await asyncio.gather(
        resolver.mx(name),
        resolver.spf(name),
        resolver.dmarc(name),
        asyncio.gather(*(resolver.dkim(name, way.provider) for way in ways)),
    )
    yield judge.mx(name, answer, hosts)
    for way in ways:
        yield judge.spf(name, spf, way.provider, way.envelope or name)
    if domain.signing:
        for finding in await _signing(domain, resolver):
            yield finding
    else:
        for way, found in zip(ways, keys, strict=True):
            yield judge.dkim(name, way.provider, way.author or name, found)
    yield judge.dmarc(name, at, policy)


class Way(NamedTuple):
    """What receivers see of a relay: its provider, and the domains of From and envelope sender
    where it takes only one."""

    provider: str = ""
    envelope: str = ""
    author: str = ""


def _way(relay: Relay) -> Way:
    return Way(
        profiles.provider(relay.profile, relay.host),
        relay.envelope_address.rpartition("@")[2].lower(),
        relay.from_address.rpartition("@")[2].lower(),
    )


async def _signing(domain: Domain, resolver: Resolver) -> list[Finding]:
    try:
        keys = keys_of(domain)
    except SettingsError as error:
        what, _, remedy = str(error).partition("; ")
        return [failed("dkim", domain.name, what, remedy or REMEDIES["dkim"])]
    answers = await asyncio.gather(*(resolver.txt(key.name) for key in keys))
    published = [judge.Published(*each) for each in zip(keys, answers, strict=True)]
    return judge.signing(domain.name, published)
