"""What membership, and the streams, say about earlier moments."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import datetime
from itertools import accumulate, islice
from typing import TypeVar

import msgspec

from postroad.cli.ask import login, refusal
from postroad.cli.hindsight.standing import Standings
from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.stored import Stored
from schemas import subjects
from schemas.commands import Answer, Change, Command
from schemas.hindsight import Audience, Known, PastAudience, PastFacts, ProposeSettings
from services.membership.hindsight import MOST, Hindsight
from services.membership.refused import Refused

EVENTS = 1_000  # of MEMBERSHIP that are read at once
SECONDS = 60.0  # that an answer may take: a million members are looked through
CHANGE_SECONDS = 15.0  # the same of what changes something, and goes by small portions

A = TypeVar("A", bound=Answer)


class Oracle:
    """Asks membership that runs, over NATS; where none does, of the roster folded `here`."""

    def __init__(self, broker: Broker, here: Hindsight | None = None) -> None:
        self._broker = broker
        self._here = here

    @property
    def runs(self) -> bool:
        """Whether membership runs."""
        return self._here is None

    async def ask(self, name: str, request: Command, kind: type[A]) -> A:
        """What it answers. Raises PostroadError where it refuses or is not there."""
        if self._here is not None:
            return await _answered(self._here, request, kind)
        seconds = SECONDS
        if isinstance(request, Change):
            request = msgspec.structs.replace(request, by=login())
            seconds = CHANGE_SECONDS
        try:
            data = msgspec.json.encode(request)
            reply = await self._broker.request(subjects.command(name), data, timeout=seconds)
        except Retry as error:
            raise PostroadError(
                "membership does not answer; start Postroad with `postroad up`, and give the "
                "command again: nothing is done twice"
            ) from error
        answer = msgspec.json.decode(reply, type=kind)
        if answer.refused:
            raise refusal(answer)
        return answer


async def _answered(here: Hindsight, request: Command, kind: type[A]) -> A:
    answer: Answer
    try:
        match request:
            case PastFacts():
                answer = await here.facts(request)
            case PastAudience():
                answer = await here.audience(request)
            case ProposeSettings():
                answer = await here.propose(request)
            case _:
                raise AssertionError(request)
    except Refused as refused:
        raise refusal(Answer(code=refused.code, refused=str(refused))) from None
    assert isinstance(answer, kind)
    return answer


class Moments:
    """The sequence of MEMBERSHIP that was the last before a time. Times are asked for in order, and
    what happened on lists is read along."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._from: datetime | None = None
        self._upto: datetime | None = None  # None where nothing was stored since
        self._times: list[datetime] = []
        self._seqs: list[int] = []
        self._last = 0  # of the stream, where all of it was read

    async def at(self, time: datetime) -> int:
        """The last sequence before this time."""
        covered = self._from is not None and self._from <= time
        if not covered or (self._upto is not None and time > self._upto):
            await self._read(time)
        index = bisect_left(self._times, time)
        return self._seqs[index] - 1 if index < len(self._seqs) else self._last

    async def _read(self, time: datetime) -> None:
        every = "membership.>"
        found = self._broker.scan("MEMBERSHIP", every, start_time=time.isoformat())
        page: list[Stored] = []
        async for each in found:
            page.append(each)
            if len(page) == EVENTS:
                break
        self._from, self._times = time, [each.time for each in page]
        self._seqs = [each.seq for each in page]
        self._upto = self._times[-1] if len(page) == EVENTS else None
        if self._upto is None:
            newest = await self._broker.last("MEMBERSHIP", every)
            self._last = newest.seq if newest else 0


class Audiences:
    """How many received posts of a list at which sequence of MEMBERSHIP."""

    def __init__(self, oracle: Oracle, begin: int) -> None:
        self._oracle = oracle
        self._begin = begin
        self._lists: dict[str, tuple[list[int], list[int]]] = {}

    async def at(self, slug: str, moment: int, upto: int) -> int:
        """How many. `upto` is a sequence that no moment asked for lies behind."""
        if slug not in self._lists:
            self._lists[slug] = await self._read(slug, min(self._begin, moment), upto)
        seqs, counts = self._lists[slug]
        return counts[max(0, bisect_right(seqs, moment) - 1)]

    async def _read(self, slug: str, begin: int, upto: int) -> tuple[list[int], list[int]]:
        seqs, counts = [begin], [0]
        after = begin
        while True:
            request = PastAudience(list=slug, after=after, upto=upto)
            told = await self._oracle.ask("past_audience", request, Audience)
            if after == begin:
                counts[0] = told.count
            seqs += [seq for seq, _ in told.steps]
            counts += islice(
                accumulate((step for _, step in told.steps), initial=counts[-1]), 1, None
            )
            after = told.reached
            if after >= upto:
                return seqs, counts


async def learn(
    oracle: Oracle, standings: Standings, addresses: Iterable[str], people: Iterable[str]
) -> None:
    """Ask about those who were not asked about."""
    asked = standings.unknown(addresses)
    persons = standings.unknown(people)
    for start in range(0, max(len(asked), len(persons)), MOST // 2):
        some = asked[start : start + MOST // 2]
        others = persons[start : start + MOST // 2]
        request = PastFacts(addresses=tuple(some), people=tuple(others))
        while True:
            known = await oracle.ask("past_facts", request, Known)
            standings.take([*request.addresses, *request.people], known)
            if not known.later:
                break
            request = PastFacts(people=known.later)
