"""Posts to a whole list, one after the other, on an idle road.

The clock of a post starts at the broker's stamp of `mail.routed.post` and stops at its stamp of
the ledger's last entry: one publish later than the last 250. The ledger must account for exactly
every recipient.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.road import Road, mail
from tests.bench.yardsticks import Bound

ROUNDS = 5
_numbers = count()

Yardstick = Callable[[], Awaitable[float]]


@dataclass
class Rounds:
    """Posts to `members` recipients: seconds each took, our rate over that of smtp-source, and
    the seconds of CPU each process used."""

    members: int
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    cpu: list[Mapping[str, float]] = field(default_factory=list)

    async def post(
        self,
        road: Road,
        address: str,
        yardstick: Yardstick | None = None,
        pids: Mapping[str, int] | None = None,
    ) -> None:
        """One more; `yardstick` measures smtp-source's recipients a second before it, `pids` are
        the processes whose CPU counts (else the road's)."""
        await road.idle()
        rate = await yardstick() if yardstick else 0.0
        accounts = await road.accounts()
        event = await road.store(mail(f"{next(_numbers)}.{self.members}", address))
        before = processes.cpu(pids or road.pids)
        await road.receive(event)
        end = await accounts.reach(self.members)
        self.cpu.append(processes.spent(before, processes.cpu(pids or road.pids)))
        self.seconds.append(end - await road.routed_at(event))
        if rate:
            self.ratios.append(self.members / self.seconds[-1] / rate)

    @property
    def rates(self) -> list[float]:
        """Recipients a second."""
        return [self.members / each for each in self.seconds]

    def per_second(
        self, scenario: str, need: Bound | None = None, *, parts: Mapping[str, float] | None = None
    ) -> Figure:
        """The figure in messages a second."""
        return Figure.median(
            scenario,
            self.rates,
            "msg/s",
            ratios=self.ratios,
            need=need,
            cpu=self.cpu,
            parts=parts,
        )

    def in_all(self, scenario: str, need: Bound | None = None) -> Figure:
        """The figure in seconds a post."""
        return Figure.median(
            scenario, self.seconds, "s", ratios=self.ratios, need=need, cpu=self.cpu
        )


async def rounds(
    road: Road,
    address: str,
    members: int,
    yardstick: Yardstick | None = None,
    pids: Mapping[str, int] | None = None,
    *,
    times: int = ROUNDS,
) -> Rounds:
    """So many posts to the list at `address`."""
    made = Rounds(members)
    for _ in range(times):
        await made.post(road, address, yardstick, pids)
    return made
