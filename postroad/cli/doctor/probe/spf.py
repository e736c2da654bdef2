"""Whether an SPF record lets an address send (RFC 7208), as far as that can be told beforehand."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from postroad.cli.doctor.judge.domain import SPF_LOOKUPS
from postroad.cli.doctor.probe.dns import Resolver

_TERM = re.compile(
    r"(?P<sign>[+~?-]?)(?P<kind>[a-z0-9]+)(?:[:=](?P<value>[^/\s]+))?"
    r"(?:/(?P<four>\d+))?(?://(?P<six>\d+))?$"
)


async def covers(resolver: Resolver, domain: str, address: str) -> bool | None:
    """Whether mail of `domain` from `address` passes; None where that depends on more than these
    (macros, ptr, exists)."""
    return await _Asked(resolver, address).passes(domain)


@dataclass
class _Asked:
    """One question, and how many records were read for it."""

    resolver: Resolver
    address: str
    read: int = 0

    async def passes(self, domain: str) -> bool | None:
        self.read += 1
        if self.read > SPF_LOOKUPS:
            return False
        texts = (await self.resolver.txt(domain)).records
        record = next((text for text in texts if re.match(r"v=spf1(\s|$)", text.lower())), "")
        terms = [_TERM.match(term) for term in record.lower().split()[1:]]
        unsure = False
        for term in sorted(terms, key=lambda term: bool(term and term["kind"] == "redirect")):
            hit = await self._hits(term, domain) if term else None
            if hit and term:
                passed = term["sign"] in ("", "+")
                return passed or (None if unsure else False)
            unsure = unsure or hit is None
        return None if unsure else False

    async def _hits(self, term: re.Match[str], domain: str) -> bool | None:
        value = term["value"] or domain
        match term["kind"]:
            case "all":
                return True
            case "include" | "redirect":
                return await self.passes(value)
            case "ip4" | "ip6":
                return self._within([value], term["four"], term["four"])
            case "a":
                found = await self.resolver.addresses(value)
                return self._within(found.records, term["four"], term["six"])
            case "mx":
                _, hosts = await self.resolver.mx(value)
                found_all = [each for answer in hosts.values() for each in answer.records]
                return self._within(found_all, term["four"], term["six"])
        return None  # ptr, exists, and what is no mechanism

    def _within(self, networks: Sequence[str], four: str | None, six: str | None) -> bool:
        for network in networks:
            bits = six if ":" in network else four
            try:
                there = ipaddress.ip_network(f"{network}/{bits}" if bits else network, strict=False)
            except ValueError:
                continue
            if ipaddress.ip_address(self.address) in there:
                return True
        return False
