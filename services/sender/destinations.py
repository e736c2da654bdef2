"""The domains of recipients, as one relay shows them: which are limited, slow or refuse (pure).

A domain is *apart* where it has limits of its own, or is sick; its copies then go in chunks of
their own, so that it keeps nobody else waiting. Sick is a domain

slow      whose answers take much longer than those about all others, and cost the lanes time
open      that refused for now, or did not answer, many times in a row: nothing is sent to it
          for a while, then one copy to try (a circuit breaker, half open), and all when that works

Times are seconds of any clock that only goes forward.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from services.sender.routes import Names, matches

SLOWER = 4.0  # times what others take on average is no fault yet
SPARE = 0.5  # seconds beyond that which its answers may cost, all in all
WAIT = 0.25  # seconds beyond that which one window may wait for it, others behind
FADING = 30.0  # seconds after which what was measured counts for a third
EVIDENCE = 8  # answers about others that it takes to compare
COLD = 0.75  # seconds that an answer may take where nobody is to compare with
ALONE = 5.0  # the same, where nobody is behind it either
SILENCE = 0.05  # seconds in which nobody is answered that are nobody's alone
SILENCES = 64  # that are thought of
QUICK = 16  # answers as quick as others' until a slow domain is well again
REFUSALS = 20  # for now, in a row, until nothing more is sent
FIRST_REST, LONGEST_REST = 60.0, 3600.0  # seconds that nothing is sent; doubles each time
TRYING = 120.0  # seconds that one copy may take until another is tried
MEMORY = 10_000  # domains that are thought of


@dataclass(slots=True)
class _Times:
    """Answers that were waited for, and the seconds they took, fading."""

    seconds: float = 0.0
    count: float = 0.0
    at: float = 0.0

    def add(self, seconds: float, count: int, now: float) -> float:
        """So many more. Returns the share that is kept of what was before."""
        kept = math.exp((self.at - now) / FADING)
        self.seconds = self.seconds * kept + seconds
        self.count = self.count * kept + count
        self.at = now
        return kept

    def remove(self, others: _Times) -> None:
        """These are none of them any more."""
        kept = math.exp((others.at - self.at) / FADING)
        self.seconds = max(0.0, self.seconds - others.seconds * kept)
        self.count = max(0.0, self.count - others.count * kept)


@dataclass(slots=True)
class _Domain:
    times: _Times = field(default_factory=_Times)
    cost: float = 0.0  # seconds beyond what others take; quick answers pay it back, no more
    slow: bool = False
    quick: int = 0  # answers in a row that were, while it counts as slow
    refusals: int = 0  # in a row
    rest: float = 0.0  # the length of the last rest, 0 while closed
    until: float = 0.0  # nothing is sent before
    trying: bool = False  # one copy


class Destinations:
    """What is known of the domains behind a relay. `limited` are the patterns of those with
    limits, group by group."""

    def __init__(self, limited: Sequence[Names] = ()) -> None:
        self._limited = limited
        self._known: dict[str, _Domain] = {}
        self._sick: set[str] = set()
        self._all = _Times()  # of those who are not slow
        self._heard = -math.inf  # when an answer about anybody came last
        self._awaited: dict[Hashable, str] = {}  # whose answers are waited for now, by lane
        # when windows ended of late, and the least that any of their answers took, and whose it was
        self._answers: deque[tuple[float, float, str]] = deque(maxlen=SILENCES)
        # since when nobody was answered, and until when, and how many domains were waited for
        self._silences: deque[tuple[float, float, int]] = deque(maxlen=SILENCES)

    @property
    def plain(self) -> bool:
        """Whether no domain is apart."""
        return not (self._limited or self._sick)

    def key(self, domain: str) -> str:
        """With whom a domain shares its chunks: "" for all that are well and without limits, its
        own name while it is sick, else the first pattern of its group."""
        if domain in self._sick:
            return domain
        group = self.group(domain)
        return "" if group is None else self._limited[group][0]

    def group(self, domain: str) -> int | None:
        """The number of the group of limits that a domain is in."""
        if not self._limited:
            return None
        found = (n for n, patterns in enumerate(self._limited) if matches(patterns, domain))
        return next(found, None)

    def sick(self, domain: str) -> bool:
        """Whether it has to wait for itself."""
        return domain in self._sick

    def opens(self, domain: str) -> float:
        """Before when nothing may be sent to it; 0 where nothing is in the way."""
        known = self._known.get(domain)
        return known.until if known is not None and known.rest else 0.0

    def rests(self, domain: str, now: float) -> float:
        """Seconds until something may be sent to it."""
        return max(0.0, self.opens(domain) - now)

    def trying(self, domain: str) -> bool:
        """Whether one copy is on its way to it, and its answer decides when it opens."""
        known = self._known.get(domain)
        return known is not None and known.trying

    def try_one(self, domain: str, now: float) -> bool:
        """Whether a copy may be sent now. To a domain that rested this is one to try, and
        nothing more may follow before its answer."""
        known = self._known.get(domain)
        if known is None or not known.rest:
            return True
        if now < known.until:
            return False
        known.until, known.trying = now + TRYING, True
        return True

    def waiting(
        self,
        lane: Hashable,
        domain: str,
        seconds: float,
        now: float,
        *,
        before: tuple[float, int] = (0.0, 0),
        others: bool = True,
    ) -> bool:
        """A lane's window waits for an answer about this domain ("": about several) for so long
        already, `before` (and for so many) in front of it, `others` behind it. True where that
        makes the domain slow now."""
        self._awaited[lane] = domain
        if not domain or domain in self._sick:
            return False
        known = self._of(domain)
        average = self._others(known)
        if average == math.inf:
            seconds += min(before[0], 2 * COLD)
            allowed = COLD if others else ALONE
        else:
            seconds += before[0]
            allowed = SLOWER * average * (1 + before[1]) + WAIT
        if self._fair(known, seconds, now) <= allowed or self._all_slow(domain, seconds, now):
            return False
        self._slow(domain, known)
        return True

    def heard(self, at: float, domain: str = "", wait: float = 0.0) -> None:
        """Somebody was answered then: of this domain, where that is known, after such a wait."""
        if domain and domain not in self._sick:
            self._answers.append((at, wait, domain))
        if at - self._heard > SILENCE and self._heard > -math.inf:
            self._silences.append((self._heard, at, self._waited_for))
        self._heard = max(self._heard, at)

    def left(self, lane: Hashable) -> None:
        """A lane waits for nobody any more."""
        self._awaited.pop(lane, None)

    def answered(self, domains: Sequence[str], waits: Sequence[float], now: float) -> None:
        """A window took so long for answers, in seconds, about recipients of these domains. One
        that never came counts as if it had taken as long as it was waited for."""
        self.heard(now)
        groups = []
        start = 0
        for domain, group in groupby(domains):
            end = start + sum(1 for _ in group)
            known = self._of(domain)
            own = [
                each if each <= SILENCE else self._fair(known, each, now)
                for each in waits[start:end]
            ]
            groups.append((domain, known, end - start, sum(own), _waited(own)))
            start = end
        took = [
            (wait, domain)
            for wait, domain in zip(waits, domains, strict=True)
            if wait and domain not in self._sick
        ]
        if took:
            self._answers.append((now, *min(took)))
        whole, waited = sum(group[3] for group in groups), sum(group[4] for group in groups)
        kept = [known.times.add(seconds, times, now) for _, known, _, seconds, times in groups]
        well = [group for group in groups if not group[1].slow]
        self._all.add(sum(group[3] for group in well), sum(group[4] for group in well), now)
        for (domain, known, count, seconds, times), before in zip(groups, kept, strict=True):
            beside = (whole - seconds) / (waited - times) if waited > times else 0.0
            allowed = SLOWER * times * max(self._others(known), beside) if times else 0.0
            known.cost = max(0.0, known.cost * before + seconds - allowed)
            if known.slow:
                quick = allowed if allowed < math.inf else WAIT * times
                known.quick = known.quick + count if seconds <= quick else 0
                if known.quick >= QUICK:
                    known.slow, known.times, known.cost = False, _Times(), 0.0
                    self._heal(domain, known)
            elif known.cost > SPARE:
                self._slow(domain, known)

    def accepted(self, domain: str) -> None:
        """It took a copy, or refused one for good: it answers."""
        known = self._known.get(domain)
        if known is not None and (known.refusals or known.rest):
            known.refusals, known.rest, known.until, known.trying = 0, 0.0, 0.0, False
            self._heal(domain, known)

    def refused(self, domain: str, now: float, *, silent: bool = False) -> None:
        """It takes no copy for now; `silent`: it did not even say so in time."""
        known = self._of(domain)
        known.refusals += 1
        if known.rest and not known.trying:
            return  # of the same window as what opened it
        if silent or known.trying or known.refusals >= REFUSALS:
            known.rest = min(max(FIRST_REST, 2 * known.rest), LONGEST_REST)
            known.until, known.trying = now + known.rest, False
            self._sick.add(domain)

    def told(self) -> Iterator[tuple[str, str]]:
        """Each sick domain and what is wrong: slow or waits."""
        for domain in sorted(self._sick):
            yield domain, "waits" if self._known[domain].rest else "slow"

    @property
    def _waited_for(self) -> int:
        """How many domains are waited for now."""
        return len({domain for domain in self._awaited.values() if domain not in self._sick})

    def _fair(self, known: _Domain, seconds: float, now: float) -> float:
        """Of a wait until now, what a domain is to blame for. Where nobody is answered the relay
        may pause, or we may: that is shared by all who are waited for, and a domain that has most
        of the answers anyway is the less suspect."""
        if seconds <= SILENCE:
            return seconds
        share = known.times.count / self._all.count if self._all.count > EVIDENCE else 0.5
        fair, since = seconds, now - seconds
        for begin, end, many in (*self._silences, (self._heard, now, self._waited_for)):
            silent = min(end, now) - max(begin, since)
            if silent > 0.0:
                fair -= silent * (1.0 - (1.0 - min(share, 1.0)) / max(many, 1))
        return fair

    def _all_slow(self, domain: str, seconds: float, now: float) -> bool:
        """Whether others were answered during this wait, and none of them much sooner."""
        since = [wait for at, wait, who in self._answers if at > now - seconds and who != domain]
        return bool(since) and min(since) > seconds / SLOWER

    def _others(self, but: _Domain) -> float:
        """Seconds that an answer takes, on average, but for this one's and those of who is slow;
        endless while too few came."""
        seconds, count = self._all.seconds, self._all.count
        if not but.slow:
            seconds, count = seconds - but.times.seconds, count - but.times.count
        return max(0.0, seconds) / count if count > EVIDENCE else math.inf

    def _slow(self, domain: str, known: _Domain) -> None:
        known.slow, known.quick, known.cost = True, 0, 0.0
        self._all.remove(known.times)
        self._sick.add(domain)

    def _heal(self, domain: str, known: _Domain) -> None:
        if not known.slow and not known.rest:
            self._sick.discard(domain)

    def _of(self, domain: str) -> _Domain:
        known = self._known.get(domain)
        if known is None:
            if len(self._known) >= MEMORY:
                self._forget()
            known = self._known[domain] = _Domain()
        return known

    def _forget(self) -> None:
        well = [domain for domain in self._known if domain not in self._sick]
        for domain in well or list(self._known)[: MEMORY // 2]:
            del self._known[domain]
            self._sick.discard(domain)


def waits(
    results: Iterable[tuple[Sequence[bool], Mapping[int, float]]],
) -> list[float | None]:
    """Seconds that each recipient of a window took, of (who was answered, waits) of each
    transaction; None where nothing was asked about one, 0 where the answer came with another.

    What a message took as a whole is its only recipient's, or nobody's.
    """
    found: list[float | None] = []
    for answered, each in results:
        if len(answered) == 1:
            found.append(sum(each.values()) if each or answered[0] else None)
        else:
            found += [
                each.get(index, 0.0) if known or index in each else None
                for index, known in enumerate(answered)
            ]
    return found


def _waited(waits: Sequence[float]) -> int:
    """For how many answers we waited: the others came together with one of them."""
    return len(waits) - waits.count(0.0)
