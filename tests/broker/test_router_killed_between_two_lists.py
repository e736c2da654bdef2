"""kill -9 of the router at its crash points, with mail to two lists in hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.provision import provision
from tests.broker.router_peers import (
    AUTHORS,
    NEWS,
    TEAM,
    a_list,
    a_mail,
    all_handled,
    decisions,
    membership,
    routed,
)
from tests.peers import forkserver

MAILS = 20


@contextlib.asynccontextmanager
async def router(state_dir: Path, crashpoint: str = "") -> AsyncIterator[forkserver.Process]:
    """A router as a process of its own, killed at the end of the block if it still lives."""
    settings = state_dir / "postroad.toml"
    settings.write_text(
        f"""
        [site]
        domain = "lists.example.org"
        state_dir = "{state_dir}"
        [broker]
        ack_wait = "1s"
        [[source]]
        name = "office"
        host = "imap.example.org"
        user = "box"
        password_file = "{settings}"
        """
    )
    with (state_dir / "log").open("ab") as log:
        process = await forkserver.start(
            *("postroad.cli.serve", "router", "--config", str(settings)),
            imported=["services.router.service"],
            env={**os.environ, "POSTROAD_CRASHPOINT": crashpoint},
            stdout=log.fileno(),
            stderr=log.fileno(),
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize(
    "crashpoint",
    [
        "router.after_first_list:7",
        "router.after_claim:1",
        "router.after_claim:12",
        "router.before_ack:1",
        "router.before_ack:9",
    ],
)
async def test_a_killed_router_loses_nothing_and_decides_nothing_twice(
    broker: Broker, tmp_path: Path, crashpoint: str
) -> None:
    """Killed between two lists, between claim and decision, or before it acknowledged: the next
    one finishes, each mail and list decided exactly once."""
    await provision(broker, ack_wait=1.0)
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    async with membership(broker, AUTHORS):
        mails = [await a_mail(broker, TEAM, NEWS) for _ in range(MAILS)]
        async with router(tmp_path, crashpoint) as first:
            assert await asyncio.wait_for(first.wait(), 60) == -signal.SIGKILL
        assert await decisions(broker) < 2 * MAILS or "before_ack" in crashpoint
        async with router(tmp_path):
            found = await routed(broker, 2 * MAILS)
            await all_handled(broker)
        assert set(found) == {f"post.{slug}.{mail}" for slug in ("team", "news") for mail in mails}
        assert await decisions(broker) == 2 * MAILS
