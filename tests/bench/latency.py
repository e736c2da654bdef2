"""One post to one member: how long until the relay has accepted it.

The clock stops when our recording sink has the final dot, before its 250. It starts at Dovecot's
announcement of the mail (see tests.bench.tap), or, without IMAP, when the publishing of
`mail.received` begins. One post at a time, on an idle road.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from tests.bench.figures import Figure
from tests.bench.road import Mailbox, Road, mail
from tests.bench.tap import Tap
from tests.bench.yardsticks import Bound
from tests.peers.dovecot import Dovecot
from tests.peers.sink import Sink

POSTS = 20
USER, PASSWORD = "lists@example.org", "secret"
LIST = "one@example.org"


async def measure() -> AsyncIterator[Figure]:
    """From IMAP push, from delivery into the Maildir, and from `mail.received`."""
    async with (
        Dovecot.start({USER: PASSWORD}) as dovecot,
        Sink.start() as sink,
        Tap.on(dovecot.port) as tap,
        Road.start(sink.port, Mailbox(tap.port, USER, PASSWORD)) as road,
    ):
        await road.make_list(LIST, 1)
        pushed, delivered, received = [], [], []
        for number in range(POSTS):
            await road.idle()
            tap.clear()
            began = time.time()
            dovecot.deliver(USER, mail(number, LIST))
            accepted = (await sink.wait_for(number + 1))[-1].time
            pushed.append((accepted - tap.pushes[0]) * 1000)
            delivered.append((accepted - began) * 1000)
        need = Bound(100)
        yield Figure.median("latency, IMAP push to SMTP acceptance", pushed, "ms", need=need)
        yield Figure.median("latency, delivery into the Maildir included", delivered, "ms")
        for number in range(POSTS, 2 * POSTS):
            event = await road.store(mail(number, LIST))
            await road.idle()
            began = time.time()
            await road.receive(event)
            accepted = (await sink.wait_for(number + 1))[-1].time
            received.append((accepted - began) * 1000)
        yield Figure.median("latency, mail.received to SMTP acceptance", received, "ms")
