"""The broker's disk is full for the ledger: what cannot be recorded is not sent again and again."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.sending import sending
from tests.e2e.system import until
from tests.peers.checker import Post, check


async def test_nothing_is_repeated(tmp_path: Path) -> None:
    """While outcomes cannot be stored nothing is mailed a second time, nor is it afterwards: the
    sender still knows what became of its window."""
    async with sending(tmp_path) as here:
        broker = here.road.broker
        config = (await broker.api("STREAM.INFO.DELIVERY"))["config"]
        full = {**config, "max_bytes": 1, "discard": "new"}
        await broker.api("STREAM.UPDATE.DELIVERY", full)
        everyone = await here.queue(await here.post(1), 0, 10, lane="now")
        await here.sink.wait_for(10)

        async def tried_again() -> bool:
            info = await broker.api("CONSUMER.INFO.SEND.sender-now")
            return bool(info["num_redelivered"])

        await until(tried_again, "the chunk was given back")
        report = await here.road.report("sender")
        retried = report.counts.get("retried", 0) + report.counts.get("parked", 0)

        async def and_again() -> bool:
            told = (await here.road.report("sender")).counts
            return told.get("retried", 0) + told.get("parked", 0) >= retried + 1

        await until(and_again, "it was tried and given back once more", 90)
        assert len(here.sink.records()) == 10
        await broker.api("STREAM.UPDATE.DELIVERY", config)
        await here.finished(1)
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))]).exact
