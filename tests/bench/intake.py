"""Mail at the door: by LMTP and SMTP from smtp-source, until each has its 250.

The clock runs from the start of smtp-source to its end: a 250 is given when bytes and facts are on
the broker's disk. The router decides on the mails at the same time, on the same cores; they are to
a list without members. SMTP waits for no verdict here: `verdict = "later"`, as LMTP has it.
`ratio` compares with the same smtp-source into smtp-sink, which stores nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from tests.bench import processes
from tests.bench.fanouts import ROUNDS
from tests.bench.figures import Figure
from tests.bench.road import Road
from tests.bench.yardsticks import Bound, source_rate
from tests.e2e.sockets import source
from tests.e2e.system import smtp_relay
from tests.peers.process import free_port
from tests.peers.smtpsink import SmtpSink, smtp_source

MAILS = 2_000
SESSIONS = 16
LIST = "door@example.org"


async def measure() -> AsyncIterator[Figure]:
    """Over some connections, and over one; 4 KB each."""
    lmtp, smtp = free_port(), free_port()
    async with SmtpSink.start() as sink:
        settings = smtp_relay(sink.port) + source("lmtp", lmtp)
        settings += source("smtp", smtp, name='"mx"', verdict='"later"')
        async with Road.start(sink.port, relays=settings) as road:
            await road.cli("list", "create", LIST, "default_nonmember_action=discard")
            need = Bound(500, at_least=True)
            name = f"intake by LMTP, {SESSIONS} connections"
            yield await _rounds(name, road, sink, lmtp, ("-d", "-L"), SESSIONS, need)
            name = f"intake by SMTP, {SESSIONS} connections"
            yield await _rounds(name, road, sink, smtp, ("-d",), SESSIONS)
            yield await _rounds("intake by LMTP, one connection", road, sink, lmtp, ("-d", "-L"), 1)


async def _rounds(
    scenario: str,
    road: Road,
    sink: SmtpSink,
    port: int,
    options: tuple[str, ...],
    sessions: int,
    need: Bound | None = None,
) -> Figure:
    """Mails a second."""
    mails = MAILS if sessions > 1 else MAILS // 4
    rates, ratios, cpu = [], [], []
    for _ in range(ROUNDS):
        await road.idle()
        yardstick = await source_rate(sink.port, mails, sessions=sessions)
        before = processes.cpu(road.pids)
        seconds = await smtp_source(
            port, messages=mails, sessions=sessions, options=(*options, "-t", LIST)
        )
        cpu.append(processes.spent(before, processes.cpu(road.pids)))
        rates.append(mails / seconds)
        ratios.append(mails / seconds / yardstick)
    return Figure.median(scenario, rates, "mails/s", ratios=ratios, need=need, cpu=cpu)
