"""The records of a domain, all asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from postroad.cli.doctor.finding import Finding, failed
from postroad.cli.doctor.judge import domain as judge
from postroad.cli.doctor.probe.dns import Resolver
from postroad.cli.signing import keys_of
from postroad.runtime import profiles
from postroad.runtime.config import Config, Domain
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
    relay = next((r for r in config.relay if r.name == domain.relay), None)
    relay = relay or next(iter(config.relay), None)
    who = profiles.provider(relay.profile, relay.host) if relay else ""
    envelope = relay.envelope_address.rpartition("@")[2].lower() if relay else ""
    author = relay.from_address.rpartition("@")[2].lower() if relay else ""
    (answer, hosts), spf, keys, (at, policy) = await asyncio.gather(
        resolver.mx(name), resolver.spf(name), resolver.dkim(name, who), resolver.dmarc(name)
    )
    yield judge.mx(name, answer, hosts)
    yield judge.spf(name, spf, who, envelope or name)
    if domain.signing:
        yield await _signing(domain, resolver)
    else:
        yield judge.dkim(name, who, author or name, keys)
    yield judge.dmarc(name, at, policy)


async def _signing(domain: Domain, resolver: Resolver) -> Finding:
    try:
        keys = keys_of(domain)
    except SettingsError as error:
        what, _, remedy = str(error).rpartition("; ")
        return failed("dkim", domain.name, what or remedy, remedy)
    answers = await asyncio.gather(*(resolver.txt(key.name) for key in keys))
    published = [judge.Published(*each) for each in zip(keys, answers, strict=True)]
    return judge.signing(domain.name, published)
