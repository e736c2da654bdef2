"""A mailbox that is full already when it is met for the first time."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.e2e.ingesting import Reading, Scripted, mail, scripted
from tests.e2e.system import until

MAILS = 20_000
TAKEN = MAILS if os.environ.get("POSTROAD_CHAOS") == "all" else 2_000  # where all are
UNREAD = 1_000
RSS_MB = 90.0  # of the process at most; 45 measured, 41 of them before the first mail


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("start", "mails", "wanted"),
    [("now", MAILS, 0), ("unseen", MAILS, UNREAD), ("all", TAKEN, TAKEN)],
)
async def test_a_backlog_is_taken_once_or_not_at_all(
    tmp_path: Path, start: str, mails: int, wanted: int
) -> None:
    """Of 20,000 mails first contact takes what `start` says, each once, in bounded memory, and
    leaves all others as they were; what comes later is taken either way. All 20,000 are taken in
    `make chaos` only."""
    async with scripted(tmp_path, start=start, poll="1s") as ingest:
        for n in range(mails):
            ingest.imap.inbox.add(mail(n), () if n >= mails - UNREAD else (r"\Seen",))
        await ingest.road.run("ingest")
        await ingest.road.ready(["ingest"])
        ingest.imap.deliver(mail("new"))
        began = asyncio.get_running_loop().time()
        everything = f"{wanted} mails and one are received"
        await until(lambda: _received(ingest, wanted + 1), everything, patience=100)
        took = asyncio.get_running_loop().time() - began
        await until(lambda: _idles(ingest), "ingest waits for mail")
        rss = _peak(ingest.road.processes["ingest"].pid)
        print(f"{start}: {wanted} of {mails} mails in {took:.1f} s, {rss:.0f} MB")
        uids = [event.origin.uid for event in await ingest.received()]
        assert uids == [*range(mails - wanted + 1, mails + 2)]
        assert len(ingest.unread) == (UNREAD if start == "now" else 0)
        assert rss < RSS_MB


def _peak(pid: int) -> float:
    """The largest resident set of a process so far, in MB; getrusage knows its parent's as well."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def _received(ingest: Reading, number: int) -> bool:
    info = await ingest.road.broker.api("STREAM.INFO.RECEIVED")
    return bool(info["state"]["messages"] >= number)


async def _idles(ingest: Scripted) -> bool:
    return bool(ingest.imap.idle)
