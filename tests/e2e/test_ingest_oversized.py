"""Mail of every size: small in ranges, large in parts, too large not at all."""

from __future__ import annotations

import random
from pathlib import Path

from tests.e2e.ingesting import USER, ingesting, mail


async def test_mail_too_large_is_refused_and_left(tmp_path: Path) -> None:
    """A mail above max_size is recorded once and stays unread; the mail behind it is taken."""
    async with ingesting(tmp_path, start="all", max_size="10KB", after="delete") as ingest:
        ingest.dovecot.deliver(USER, mail(1, b"x" * 70 + b"\r\n" * 5_000))
        ingest.dovecot.deliver(USER, mail(2))
        await ingest.once()
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
        assert await ingest.refused() == [(1, "too_large")]
        assert [mail.uid for mail in await ingest.mails()] == [1]
        assert await ingest.seen() == [False]


async def test_a_refusal_is_remembered_without_a_checkpoint(tmp_path: Path) -> None:
    """Refused mail is not flagged by a later run that meets it again, even with more room."""
    async with ingesting(tmp_path, start="all", max_size="10KB") as ingest:
        ingest.dovecot.deliver(USER, mail(1, b"\r\n" * 6_000))
        await ingest.once()
        await ingest.road.broker.api("STREAM.PURGE.KV_CHECKPOINTS", {})
        await ingest.once(max_size="1MB")
        assert await ingest.texts() == []
        assert await ingest.seen() == [False]


async def test_large_mail_arrives_byte_for_byte(tmp_path: Path) -> None:
    """Mail of several parts, also of exactly one or two, is put together as it was, among small
    mail."""
    part = 1 << 20
    texts = []
    for n, size in enumerate([part - 1, part, part + 1, 2 * part, 3_500_000]):
        head = mail(n, b"")
        lines = random.Random(n).randbytes(size // 2).hex().encode() + b"e"
        texts += [mail(f"small{n}"), (head + lines)[: size - 2] + b"\r\n"]
    async with ingesting(tmp_path, start="all") as ingest:
        for text in texts:
            ingest.dovecot.deliver(USER, text)
        await ingest.once()
        assert await ingest.texts() == texts
