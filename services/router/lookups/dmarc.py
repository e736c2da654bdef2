"""What the domain of an author wants done with changed mail, and whose signatures count for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from postroad.mail.authentication import signers
from postroad.mail.dmarc import Found, Record, Standing, organisation, standing, strictest, walk
from projections.lists import List
from schemas.road import MailReceived
from services.router.context import Dmarc
from services.router.lookups.memory import Memory, Unanswered
from services.router.lookups.nameserver import NameServer
from services.router.lookups.seats import Seats

_AUTHORS = 4  # domains of a From with several authors
_SIGNERS = 4  # domains that signed


class Policies:
    """Looks up policies at `server`; a mail waits `seconds` at most. Copies of the lists of these
    `signed` domains bear a signature of theirs."""

    def __init__(self, server: NameServer, seconds: float, signed: Iterable[str]) -> None:
        self._server = server
        self._seats = Seats()
        self._records: Memory[Record | None] = Memory(server.record)
        self._exist: Memory[bool] = Memory(server.exists)
        self._seconds = seconds
        self._signed = frozenset(signed)

    async def look(self, mail: MailReceived, known: List, authserv_id: str) -> Dmarc | None:
        """What the rule `dmarc` of this list is to know, without the mail's header block; None
        where there is nothing to ask. Raises Busy where too many wait."""
        settings = known.settings
        if settings.dmarc_mitigate_action == "no_mitigation" or settings.anonymous_list:
            return None
        boxes = (box.address.rpartition("@")[2] for box in mail.facts.from_)
        domains = [domain for domain in dict.fromkeys(boxes) if domain and domain[0] != "["]
        # Mail of the list's own domain fares as the list's own letters do, munged or not.
        if not domains or domains == [known.domain]:
            return None
        try:
            with self._seats:
                async with asyncio.timeout(self._seconds):
                    return await self._judge(mail, known, authserv_id, domains[:_AUTHORS])
        except (TimeoutError, Unanswered):
            return Dmarc(policy="unknown")

    def close(self) -> None:
        """Ask no more."""
        self._records.close()
        self._exist.close()
        self._server.close()

    async def _judge(
        self, mail: MailReceived, known: List, authserv_id: str, domains: list[str]
    ) -> Dmarc:
        found = [await self._standing(domain) for domain in domains]
        policy = strictest(each.policy for each in found)
        if policy == "none" or len(found) > 1:
            return Dmarc(policy=policy)
        (domain,), (held,) = domains, found
        if await self._ours(known.domain, held):
            return Dmarc(policy="none")
        aligned = [
            signer
            for signer in signers(mail.facts, authserv_id)[:_SIGNERS]
            if signer == domain or (held.record.adkim == "r" and await self._same(signer, held))
        ]
        return Dmarc(policy=policy, signers=frozenset(aligned))

    async def _standing(self, domain: str) -> Standing:
        first = await self._records.get(domain)
        if first and first.p == "none":  # as most have it: nobody above it is asked
            return standing(domain, {domain: first})
        found = await self._walked(domain)
        held = standing(domain, found)
        if first or held.record.sp == held.record.np:
            return held
        return standing(domain, found, exists=await self._exist.get(domain))

    async def _walked(self, domain: str) -> Found:
        names = walk(domain)
        for name in names:
            self._records.start(name)
        return {name: await self._records.get(name) for name in names}

    async def _ours(self, domain: str, held: Standing) -> bool:
        """Whether what proves that a copy is of the list's domain proves it for this one: then the
        list's address in From would fare no better."""
        record = held.record
        proof = record.aspf == "r" or (record.adkim == "r" and domain in self._signed)
        return proof and await self._same(domain, held)

    async def _same(self, domain: str, held: Standing) -> bool:
        """Whether both have one owner; not, where nobody can say."""
        top = held.organisation
        if domain != top and not domain.endswith(f".{top}"):
            return False
        try:
            return organisation(domain, await self._walked(domain)) == top
        except Unanswered:
            return False
