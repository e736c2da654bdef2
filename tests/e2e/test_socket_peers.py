"""Programs that others wrote bring us mail: Postfix, swaks, and smtp-source."""

from __future__ import annotations

import asyncio
import re
import smtplib
import subprocess
from pathlib import Path

import pytest

from tests.architecture.documents import DOCS, Document
from tests.e2e.sockets import Socket, listening
from tests.e2e.system import mail, until
from tests.e2e.test_corpora_down_the_road import corpus_files
from tests.peers.certificate import self_signed
from tests.peers.postfix import Postfix
from tests.peers.process import program
from tests.peers.sink import Record, Sink


def transport(port: int) -> dict[str, str]:
    """Mail for our lists goes to this port, and lines stay whole."""
    maps = f"inline:{{example.org=lmtp:inet:127.0.0.1:{port}}}"
    unbroken = {"lmtp_line_length_limit": "0", "smtp_line_length_limit": "0"}
    return {"transport_maps": maps, **unbroken}


def _guide(port: int) -> dict[str, str]:
    """What the page on sources has an operator write into main.cf, on the port of the test."""
    guide = Document(DOCS / "operators" / "sources.md")
    (block,) = (each for each in guide.fences("conf") if "main.cf" in each)
    told = block.replace("lists.example.org", "example.org").replace(":8024", f":{port}")
    lines = (line.partition(" = ") for line in told.splitlines() if not line.startswith("#"))
    return {**{key: value for key, _, value in lines}, "address_verify_poll_delay": "1s"}


def give(port: int, data: bytes, *to: str) -> dict[str, tuple[int, bytes]]:
    """Give a mail to an SMTP server; what it refused, by recipient."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        try:
            return client.sendmail("ada@a.example", to, data)
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients


async def test_postfix_delivers_by_lmtp(tmp_path: Path) -> None:
    """With the lines of the guide Postfix hands over each mail with its envelope, refuses mail to
    no list while the sender is there, and keeps what we cannot take now."""
    lists = ("team@example.org", "news@example.org")
    async with (
        listening(tmp_path, lists=lists) as socket,
        Postfix.start("error:nothing", _guide(socket.port)) as postfix,
    ):
        data = mail(1)
        assert not await asyncio.to_thread(give, postfix.port, data, *lists)
        await socket.took(1)
        (event,) = await socket.received()
        assert sorted(event.envelope_to) == sorted(lists)
        assert event.envelope_from == "ada@a.example"
        (text,) = await socket.texts()
        assert text.startswith(b"Received: from ")
        assert text.endswith(data.partition(b"\r\n")[2])  # Postfix takes Return-Path off
        refused = await asyncio.to_thread(give, postfix.port, data, "nobody@example.org")
        assert refused["nobody@example.org"][0] == 550
        assert b"there is no such list" in refused["nobody@example.org"][1]

        await socket.road.stop("ingest")
        assert not await asyncio.to_thread(give, postfix.port, mail(2), "team@example.org")

        async def deferred() -> bool:
            return len(await asyncio.to_thread(postfix.queue)) == 1

        await until(deferred, "Postfix keeps the mail")
        await socket.road.run("ingest")
        await socket.road.ready(("ingest",))
        await asyncio.to_thread(postfix.flush)
        await socket.took(2)


async def test_swaks_logs_in_by_tls(tmp_path: Path) -> None:
    """A common client with STARTTLS, AUTH, and the wrong password."""
    swaks = program("swaks", "swaks")
    certificate = self_signed(tmp_path)
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    settings = {
        "tls": '"starttls"',
        "tls_cert_file": f'"{certificate.cert}"',
        "tls_key_file": f'"{certificate.key}"',
        "user": '"ada"',
        "password_file": f'"{password}"',
    }

    def run(socket: Socket, *words: str) -> tuple[int, str]:
        plain = [swaks, "--server", "127.0.0.1", "--port", str(socket.port), "--helo", "me.example"]
        plain += ["--from", "ada@a.example", "--to", "team@example.org", *words]
        done = subprocess.run(plain, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    async with listening(tmp_path, "smtp", **settings) as socket:
        login = ["--auth-user", "ada", "--auth-password"]
        for mechanism in ("PLAIN", "LOGIN"):
            words = ["-tls", "--auth", mechanism, *login, "correct horse"]
            code, told = await asyncio.to_thread(run, socket, *words)
            assert code == 0, told
        code, told = await asyncio.to_thread(run, socket, "-tls")
        assert "530 5.7.0" in told
        code, told = await asyncio.to_thread(run, socket, "-tls", "--auth", *login, "wrong")
        assert "535 5.7.8" in told
        assert len(await socket.received()) == 2


@pytest.mark.parametrize("kind", ["lmtp", "smtp"])
async def test_smtp_source_by_the_hundred(tmp_path: Path, kind: str) -> None:
    """Postfix's load generator, over several connections at once: nothing lost, nothing twice."""
    source = program("smtp-source", "postfix")
    words = [source, *["-L"] * (kind == "lmtp"), "-s", "10", "-m", "200", "-l", "4096"]
    words += ["-f", "ada@a.example", "-t", "team@example.org"]
    async with listening(tmp_path, kind) as socket:
        await asyncio.to_thread(subprocess.run, [*words, f"127.0.0.1:{socket.port}"], check=True)
        await socket.took(200)
        assert len(await socket.received()) == 200


async def test_all_sorts_of_mail_by_postfix(tmp_path: Path, corpora: Path) -> None:
    """Real and broken mail is stored as Postfix hands it over, octet by octet, which another server
    that gets the same mail from the same queue bears witness to; but for mail with a NUL in it."""
    files = [path.read_bytes() for path in corpus_files(corpora)]

    def bring(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            for data in files:
                text = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
                client.sendmail("ada@a.example", ["team@example.org", "eva@else.example"], text)

    def sound(records: list[Record]) -> list[bytes]:
        texts = (Path(record.file).read_bytes() for record in records)
        return sorted(text for text in texts if b"\0" not in text)

    async with (
        listening(tmp_path, max_size='"100MB"') as socket,
        Sink.start(keep=True) as witness,
        Postfix.start(f"smtp:[127.0.0.1]:{witness.port}", transport(socket.port)) as postfix,
    ):
        await asyncio.to_thread(bring, postfix.port)
        records = await witness.wait_for(len(files), 60)
        seen = await asyncio.to_thread(sound, records)
        await socket.took(len(seen))
        assert sorted(await socket.texts()) == seen
