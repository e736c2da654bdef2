"""Relays that do not speak SMTP: each copy arrives once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import contextlib
import mailbox
from collections.abc import AsyncIterator, Mapping
from email.utils import getaddresses
from pathlib import Path

import pytest

from postroad.runtime.config import Relay
from services.sender.kinds import connect
from services.sender.transaction import Transaction
from tests.e2e.examined import section
from tests.e2e.sending import Chunks
from tests.e2e.system import System, until
from tests.peers.dovecot import Dovecot
from tests.peers.httpscript import CUT, HttpScript
from tests.peers.smtpsink import SmtpSink

pytestmark = pytest.mark.e2e


@contextlib.asynccontextmanager
async def chunks(home: Path, relay: Mapping[str, object]) -> AsyncIterator[Chunks]:
    """A sender with this relay."""
    settings = section("[[relay]]", {"name": "out", **relay})
    async with System.start(home, settings, services=("sender",)) as road:
        yield Chunks(road)


async def test_lmtp_to_a_real_dovecot(tmp_path: Path) -> None:
    """A mailbox server takes copies by LMTP: who is known has the mail, who is not is refused, and
    nobody else is."""
    known = "p0@example.net"  # and p0-1@ and so on: its sub-addresses
    async with Dovecot.start({known: "secret"}) as dovecot:
        assert dovecot.lmtp_port is not None
        relay = {"kind": "lmtp", "host": "127.0.0.1", "port": dovecot.lmtp_port, "tls": "none"}
        async with chunks(tmp_path, relay) as sender:
            ref = await sender.post(1)
            await sender.queue(ref, 0, 3)
            await sender.queue(ref, 1, 2, personal=False)
            await sender.finished(2)
            outcomes = [entry.outcome for entry in await sender.ledger() if entry.outcome]
        failures = [failure for outcome in outcomes for failure in outcome.failures]
        assert [(f.kind, f.scope) for f in failures] == [("failed", "recipient")] * 2
        mails = await asyncio.to_thread(dovecot.mails, known)
        assert len(mails) == 3
        for mail in mails:
            assert b"Message-ID: <1@posts>" in mail.data
            assert b"\r\n.this line begins with a dot\r\n" in mail.data


async def test_lmtp_answers_for_each_at_a_real_dovecot() -> None:
    """In one transaction the unknown is refused at RCPT and each of the others is told behind the
    dot, in one connection."""
    users = {"a@example.net": "x", "b@example.net": "x"}
    message = (b"Message-ID: <1@posts>\r\nSubject: x\r\n\r\n", b"..dot\r\n")
    asked = ["a@example.net", "nobody@example.net", "b@example.net"]
    async with Dovecot.start(users) as dovecot:
        assert dovecot.lmtp_port is not None
        relay = Relay(kind="lmtp", host="127.0.0.1", port=dovecot.lmtp_port, tls="none")
        connection = await connect(relay)
        assert connection.offers.each
        first, second = await connection.send([Transaction("s@x.example", asked, message)] * 2)
        await connection.close()
        for result in (first, second):
            assert [reply and reply.code for reply in result.recipients] == [250, 550, 250]
        mails = [await asyncio.to_thread(dovecot.mails, user) for user in users]
        assert [len(each) for each in mails] == [2, 2]


async def test_lmtp_to_smtp_sink(tmp_path: Path) -> None:
    """Postfix's own LMTP server sees nothing wrong in 300 copies, shared and personal, over a
    connection that is kept."""
    async with SmtpSink.start(("-L", "-c")) as sink:
        relay = {"kind": "lmtp", "host": "127.0.0.1", "port": sink.port, "tls": "none"}
        async with chunks(tmp_path, relay) as sender:
            for number in (0, 1):
                ref = await sender.post(number)
                await sender.queue(ref, number, 150, personal=number == 1)
            await sender.finished(2)
            entries = await sender.ledger()
        accepted = [e.outcome.end - e.outcome.start for e in entries if e.outcome]
        assert sum(accepted) == 300
        assert not [f for e in entries if e.outcome for f in e.outcome.failures]


async def test_http_pauses_as_long_as_it_is_told(tmp_path: Path) -> None:
    """A provider that wants less is left alone for the seconds it names; nobody is blamed, and
    everybody has one copy in the end."""
    script = ["202 Accepted"] * 3 + ["429 Too Many Requests\r\nRetry-After: 2"]
    async with HttpScript.start(script) as server:
        relay = {"kind": "http", "url": server.url, "connections": 1}
        async with chunks(tmp_path, relay) as sender:
            wanted = await sender.queue(await sender.post(1), 0, 20)

            async def is_told() -> bool:
                report = (await sender.road.reports()).get("sender")
                return report is not None and any("HTTP 429" in f.detail for f in report.facts)

            await until(is_told, "the status says what the provider said")
            assert len(server.requests) == 4
            await sender.finished(1)
            failures = [f for e in await sender.ledger() if e.outcome for f in e.outcome.failures]
    assert failures == []
    to = [getaddresses([request.fields["x-envelope-to"]])[0][1] for request in server.requests]
    assert sorted([*to[:3], *to[4:]]) == sorted(wanted)


async def test_http_answer_that_never_comes(tmp_path: Path) -> None:
    """A connection cut behind a whole request leaves that copy in doubt: it is posted again with
    the same key, and marked."""
    async with HttpScript.start(["200 OK", CUT]) as server:
        relay = {"kind": "http", "url": server.url, "connections": 1}
        async with chunks(tmp_path, relay) as sender:
            await sender.queue(await sender.post(1), 0, 4)
            await sender.finished(1)
            entries = await sender.ledger()
    keys = [request.fields["idempotency-key"] for request in server.requests]
    assert len(keys) == 5
    assert len(set(keys)) == 4
    assert keys.count(keys[1]) == 2
    assert any(entry.outcome and entry.outcome.possible_duplicate for entry in entries)


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("archive", "before_dot"),
        ("archive", "after_dot"),
        ("archive.mbox", "before_dot"),
        ("archive.mbox", "after_dot"),
        ("archive.mbox", "before_record"),
    ],
)
async def test_file_after_a_crash(tmp_path: Path, name: str, point: str) -> None:
    """A sender that dies anywhere in a window stores no copy twice and none never, leaves nothing
    behind, and nobody is said to have two who is seen to have one."""
    path = tmp_path / name
    settings = section("[[relay]]", {"name": "out", "kind": "file", "path": str(path)})
    async with System.start(tmp_path, settings, services=()) as road:
        await road.run("sender", crashpoint=f"sender.{point}:2")
        sender = Chunks(road)
        ref = await sender.post(1)
        wanted = await sender.queue(ref, 0, 40)
        await road.died("sender")
        await road.run("sender")
        await sender.finished(1)
        assert not await sender.marked()
    kind = mailbox.mbox if name.endswith("mbox") else mailbox.Maildir
    with contextlib.closing(kind(path, create=False)) as box:
        assert sorted(str(mail["Delivered-To"]) for mail in box) == sorted(wanted)
        assert {str(mail["Message-ID"]) for mail in box} == {"<1@posts>"}
    assert not list(path.glob("tmp/*"))


async def test_http_after_a_crash(tmp_path: Path) -> None:
    """A sender that dies before it has heard the answer posts that copy again with the key of the
    first, and no other; the ledger says that it may be a second."""
    async with HttpScript.start() as server:
        relay = {"name": "out", "kind": "http", "url": server.url, "connections": 1}
        settings = section("[[relay]]", relay)
        async with System.start(tmp_path, settings, services=()) as road:
            await road.run("sender", crashpoint="sender.after_dot:3")
            sender = Chunks(road)
            await sender.queue(await sender.post(1), 0, 20)
            await road.died("sender")
            await road.run("sender")
            await sender.finished(1)
            entries = await sender.ledger()
    keys = [request.fields["idempotency-key"] for request in server.requests]
    assert len(set(keys)) == 20
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [1, 1, 2, *[1] * 17]
    assert any(entry.outcome and entry.outcome.possible_duplicate for entry in entries)
