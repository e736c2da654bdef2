"""The peers are what they claim to be: real servers, started and broken as tests need them."""

from __future__ import annotations

import asyncio
import imaplib
import ssl
from collections.abc import Awaitable, Callable

import aioimaplib
import aiosmtplib
import nats as nats_client
import pytest

from tests.peers.dovecot import Dovecot
from tests.peers.fixtures import PASSWORD
from tests.peers.nats import NatsServer
from tests.peers.postfix import Postfix
from tests.peers.process import until
from tests.peers.sink import Rule, Script, Sink
from tests.peers.smtpsink import SmtpSink, smtp_source

pytestmark = pytest.mark.e2e

ANN = "ann@example.org"
MAIL = b"From: bob@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nGood \xff day.\r\n"


async def mails(dovecot: Dovecot) -> list[bytes]:
    return [mail.data for mail in await asyncio.to_thread(dovecot.mails, ANN)]


async def arrived(dovecot: Dovecot) -> list[bytes]:
    """Ann's mails, once there are any."""
    found: list[bytes] = []

    async def look() -> bool:
        found[:] = await mails(dovecot)
        return bool(found)

    await until(look, every=0.05)
    return found


async def post(postfix: Postfix) -> None:
    """Post one mail to ann."""
    await aiosmtplib.send(
        MAIL,
        sender="bob@example.org",
        recipients=[ANN],
        hostname="127.0.0.1",
        port=postfix.port,
    )


def queue_is(postfix: Postfix, *names: str) -> Callable[[], Awaitable[bool]]:
    """Whether Postfix's mails lie in these queues."""

    async def look() -> bool:
        queue = await asyncio.to_thread(postfix.queue)
        return [mail["queue_name"] for mail in queue] == list(names)

    return look


async def test_dovecot_shows_delivered_and_appended_mail(dovecot: Dovecot) -> None:
    """Mail written into the Maildir and mail appended over IMAP are both there, with flags."""
    dovecot.deliver(ANN, MAIL)
    await asyncio.to_thread(dovecot.append, ANN, MAIL, flags=r"\Seen", date=1_000_000_000.0)
    first, second = await asyncio.to_thread(dovecot.mails, ANN)
    assert first.data == second.data == MAIL
    assert r"\Seen" in second.flags - first.flags


async def test_dovecot_pushes_to_idle_clients(dovecot: Dovecot) -> None:
    """A mail renamed into new/ is announced to a client in IDLE."""
    client = aioimaplib.IMAP4("127.0.0.1", dovecot.port)
    await client.wait_hello_from_server()
    await client.login(ANN, PASSWORD)
    await client.select()
    await client.idle_start()
    dovecot.deliver(ANN, MAIL)
    assert b"1 EXISTS" in await client.wait_server_push(10)
    client.idle_done()
    await client.logout()


async def test_dovecot_speaks_tls_as_localhost_only(dovecot: Dovecot) -> None:
    """A client that trusts the certificate reaches localhost, but not 127.0.0.1."""
    trust = ssl.create_default_context(cafile=str(dovecot.certificate.cert))

    def login(host: str) -> str:
        with imaplib.IMAP4_SSL(host, dovecot.tls_port, ssl_context=trust) as client:
            return client.login(ANN, PASSWORD)[0]

    assert await asyncio.to_thread(login, "localhost") == "OK"
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(login, "127.0.0.1")


async def test_dovecot_changes_uidvalidity(dovecot: Dovecot) -> None:
    """The same mail gets new UIDs under a greater UIDVALIDITY."""
    for _ in range(2):
        dovecot.deliver(ANN, MAIL)
    before = await asyncio.to_thread(dovecot.uidvalidity, ANN)
    await dovecot.change_uidvalidity(ANN)
    assert await asyncio.to_thread(dovecot.uidvalidity, ANN) > before
    assert await mails(dovecot) == [MAIL, MAIL]


async def test_dovecot_is_killed_and_comes_back(dovecot: Dovecot) -> None:
    """While it is down nobody answers; afterwards the mail is still there."""
    dovecot.deliver(ANN, MAIL)
    async with dovecot.stopped(at_once=True):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", dovecot.port)
    assert await mails(dovecot) == [MAIL]


async def test_postfix_relays_to_the_sink(postfix: Postfix, sink: Sink) -> None:
    """Postfix takes a mail and gives it on, body unchanged; then its queue is empty."""
    await post(postfix)
    [record] = await sink.wait_for(1)
    assert (record.recipients, record.message_id) == ((ANN,), "<1@example.org>")
    await until(queue_is(postfix))  # the queue file goes a moment after the sink's 250


async def test_postfix_keeps_what_the_next_hop_defers(postfix: Postfix, sink: Sink) -> None:
    """A 450 leaves the mail in the queue; a flush sends it when the next hop is willing."""
    sink.tell(Script(rules=(Rule(at="rcpt", reply="450 4.2.0 later"),)))
    await post(postfix)
    await until(queue_is(postfix, "deferred"))
    sink.tell(Script())
    postfix.flush()
    await sink.wait_for(1)


async def test_postfix_delivers_into_dovecot(dovecot: Dovecot) -> None:
    """Postfix hands mail to Dovecot by LMTP: a whole real mail system."""
    if dovecot.lmtp_port is None:
        pytest.skip("LMTP is missing: install the Debian package dovecot-lmtpd")
    async with Postfix.start(f"lmtp:inet:127.0.0.1:{dovecot.lmtp_port}") as postfix:
        await post(postfix)
        stored = await arrived(dovecot)
    assert stored[0].endswith(MAIL.partition(b"\r\n\r\n")[2])
    assert stored[0].startswith(b"Return-Path: <bob@example.org>\r\nDelivered-To: " + ANN.encode())


async def test_smtp_sink_swallows_what_smtp_source_sends(smtp_sink: SmtpSink) -> None:
    """The yardstick works and tells seconds."""
    assert await smtp_source(smtp_sink.port, messages=50, sessions=2) > 0


async def test_nats_keeps_its_store_when_killed(nats: NatsServer) -> None:
    """What was acknowledged before kill -9 is there after the restart, on the same port."""
    client = await nats_client.connect(nats.url)
    jetstream = client.jetstream()
    await jetstream.add_stream(name="S", subjects=["s.>"])
    await jetstream.publish("s.1", b"kept")
    await nats.daemon.kill()
    await nats.daemon.start()
    await client.close()
    client = await nats_client.connect(nats.url)
    assert (await client.jetstream().get_msg("S", 1)).data == b"kept"
    await client.close()
