"""One mail that cannot be taken keeps back no other, and is not lost from sight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from postroad.mail.headers import scan
from postroad.runtime.errors import PostroadError
from schemas.mail import HeaderFacts
from services.ingest import feed, publisher
from tests.e2e.ingesting import USER, Ingest, fact, ingesting, mail, proxy
from tests.e2e.system import until

POISON = mail("poison", b"this breaks the server\r\n")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "pause", lambda *_, **__: 0.01)


async def _goes_round(ingest: Ingest, port: int, texts: list[bytes]) -> None:
    """Mail behind the poison is taken; the poison is refused in the end, and all is well."""
    refused = [(uid, "unreadable") for uid, text in enumerate(texts, 1) if text == POISON]
    async with ingest.running(port=port) as context:

        async def well() -> bool:
            return fact(context).ok and await ingest.refused() == refused

        await until(well, "refused after its tries")
        ingest.dovecot.deliver(USER, mail("last"))
        await ingest.took(len(texts))
    assert await ingest.texts() == [*(text for text in texts if text != POISON), mail("last")]
    assert await ingest.seen() == [*(text != POISON for text in texts), True]


async def test_a_mail_that_breaks_every_connection_keeps_back_none(tmp_path: Path) -> None:
    """Mail behind it goes first; after its tries it is refused as unreadable and stays."""
    texts = [mail(1), POISON, mail(3)]
    async with (
        ingesting(tmp_path, start="all") as ingest,
        proxy(ingest.dovecot.port, lambda data: b"breaks the server" in data) as port,
    ):
        for text in texts:
            ingest.dovecot.deliver(USER, text)
        with pytest.raises(PostroadError):
            await ingest.once(port=port)
        assert await ingest.texts() == [mail(1), mail(3)]
        await _goes_round(ingest, port, texts)


@pytest.mark.parametrize("others", [2, 30])
async def test_a_mail_we_fail_on_keeps_back_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """The same where the fault is ours, an unforeseen exception over one mail, among few mails
    or among so many that they are published together."""

    def faulty(data: bytes, trusted: Sequence[str] = ()) -> tuple[HeaderFacts, int]:
        if data == POISON:
            raise RuntimeError
        return scan(data, trusted)

    monkeypatch.setattr(publisher, "scan", faulty)
    texts = [mail(1), POISON, *(mail(n) for n in range(others))]
    async with ingesting(tmp_path, start="all") as ingest:
        for text in texts:
            ingest.dovecot.deliver(USER, text)
        await _goes_round(ingest, ingest.dovecot.port, texts)
