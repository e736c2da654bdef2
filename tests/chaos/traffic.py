"""Posts that keep coming while something is broken, and the books of them: what was posted, and
what the sink wrote down. Nothing of the product's own."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.system import MAILBOX, mail, until
from tests.peers.checker import Post, Report, check
from tests.peers.dovecot import Dovecot
from tests.peers.provider import Provider
from tests.peers.sink import Sink

PATIENCE = 180.0  # seconds until everything that waits has left


@dataclass
class Traffic:
    """Posts to `list_` with `people` on it, `rate` a second on average."""

    dovecot: Dovecot
    sink: Sink | Provider
    list_: str
    people: Sequence[str]
    rate: float
    mailbox: str = MAILBOX
    posted: list[int] = field(default_factory=list)
    _numbers: int = 0

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Posts keep coming for the length of the block."""
        flow = asyncio.create_task(self._flow())
        try:
            yield
        finally:
            flow.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await flow

    async def _flow(self) -> None:
        dice = random.Random(1)
        while True:
            self.post()
            await asyncio.sleep(dice.uniform(0, 2 / self.rate))

    def post(self) -> int:
        """One more, now; returns its number."""
        number, self._numbers = self._numbers, self._numbers + 1
        self.dovecot.deliver(self.mailbox, mail(number, self.list_))
        self.posted.append(number)
        return number

    async def one_arrives(self) -> float:
        """Post one mail; how many seconds until the first copy of it was taken."""
        loop = asyncio.get_running_loop()
        assert isinstance(self.sink, Sink)
        file = self.sink.file
        place = file.stat().st_size if file.exists() else 0
        began = loop.time()
        wanted = f"<{self.post()}@posts>".encode()

        async def came() -> bool:
            return wanted in _from(file, place)

        await until(came, "a post made now arrives", PATIENCE)
        return loop.time() - began

    def report(self, numbers: Sequence[int] | None = None) -> Report:
        """What the books say of all posts, or of these."""
        slug = self.list_.replace("@", ".")
        expected = [
            Post(f"<{number}@posts>", frozenset(self.people), slug)
            for number in (self.posted if numbers is None else numbers)
        ]
        wanted = {post.message_id for post in expected}
        return check((r for r in self.sink.records() if r.message_id in wanted), expected)

    async def arrived(self, numbers: Sequence[int] | None = None) -> Report:
        """Wait until nobody misses a copy; what the books say then."""

        async def complete() -> bool:
            return not (await asyncio.to_thread(self.report, numbers)).lost

        with contextlib.suppress(AssertionError):  # the report says what is missing
            await until(complete, "every copy arrives", PATIENCE)
        return self.report(numbers)

    def seen(self) -> set[int]:
        """The numbers of the mails that are flagged: whoever took them has promised."""
        return {
            int(each.data.partition(b"Message-ID: <")[2].partition(b"@")[0])
            for each in self.dovecot.mails(self.mailbox)
            if "\\Seen" in each.flags
        }


def _from(file: Path, place: int) -> bytes:
    if not file.exists():
        return b""
    with file.open("rb") as records:
        records.seek(place)
        return records.read()
