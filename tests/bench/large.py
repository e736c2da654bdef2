"""Large lists: their import, posts to them in both modes, and the memory that takes.

The clock of a post starts at the broker's stamp of `mail.routed.post` and stops at its stamp of
the ledger's last entry: one publish later than the last 250. The ledger must account for exactly
every recipient. An import is `postroad member import` from start to exit. The sink is Postfix's
smtp-sink; `ratio` compares recipients a second with smtp-source's, in shared mode with 100
recipients a transaction, as we have by default.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.road import Road, mail
from tests.bench.yardsticks import Bound, source_rate
from tests.peers.smtpsink import SmtpSink

ROUNDS = 3
PER_TRANSACTION = 100
SMALL, LARGE = 10_000, 100_000


async def measure() -> AsyncIterator[Figure]:
    """10,000 recipients, personal and shared; 100,000 shared."""
    async with SmtpSink.start() as sink, Road.start(sink.port) as road:
        pids = {**road.pids, "smtp-sink": sink.daemon.pid}
        yield await _import(road, SMALL)
        seconds, ratios, cpu = await _rounds(road, sink, pids, SMALL, "shared")
        yield Figure.median(
            f"{SMALL:,} recipients, shared",
            *(seconds, "s"),
            ratios=ratios,
            need=Bound(1.5),
            cpu=cpu,
        )
        seconds, ratios, cpu = await _rounds(road, sink, pids, SMALL, "personal")
        rates = [SMALL / each for each in seconds]
        yield Figure.median(
            f"{SMALL:,} recipients, personal", rates, "msg/s", ratios=ratios, cpu=cpu
        )
        yield _peak(road, f"{SMALL:,}")
        yield await _import(road, LARGE)
        seconds, ratios, cpu = await _rounds(road, sink, pids, LARGE, "shared")
        yield Figure.median(f"{LARGE:,} recipients, shared", seconds, "s", ratios=ratios, cpu=cpu)
        yield _peak(road, f"{LARGE:,}")


async def _import(road: Road, members: int) -> Figure:
    before = road.cpu()
    seconds = await road.make_list(_address(members), members)
    cpu = processes.spent(before, road.cpu())
    return Figure.median(f"import of {members:,} members", [seconds], "s", cpu=[cpu])


async def _rounds(
    road: Road, sink: SmtpSink, pids: dict[str, int], members: int, mode: str
) -> tuple[Sequence[float], Sequence[float], Sequence[dict[str, float]]]:
    """Seconds, ratios and CPU time of posts to all members."""
    address = _address(members)
    await road.cli("list", "set", address, f"mode={mode}")
    took, ratios, cpu = [], [], []
    for number in range(ROUNDS):
        await road.idle()
        if mode == "shared":
            yardstick = await source_rate(sink.port, LARGE // PER_TRANSACTION, PER_TRANSACTION)
        else:
            yardstick = await source_rate(sink.port, members)
        accounts = await road.accounts()
        event = await road.store(mail(f"{mode}.{members}.{number}", address))
        before = processes.cpu(pids)
        await road.receive(event)
        end = await accounts.reach(members)
        cpu.append(processes.spent(before, processes.cpu(pids)))
        seconds = end - await road.routed_at(event)
        took.append(seconds)
        ratios.append(members / seconds / yardstick)
    return took, ratios, cpu


def _peak(road: Road, members: str) -> Figure:
    """Shared pages count in each process here, unlike in PSS."""
    peaks = {name: processes.peak_rss(pid) for name, pid in road.pids.items()}
    scenario = f"peak memory (RSS) of a process after {members}"
    return Figure.median(scenario, [max(peaks.values())], "MB", parts=peaks)


def _address(members: int) -> str:
    return f"all{members}@example.org"
