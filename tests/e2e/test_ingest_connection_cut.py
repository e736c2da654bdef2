"""The connection to the mailbox breaks: in the middle of a mail, of an answer, for hours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from postroad.runtime.service import Context
from services.ingest import feed
from tests.e2e.ingesting import USER, fact, ingesting, mail, proxy
from tests.e2e.system import until

TEXTS = [mail(n, b"some text\r\n" * 40) for n in range(80)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "pause", lambda *_, **__: 0.01)


@pytest.mark.parametrize("seed", range(3))
async def test_cuts_anywhere_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    """Whatever answer is cut in half, in a literal or not: everything is taken once, unaltered."""
    chance = random.Random(seed)
    async with (
        ingesting(tmp_path, start="all") as ingest,
        proxy(ingest.dovecot.port, lambda data: chance.random() < 0.15) as port,
        ingest.running(port=port),
    ):
        for text in TEXTS:
            ingest.dovecot.deliver(USER, text)
        await ingest.took(80)

        async def flagged() -> bool:
            return all(await ingest.seen())

        await until(flagged, "all are flagged")
        assert sorted(await ingest.texts()) == sorted(TEXTS)


async def test_a_large_mail_cut_between_its_parts_is_whole(tmp_path: Path) -> None:
    """A mail fetched in parts is put together from one connection only."""
    text = mail(1, random.Random(1).randbytes(2_000_000).hex().encode() + b"\r\n")
    cuts = iter([False] * 40 + [True])
    async with (
        ingesting(tmp_path, start="all") as ingest,
        proxy(ingest.dovecot.port, lambda _: next(cuts, False)) as port,
    ):
        ingest.dovecot.deliver(USER, text)
        await ingest.once(port=port)
        assert next(cuts, None) is None, "the connection was never cut"
        assert await ingest.texts() == [text]


async def test_a_server_that_was_away_is_found_again(tmp_path: Path) -> None:
    """While the server is down the source says so; mail that came in the meantime is taken."""
    async with ingesting(tmp_path, start="all") as ingest, ingest.running() as context:
        async with ingest.dovecot.stopped(at_once=True):
            await until(lambda: _ok(context, False), "the source reports its failure")
            assert fact(context).facts["connected"] is False
            ingest.dovecot.deliver(USER, mail(1))
        await ingest.took(1)
        await until(lambda: _ok(context), "the source is well again")


async def _ok(context: Context, wanted: bool = True) -> bool:
    return fact(context).ok is wanted
