"""Many posts to a small list: 200 posts, 10 members, personal copies.

The sink is Postfix's smtp-sink, which cannot count, so the copies are counted in the ledger, and
the clock stops at the broker's stamp of its last entry: one publish later than the last 250. It
starts at Dovecot's announcement, when all posts lie in the mailbox (half a second after the first
was delivered; see tests.bench.tap), or, without IMAP, when their `mail.received` are published at
once. `ratio` compares copies a second with smtp-source's messages a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.bench import processes
from tests.bench.fanouts import ROUNDS
from tests.bench.figures import Figure
from tests.bench.road import Mailbox, Road, mail
from tests.bench.tap import Tap
from tests.bench.yardsticks import Bound, source_rate
from tests.peers.dovecot import Dovecot
from tests.peers.smtpsink import SmtpSink

POSTS = 200
MEMBERS = 10
COPIES = POSTS * MEMBERS
USER, PASSWORD = "lists@example.org", "secret"
LIST = "ten@example.org"


async def measure() -> AsyncIterator[Figure]:
    """From IMAP push, and from `mail.received`."""
    async with (
        Dovecot.start({USER: PASSWORD}) as dovecot,
        SmtpSink.start() as sink,
        Tap.on(dovecot.port) as tap,
        Road.start(sink.port, Mailbox(tap.port, USER, PASSWORD)) as road,
    ):
        await road.make_list(LIST, MEMBERS)
        serial = iter(range(1_000_000))

        async def by_imap() -> Callable[[], float]:
            tap.clear()
            for _ in range(POSTS):
                dovecot.deliver(USER, mail(next(serial), LIST))
            return lambda: tap.pushes[0]

        async def by_hand() -> Callable[[], float]:
            events = [await road.store(mail(next(serial), LIST)) for _ in range(POSTS)]
            began = time.time()
            await asyncio.gather(*(road.receive(event) for event in events))
            return lambda: began

        need = Bound(500, at_least=True)
        yield await _rounds("200 posts to 10 members, from IMAP push", road, sink, by_imap, need)
        yield await _rounds(
            "200 posts to 10 members, from mail.received", road, sink, by_hand, need
        )


async def _rounds(
    scenario: str,
    road: Road,
    sink: SmtpSink,
    post: Callable[[], Awaitable[Callable[[], float]]],
    need: Bound | None = None,
) -> Figure:
    """Posts a second; `post` brings POSTS on their way and returns who knows when they began."""
    pids = {**road.pids, "smtp-sink": sink.daemon.pid}
    rates, ratios, cpu = [], [], []
    for _ in range(ROUNDS):
        await road.idle()
        yardstick = await source_rate(sink.port, 2 * COPIES)
        accounts = await road.accounts()
        before = processes.cpu(pids)
        began = await post()
        seconds = await accounts.reach(COPIES) - began()
        cpu.append(processes.spent(before, processes.cpu(pids)))
        rates.append(POSTS / seconds)
        ratios.append(COPIES / seconds / yardstick)
    return Figure.median(scenario, rates, "posts/s", ratios=ratios, need=need, cpu=cpu)
