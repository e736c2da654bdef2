"""What leaves is what relays take: hostile mail arrives sound, or not at all and with a reason."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.sending import Chunks, sending
from tests.e2e.system import System, smtp_relay
from tests.peers.postfix import Postfix
from tests.peers.sink import Sink

pytestmark = pytest.mark.e2e
HEAD = b"From: Anna <anna@example.net>\r\nSubject: %s\r\nMessage-ID: <%s@posts>\r\n\r\n"


async def test_lines_too_long_and_bare_line_ends(tmp_path: Path) -> None:
    """Lines longer than 998 octets reach every member, broken where it shows least; bare CR and LF
    are line ends, and no end of data is smuggled with them."""
    long = b"word " * 1_000 + b"end"
    smuggled = b"x\r.\rMAIL FROM:<eve@evil.org>\n.\nRCPT TO:<eve@evil.org>\r\n"
    data = HEAD % (b"long " * 400, b"1") + long + b"\r\n" + smuggled
    async with sending(tmp_path) as sender:
        wanted = await sender.queue(await sender.post(1, data), 0, 3)
        await sender.finished(1)
        records = sender.sink.records()
        assert sorted(r.recipients[0] for r in records) == sorted(wanted)
        assert not sender.sink.violations()
        assert all(len(line) <= 998 for r in records for line in r.headers.split("\n"))


async def test_a_postfix_finds_no_line_to_break(tmp_path: Path) -> None:
    """A relay that breaks lines its own way passes on what we sent, octet for octet."""
    data = HEAD % (b"x", b"1") + b"A" * 5_000 + b"\r\n"
    async with Sink.start(keep=True) as sink, Postfix.start(f"smtp:[127.0.0.1]:{sink.port}") as mta:
        settings = smtp_relay(mta.port)
        async with System.start(tmp_path, settings, services=("sender",)) as road:
            sender = Chunks(road)
            await sender.queue(await sender.post(1, data), 0, 1)
            await sender.finished(1)
        (record,) = await sink.wait_for(1)
        assert record.file is not None
        sent = await asyncio.to_thread(Path(record.file).read_bytes)
    body = sent.partition(b"\r\n\r\n")[2]
    assert body == b"".join(b"A" * n + b"\r\n" for n in (996, 996, 996, 996, 996, 20))


async def test_a_nul_is_told(tmp_path: Path) -> None:
    """A mail with a NUL octet goes to nobody: the ledger has the reason for each, which is the
    mail's and counts against no member; the next post is sent."""
    async with sending(tmp_path) as sender:
        await sender.queue(await sender.post(1, HEAD % (b"x", b"1") + b"a\0b\r\n"), 0, 3)
        wanted = await sender.queue(await sender.post(2), 1, 2)
        await sender.finished(2)
        failures = [f for e in await sender.ledger() if e.outcome for f in e.outcome.failures]
        assert [(f.kind, f.scope) for f in failures] == [("failed", "message")] * 3
        assert all("NUL octet" in failure.text for failure in failures)
        records = sender.sink.records()
        assert sorted(record.recipients[0] for record in records) == sorted(wanted)
