"""The records of a domain, all asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import chain
from typing import NamedTuple

from postroad.cli.doctor.checks import REMEDIES
from postroad.cli.doctor.finding import Finding, failed, skipped
from postroad.cli.doctor.judge import domain as judge
from postroad.cli.doctor.judge.copy import Sample
from postroad.cli.doctor.judge.copy import judge as judge_copy
from postroad.cli.doctor.judge.peer import LOOPBACK
from postroad.cli.doctor.probe import copy as probe_copy
from postroad.cli.doctor.probe.broker import Running
from postroad.cli.doctor.probe.dns import Resolver
from postroad.cli.doctor.probe.network import addresses
from postroad.cli.doctor.probe.ptr import outgoing, public
from postroad.cli.doctor.probe.spf import covers
from postroad.cli.signing import keys_of
from postroad.runtime import profiles
from postroad.runtime.config import Config, Domain, Relay
from postroad.runtime.errors import SettingsError


async def examine_domain(
    config: Config, domain: Domain, resolver: Resolver, running: Running
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
    spfs = {
        way: judge.spf(name, spf, way.provider, way.envelope or name, leaves)
        for way, leaves in zip(ways, await _leaving(resolver, name, ways), strict=True)
    }
    if domain.signing:
        signing = await _signing(domain, resolver)
        dkims = dict.fromkeys(ways, signing)
    else:
        found = zip(ways, keys, strict=True)
        dkims = {w: [judge.dkim(name, w.provider, w.author or name, each)] for w, each in found}
    dmarc = judge.dmarc(name, at, policy)
    for finding in dict.fromkeys((*spfs.values(), *chain(*dkims.values()), dmarc)):
        yield finding
    told = await running.told()
    for relay in {_way(relay): relay for relay in reversed(relays)}.values():
        way = _way(relay)
        try:
            envelope, wire = probe_copy.sample(config, domain, relay, told.lists)
        except SettingsError:
            yield skipped("copy", name, "not composed without its key", "mend dkim first")
            return
        signer = way.provider if way.provider in judge.SIGNS else ""
        facts = Sample(name, relay, envelope, wire, spfs[way], dkims[way], dmarc, signer)
        for finding in judge_copy(facts):
            yield finding
    if not relays:
        why = "no relay sends its copies to other servers"
        yield skipped("copy", name, why, "nothing to do, while that is so")


class Way(NamedTuple):
    """What receivers see of a relay: its provider, the domains of From and envelope sender where
    it takes only one, and its host where that is no provider's."""

    provider: str = ""
    envelope: str = ""
    author: str = ""
    host: str = ""


def _way(relay: Relay) -> Way:
    provider = profiles.provider(relay.profile, relay.host)
    return Way(
        provider,
        relay.envelope_address.rpartition("@")[2].lower(),
        relay.from_address.rpartition("@")[2].lower(),
        "" if provider in judge.NEEDS else relay.host,
    )


async def _leaving(
    resolver: Resolver, domain: str, ways: Iterable[Way]
) -> list[judge.Leaves | None]:
    """Where the mail of each relay that is no provider's leaves from, as far as it can be told."""

    async def one(way: Way) -> judge.Leaves | None:
        if not way.host:
            return None
        here = way.host in LOOPBACK
        hosts = [outgoing()] if here else (await addresses(way.host))[0]
        found = next(filter(None, map(public, hosts)), "")
        if not found:
            return None
        covered = await covers(resolver, way.envelope or domain, found)
        return judge.Leaves(found, covered, here)

    return list(await asyncio.gather(*map(one, ways)))


async def _signing(domain: Domain, resolver: Resolver) -> list[Finding]:
    try:
        keys = keys_of(domain)
    except SettingsError as error:
        what, _, remedy = str(error).partition("; ")
        return [failed("dkim", domain.name, what, remedy or REMEDIES["dkim"])]
    answers = await asyncio.gather(*(resolver.txt(key.name) for key in keys))
    published = [judge.Published(*each) for each in zip(keys, answers, strict=True)]
    return judge.signing(domain.name, published)
