"""What a chunk waits for that was queued, or given back to the queue, and has not left. Pure.

What is scheduled says itself why; of the rest the sender tells, by what it says of its relays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from postroad.runtime.config import Config
from postroad.runtime.health import Fact, Report
from postroad.runtime.later import Scheduled, limits
from schemas.road import ChunkQueued
from services.sender.routes import Routes, Way, domain_of, lower, matches

SOON = "; tried again by itself, within 5 minutes"  # the longest that a relay is paused
SICK = {
    "waits": ("refuses mail for now, or does not answer", "refuse mail for now, or do not answer"),
    "slow": ("is slow to answer", "are slow to answer"),
}
WAITING = ("has to wait", "have to wait")


@dataclass(frozen=True)
class Sender:
    """What the senders that run say, and how the settings have them send. `relays` are their
    facts by name, of several the one that is worse; `given` the sequence up to which the chunks of
    each lane were given to them."""

    relays: Mapping[str, Fact]
    given: Mapping[str, int]
    routes: Routes
    limited: Mapping[str, Sequence[tuple[str, ...]]]  # by relay: domains with limits, in groups
    rated: Collection[str] = ()  # relays that take so many copies in so much time

    @classmethod
    def of(cls, config: Config, reports: Sequence[Report], given: Mapping[str, int]) -> Sender:
        """By the settings, and the reports of all services."""
        facts: dict[str, Fact] = {}
        for report in reports:
            for fact in report.facts if report.service == "sender" else ():
                if fact.kind == "relay" and (fact.name not in facts or not fact.ok):
                    facts[fact.name] = fact
        ways = [Way(relay.name, lower(relay.domains), relay.weight) for relay in config.relay]
        return cls(
            relays=facts,
            given=given,
            routes=Routes(ways, {d.name: d.relay for d in config.domain if d.relay}),
            limited={
                relay.name: [lower(each.domains) for each in relay.destination]
                for relay in config.relay
            },
            rated=[
                relay.name
                for relay in config.relay
                if relay.rates or any(each.rates for each in relay.destination)
            ],
        )

    def why(self, chunk: ChunkQueued, lane: str, seq: int) -> str:
        """Why a chunk that lies in its lane's queue with this sequence has not left."""
        if not self.relays:
            return "the sender does not answer; `postroad status` says more"
        domains = sorted({domain_of(address) for address in chunk.addresses})
        of = domain_of(chunk.copy.list_address)
        names = sorted({name for domain in domains for name in self.routes.candidates(of, domain)})
        blocked = [self._broken(name, SOON) or self._limit(name) for name in names]
        if blocked and all(blocked):
            return blocked[0]
        for name in names:
            if told := self._limit(name, domains):
                return told
        for name in names:
            sick = self._facts(name).get("domains", {})
            if domains and all(domain in sick for domain in domains):
                how = SICK.get(sick[domains[0]], WAITING)
                return f"{', '.join(domains)} {how[len(domains) > 1]}"
        if seq > self.given.get(lane, 0):
            return "others are sent first"
        rated = [name for name in names if name in self.rated]
        within = f", within the limits of relay {rated[0]}" if rated else ""
        return f"in the hands of the sender: under way, or to be tried again{within}"

    def scheduled(self, found: Scheduled) -> str:
        """Why a chunk is scheduled; "" where its people were refused, each for a reason."""
        if not found.relay:
            return ""
        if not limits(found.why) and (broken := self._broken(found.relay)):
            return broken
        return f"relay {found.relay}: {found.why}"

    def _broken(self, name: str, again: str = "") -> str:
        """What is wrong with a relay, and when it is tried `again`; "" where nothing is known to
        be."""
        fact = self.relays.get(name)
        if fact is None or fact.ok or limits(fact.detail):
            return ""
        return f"relay {name} does not work: {fact.detail}{again}"

    def _limit(self, name: str, domains: Sequence[str] = ()) -> str:
        """What is said of a limit of this relay, or of one behind it for one of these domains."""
        fact = self.relays.get(name)
        for limit in limits(fact.detail) if fact is not None else ():
            groups = self.limited.get(name, ())
            patterns = next((each for each in groups if limit.domain in each), ())
            behind = any(matches(patterns, domain) for domain in domains)
            if behind or not (limit.domain or domains):
                return f"relay {name}: {limit.told}"
        return ""

    def _facts(self, name: str) -> Mapping[str, Mapping[str, str]]:
        fact = self.relays.get(name)
        return fact.facts if fact is not None else {}
