"""`postroad run ingest --once`, as cron runs it, and what it leaves in the streams."""

from __future__ import annotations

from pathlib import Path

from postroad.mail.identity import mail_id
from postroad.runtime.service import running
from schemas.road import MailReceived
from tests.e2e.ingesting import USER, ingesting, mail

TRUSTED = b"Delivered-To: team@example.org\r\nReceived: from a by b\r\n"


async def test_it_drains_and_ends(tmp_path: Path) -> None:
    """Exit code 0 with everything taken; 1 with one line, no traceback and no secret, where a
    mailbox cannot be read."""
    async with (
        ingesting(tmp_path, start="all") as ingest,
        running("router", ingest.config(), ingest.road.broker) as router,
    ):
        router.ready()  # a command joins at once where a service runs
        ingest.dovecot.deliver(USER, mail(1))
        drained = await ingest.road.cli("run", "ingest", "--once")
        assert drained.code == 0, drained.err
        assert await ingest.texts() == [mail(1)]
        (tmp_path / "password").write_text("forgotten\n")
        failed = await ingest.road.cli("run", "ingest", "--once")
        assert failed.code == 1
        wanted = '[[source]] "box": the server refused the login; check user and password_file'
        assert failed.err.splitlines()[-1].endswith(wanted), ingest.dovecot.daemon.words()
        assert "Traceback" not in failed.err
        assert "forgotten" not in failed.err


async def test_a_mail_is_recorded_with_all_that_the_router_needs(tmp_path: Path) -> None:
    """Where it was found, when, under which id, what its headers say, and which of them the
    source is told to trust; the trace is found by the mail id."""
    async with ingesting(tmp_path, start="all") as ingest:
        ingest.dovecot.append(USER, TRUSTED + mail(1), date=1_795_176_000)
        await ingest.once(recipient_headers=("Delivered-To",))
        (stored,) = [s async for s in ingest.road.broker.scan("RECEIVED", "mail.received.>")]
        (event,) = stored.envelope().events
        assert isinstance(event, MailReceived)
        uidvalidity = ingest.dovecot.uidvalidity(USER)
        size = len(TRUSTED + mail(1))
        arrived = 1_795_176_000_000
        assert event.mail_id == mail_id("box", "INBOX", uidvalidity, 1, arrived, size)
        assert stored.subject == f"mail.received.box.{event.mail_id}"
        assert stored.envelope().correlation == event.mail_id
        assert stored.headers["traceparent"].split("-")[1] == event.mail_id
        assert event.origin.arrived is not None
        assert event.origin.arrived.timestamp() * 1000 == arrived
        assert (event.raw.size, event.raw.head) == (size, size - len(b"Hello.\r\n"))
        assert event.facts.trusted == {"delivered-to": ("team@example.org",)}
        assert event.facts.message_id == "1@posts"


async def test_mail_that_is_no_mail_is_taken_all_the_same(tmp_path: Path, corpora: Path) -> None:
    """Whatever a mailbox holds is on the road byte for byte: an empty mail, no header, broken
    mail of the corpora."""
    broken = sorted((corpora / "mikel").rglob("*"))[:40]
    texts = [b"", b"\r\n", b"no header at all", b"\r\n\r\nonly a body\r\n"]
    texts += [path.read_bytes() for path in broken if path.is_file()]
    async with ingesting(tmp_path, start="all") as ingest:
        for text in texts:
            ingest.dovecot.deliver(USER, text)
        await ingest.once()
        as_imap_shows_it = [found.data for found in await ingest.mails()]
        assert len(as_imap_shows_it) == len(texts)
        assert await ingest.texts() == as_imap_shows_it
        assert all(await ingest.seen())
