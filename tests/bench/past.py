"""Past mail through the rules of today: `postroad replay --dry-run`, from its start to its exit.

The mails are posts of 4 KB to a list of ten, by a stranger whom it lets post. `postroad simulate`
asks of each what a setting that stops strangers would have done: it is judged twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.road import Road, mail
from tests.bench.yardsticks import Bound
from tests.e2e.system import postroad
from tests.peers.smtpsink import SmtpSink

MAILS, AT_ONCE = 4_000, 200
MEMBERS = 10
LIST = "past@example.org"
TIMES = 3
QUESTIONS = (
    ("replay --dry-run", ("replay", "--list", LIST, "--from", "1d", "--dry-run")),
    ("simulate", ("simulate", LIST, "default_nonmember_action=hold", "--since", "1d")),
)


async def measure() -> AsyncIterator[Figure]:
    """Mails a second."""
    async with SmtpSink.start() as sink, Road.start(sink.port) as road:
        await road.make_list(LIST, MEMBERS)
        accounts = await road.accounts()
        for start in range(0, MAILS, AT_ONCE):
            numbers = range(start, start + AT_ONCE)
            events = [await road.store(mail(number, LIST)) for number in numbers]
            await asyncio.gather(*map(road.receive, events))
        await accounts.reach(MAILS * MEMBERS, 600.0)
        await road.idle()
        for name, words in QUESTIONS:
            need = Bound(1_000, at_least=True) if name.startswith("replay") else None
            rates, cpu = [], []
            for _ in range(TIMES):
                before = road.cpu()
                rates.append(await _rate(road, words))
                cpu.append(processes.spent(before, road.cpu()))
            scenario = f"{name} of {MAILS:,} mails"
            yield Figure.median(scenario, rates, "mails/s", need=need, cpu=cpu)


async def _rate(road: Road, words: tuple[str, ...]) -> float:
    config = str(road.home / "postroad.toml")
    began = time.monotonic()
    result = await postroad(*words, "--no-dns", "--only-diff", "--json", "--config", config)
    took = time.monotonic() - began
    assert result.code == 0, result.err
    found = msgspec.json.decode(result.out)
    assert found["mails"] == MAILS, found["mails"]
    return MAILS / took
