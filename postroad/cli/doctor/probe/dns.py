"""Records of a domain, by dnspython: asked of the name server that the environment names
(POSTROAD_RESOLVER, ADDRESS or ADDRESS:PORT), else of that of the settings, else of the system's."""

from __future__ import annotations

import asyncio
import os
import re

import dns.exception
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.txtbase import TXTBase

from postroad.cli.doctor.judge.domain import SELECTORS, SPF_LOOKUPS, Answer, Spf
from postroad.runtime.errors import SettingsError
from postroad.runtime.nameservers import resolver
from postroad.runtime.settings import Dns

SECONDS = 4.0  # for one question, with all its retries

_LOOKUP = re.compile(r"\s[+~?-]?(?:include:|a\b|mx\b|ptr\b|exists:|redirect=)")
_INCLUDED = re.compile(r"\s\+?(?:include:|redirect=)([^\s%]+)")


class Resolver:
    """Asks questions; remembers no answer."""

    def __init__(self, settings: Dns) -> None:
        named = os.environ.get("POSTROAD_RESOLVER") or settings.resolver.removeprefix("none")
        try:
            self._resolver = resolver(named, SECONDS)
        except ValueError:
            raise SettingsError("POSTROAD_RESOLVER must be ADDRESS or ADDRESS:PORT") from None

    async def _ask(self, name: str, kind: str) -> dns.resolver.Answer | Answer:
        try:
            return await self._resolver.resolve(name, kind, search=False)
        except dns.resolver.NXDOMAIN:
            return Answer(problem="no name")
        except dns.resolver.NoAnswer:
            return Answer(problem="missing")
        except (dns.resolver.LifetimeTimeout, OSError):
            return Answer(problem="silent")
        except dns.exception.DNSException:
            return Answer(problem="broken")

    async def addresses(self, name: str) -> Answer:
        """The A and AAAA records of a name."""
        both = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"))
        records = tuple(str(r) for answer in both if not isinstance(answer, Answer) for r in answer)
        problems = [answer.problem for answer in both if isinstance(answer, Answer)]
        return Answer(records) if records else Answer(problem=problems[0])

    async def ptr(self, address: str) -> Answer:
        """The names of an address."""
        answer = await self._ask(dns.reversename.from_address(address).to_text(), "PTR")
        return answer if isinstance(answer, Answer) else Answer(tuple(map(str, answer)))

    async def mx(self, domain: str) -> tuple[Answer, dict[str, Answer]]:
        """The MX records, and the addresses of their hosts; of the domain where it has none."""
        answer = await self._ask(domain, "MX")
        if isinstance(answer, Answer):
            own = {domain: await self.addresses(domain)} if answer.problem == "missing" else {}
            return Answer() if own else answer, own
        best = sorted((r for r in answer if isinstance(r, MX)), key=lambda r: r.preference)
        lines = [f"{r.preference} {str(r.exchange).rstrip('.') or '.'}" for r in best]
        hosts = [line.split()[1] for line in lines]
        found = await asyncio.gather(*(self.addresses(host) for host in hosts if host != "."))
        return Answer(tuple(lines)), dict(zip(hosts, found, strict=False))

    async def txt(self, name: str) -> Answer:
        """The TXT records of a name, the strings of each put together."""
        answer = await self._ask(name, "TXT")
        if isinstance(answer, Answer):
            return answer
        texts = (b"".join(r.strings) for r in answer if isinstance(r, TXTBase))
        return Answer(tuple(text.decode("ascii", "replace") for text in texts))

    async def spf(self, domain: str) -> Spf:
        """The SPF record, and what it includes, as far as a receiver follows."""
        first = await self.txt(domain)
        if first.problem == "missing":
            return Spf(Answer())
        included: set[str] = set()
        lookups, texts = 0, list(first.records)
        while texts and lookups <= SPF_LOOKUPS:
            text = texts.pop(0).lower()
            if not re.match(r"v=spf1(\s|$)", text):
                continue
            lookups += len(_LOOKUP.findall(text))
            for target in _INCLUDED.findall(text):
                if target not in included:
                    included.add(target)
                    texts += (await self.txt(target)).records
        return Spf(first, frozenset(included), lookups)

    async def dkim(self, domain: str, provider: str) -> dict[str, Answer]:
        """The keys of the provider's usual selectors."""
        selectors = SELECTORS.get(provider, ())
        asked = (self.txt(f"{selector}._domainkey.{domain}") for selector in selectors)
        return dict(zip(selectors, await asyncio.gather(*asked), strict=True))

    async def dmarc(self, domain: str) -> tuple[str, Answer]:
        """The DMARC record of the domain, or of the nearest above it that has one."""
        labels = domain.split(".")
        for cut in range(max(1, len(labels) - 1)):
            at = ".".join(labels[cut:])
            answer = await self.txt(f"_dmarc.{at}")
            if answer.problem in ("silent", "broken"):
                return at, answer
            if any(text.startswith("v=DMARC1") for text in answer.records):
                return at, answer
        return domain, Answer(problem="missing")
