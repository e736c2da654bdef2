"""Clients that mean no good, or know no better."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from pathlib import Path

import pytest

from tests.e2e.sockets import Client, Socket, listening
from tests.e2e.system import mail
from tests.peers.certificate import Certificate, self_signed

TEXT = mail(1)
ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\n\n.\r\n",
]


async def _to_data(client: Client) -> None:
    await client.ask("MAIL FROM:<ada@a.example>")
    await client.ask("RCPT TO:<team@example.org>")
    assert (await client.ask("DATA")).startswith("354")


@pytest.mark.parametrize("kind", ["lmtp", "smtp"])
async def test_no_mail_is_smuggled(tmp_path: Path, kind: str) -> None:
    """Whatever end some other server may believe in, there is one mail, and it is refused; the
    commands in it are obeyed by nobody."""
    smuggled = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<team@example.org>\r\nDATA\r\n" + TEXT
    async with listening(tmp_path, kind) as socket, socket.client() as client:
        for end in ENDS:
            await _to_data(client)
            client.say(b"Subject: x\r\n\r\nbody" + end + smuggled + b"\r\n.\r\n")
            assert (await client.reply()).startswith("554 5.6.0 "), end
            assert await client.ask("NOOP") == "250 2.0.0 nothing done"  # and nothing in between
        assert await socket.received() == []


async def test_slow_and_silent_clients_hold_up_nobody(tmp_path: Path) -> None:
    """A client that is in the middle of a mail, or says nothing, costs its connection; when there
    are too many the next is told to come later."""
    several = contextlib.AsyncExitStack()
    async with listening(tmp_path, connections="6") as socket, several as stack:
        for _ in range(4):
            await stack.enter_async_context(socket.stranger())
        slow = await stack.enter_async_context(socket.client())
        quick = await stack.enter_async_context(socket.client())
        await _to_data(slow)
        slow.say(b"Subject: x\r\n")
        assert (await quick.send(TEXT)).startswith("250")
        async with socket.stranger() as seventh:
            assert (await seventh.reply()).startswith("421 4.3.2 ")
            assert await seventh.ended()
        slow.say(b"\r\nat last\r\n.\r\n")
        assert (await slow.reply()).startswith("250")


async def test_large_mails_at_once_need_no_memory(tmp_path: Path) -> None:
    """Ten mails of 20 MB at once are stored, by a process that never has more than a few of them
    in memory; what is larger than allowed is not kept at all."""
    line = b"x" * 98 + b"\r\n"
    async with listening(tmp_path, max_size='"20MB"') as socket:

        async def send(number: int, size: int) -> str:
            async with socket.client() as client:
                await _to_data(client)
                client.say(b"Subject: %d\r\n\r\n" % number)
                for _ in range(size // 1_000_000):
                    client.say(line * 10_000)
                    await client.writer.drain()
                client.say(b".\r\n")
                return await client.reply()

        before = (await socket.road.report("ingest")).rss_mb
        sizes = [19_000_000] * 10 + [25_000_000]
        replies = await asyncio.gather(*(send(n, size) for n, size in enumerate(sizes)))
        assert [reply[:3] for reply in replies] == ["250"] * 10 + ["552"]
        after = (await socket.road.report("ingest")).rss_mb
        assert after - before < 150, (before, after)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """A certificate for localhost."""
    return self_signed(tmp_path)


def _tls(certificate: Certificate) -> dict[str, str]:
    return {
        "tls_cert_file": f'"{certificate.cert}"',
        "tls_key_file": f'"{certificate.key}"',
    }


async def _starttls(client: Client, certificate: Certificate) -> None:
    assert (await client.ask("STARTTLS")).startswith("220")
    context = ssl.create_default_context(cafile=str(certificate.cert))
    await client.writer.start_tls(context, server_hostname="localhost")


async def test_words_before_the_handshake_are_not_the_client_s(
    tmp_path: Path, certificate: Certificate
) -> None:
    """Somebody on the wire adds commands behind STARTTLS: the session ends, with no mail taken.
    An honest client is encrypted, and has to say hello again."""
    settings = {"tls": '"starttls"', **_tls(certificate)}
    async with listening(tmp_path, "smtp", **settings) as socket:
        async with socket.client() as client:
            client.say("STARTTLS\r\nMAIL FROM:<evil@a.example>\r\n")
            assert (await client.reply()).startswith("554 5.5.0 ")
            assert await client.ended()
        async with socket.client() as client:
            await _starttls(client, certificate)
            assert (await client.ask("MAIL FROM:<ada@a.example>")).startswith("503 ")
            hello = await client.ask("EHLO me")
            assert "STARTTLS" not in hello
            assert (await client.send(TEXT)).startswith("250 ")


async def test_tls_from_the_start(tmp_path: Path, certificate: Certificate) -> None:
    """With implicit TLS nothing is said in the clear, and who speaks no TLS gets no answer."""
    settings = {"tls": '"implicit"', **_tls(certificate)}
    context = ssl.create_default_context(cafile=str(certificate.cert))
    async with listening(tmp_path, "smtp", **settings) as socket:
        async with socket.stranger() as plain:
            plain.say("EHLO me\r\n")
            assert not (await plain.reader.read()).startswith(b"220")
        async with socket.client(tls=context) as client:
            assert (await client.send(TEXT)).startswith("250 ")


async def _noise(socket: Socket, seed: int) -> None:
    """A client that says anything, and hangs up when it likes."""
    chance = random.Random(seed)
    words = [b"LHLO x\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<team@example.org>\r\n", b"DATA\r\n"]
    words += [b".\r\n", b"\r\n", b"\n", b"\0", b"QUIT\r\n", b"AUTH PLAIN\r\n", b"RSET\r\n", TEXT]
    with contextlib.suppress(OSError, RuntimeError):  # of a connection that the server has ended
        async with socket.stranger() as client, asyncio.timeout(20):
            for _ in range(chance.randrange(30)):
                client.say(chance.choice([*words, chance.randbytes(chance.randrange(50))]))
                await asyncio.sleep(0)
            if chance.random() < 0.5:
                client.writer.write_eof()
                async for line in client.reader:
                    assert line[:3].isdigit(), line
                    assert line.endswith(b"\r\n"), line


async def test_noise_does_no_harm(tmp_path: Path) -> None:
    """Clients that say anything in any order and leave at any time end nothing but themselves."""
    async with listening(tmp_path) as socket:
        for start in range(0, 300, 30):
            await asyncio.gather(*(_noise(socket, start + each) for each in range(30)))
        async with socket.client() as client:
            assert (await client.send(TEXT)).startswith("250 ")
        assert "source.bug" not in socket.road.log("ingest")
