"""The sandbox, driven by real clients: smtplib and aiosmtplib in, imaplib and aioimaplib out."""

from __future__ import annotations

import asyncio
import imaplib
import json
import smtplib
import sys
from collections.abc import AsyncIterator

import aioimaplib
import aiosmtplib
import pytest

from postroad.sandbox import Sandbox

PASSWORD = "a pass word"
LISTS, ANN = "lists@example.org", "ann@example.org"
POST = b"From: ann@example.org\r\nTo: team@example.org\r\nSubject: hello\r\n\r\nGood day.\r\n"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    accounts = {LISTS: PASSWORD, ANN: PASSWORD}
    addresses = {"team@example.org": LISTS, "dev-team@example.org": LISTS, "@lists.example": LISTS}
    async with Sandbox.start(accounts, addresses=addresses) as running:
        yield running


async def post(sandbox: Sandbox, message: bytes, *recipients: str) -> None:
    await aiosmtplib.send(
        message,
        sender=ANN,
        recipients=list(recipients),
        hostname=sandbox.host,
        port=sandbox.smtp_port,
    )


def fetch(port: int, account: str) -> list[tuple[str, bytes]]:
    """Every mail of an INBOX as (FETCH attributes, octets), read with imaplib."""
    with imaplib.IMAP4("127.0.0.1", port) as imap:
        imap.login(account, PASSWORD)
        imap.select()
        found = imap.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1]
    return [(item[0].decode(), item[1]) for item in found if isinstance(item, tuple)]


async def inbox(sandbox: Sandbox, account: str) -> list[bytes]:
    return [mail for _, mail in await asyncio.to_thread(fetch, sandbox.imap_port, account)]


async def idle(sandbox: Sandbox, account: str) -> aioimaplib.IMAP4:
    """A client waiting in IDLE on the account's INBOX."""
    client = aioimaplib.IMAP4(sandbox.host, sandbox.imap_port)
    await client.wait_hello_from_server()
    await client.login(account, PASSWORD)
    await client.select()
    await client.idle_start()
    return client


@pytest.mark.parametrize(
    "message",
    [
        POST,
        b"Subject: no body\r\n\r\n",
        b"Subject: no empty line\r\n",
        b"",
        b"no header\r\n\r\n..dots\r\n.\r\n",
        b"Subject: \xff\x00 8 bit\r\n\r\n" + bytes(range(14, 256)) + b"\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n"
        + b"long" * 50_000
        + b"\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"deep\r\n",
    ],
    ids=["plain", "no-body", "no-empty-line", "empty", "dots", "8bit", "long-line", "nested"],
)
async def test_stored_mail_is_the_sent_mail_below_the_trace_fields(
    sandbox: Sandbox, message: bytes
) -> None:
    """Every octet is kept; Return-Path, Delivered-To and Received stand on top (RFC 5321, 4.4)."""
    await post(sandbox, message, ANN)
    [stored] = await inbox(sandbox, ANN)
    trace = stored.removesuffix(message)
    assert trace.splitlines()[:2] == [
        b"Return-Path: <ann@example.org>",
        b"Delivered-To: " + ANN.encode(),
    ]
    assert trace.splitlines()[2].startswith(b"Received: from ")
    assert trace + message == stored


async def test_without_trace_mail_is_stored_as_it_came() -> None:
    """With the trace off a mailbox shows nothing of the envelope, and one copy per account."""
    accounts = {LISTS: PASSWORD, ANN: PASSWORD}
    async with Sandbox.start(
        accounts, addresses={"team@example.org": LISTS}, trace=False
    ) as sandbox:
        await post(sandbox, POST, "team@example.org", LISTS, ANN)
        assert await inbox(sandbox, LISTS) == [POST]
        assert await inbox(sandbox, ANN) == [POST]


async def test_each_recipient_gets_a_copy_that_names_it(sandbox: Sandbox) -> None:
    """One mail to two addresses of one mailbox arrives twice, as Postfix delivers it."""
    await post(sandbox, POST, "team@example.org", "dev-team-join@example.org")
    stored = await inbox(sandbox, LISTS)
    assert [mail.splitlines()[1] for mail in stored] == [
        b"Delivered-To: team@example.org",
        b"Delivered-To: dev-team-join@example.org",
    ]


@pytest.mark.parametrize(
    ("address", "account"),
    [
        (ANN, ANN),
        ("Team@EXAMPLE.org", LISTS),
        ("team-bounces+abc-def@example.org", LISTS),
        ("team+join@example.org", LISTS),
        ("dev-team-owner@example.org", LISTS),
        ("bounces+abc@lists.example", LISTS),
        ("teams@example.org", None),
        ("dev@example.org", None),
        ("team@example.com", None),
        ("-team@example.org", None),
    ],
)
async def test_addresses_and_sub_addresses_lead_to_an_account(
    sandbox: Sandbox, address: str, account: str | None
) -> None:
    """The full address counts first, then each shorter one at "-" and "+", then the domain."""
    assert sandbox.account_of(address) == account


async def test_unknown_recipients_are_refused(sandbox: Sandbox) -> None:
    """An unknown recipient is 550 5.1.1 and does not stop the known one."""

    def send() -> dict[str, tuple[int, bytes]]:
        with smtplib.SMTP(sandbox.host, sandbox.smtp_port) as smtp:
            return smtp.sendmail(ANN, ["nobody@example.org", ANN], POST)

    refused = await asyncio.to_thread(send)
    assert refused == {"nobody@example.org": (550, b"5.1.1 No such recipient here")}
    assert len(await inbox(sandbox, ANN)) == 1


async def test_an_address_must_lead_to_an_account() -> None:
    """A mapping to an account that does not exist is refused by name at the start."""
    with pytest.raises(ValueError, match=r"a@example\.org leads to b@example\.org"):
        async with Sandbox.start({}, addresses={"a@example.org": "b@example.org"}):
            pass


async def test_ehlo_offers_what_a_real_relay_offers(sandbox: Sandbox) -> None:
    """EHLO offers SIZE 30 MB, 8BITMIME and PIPELINING."""
    async with aiosmtplib.SMTP(hostname=sandbox.host, port=sandbox.smtp_port) as smtp:
        await smtp.ehlo()
        assert smtp.esmtp_extensions["size"] == str(30 * 1024 * 1024)
        assert {"8bitmime", "pipelining"} <= smtp.esmtp_extensions.keys()


async def test_pipelined_commands_are_answered_one_by_one(sandbox: Sandbox) -> None:
    """Two transactions and QUIT sent in one piece are all answered, in order (RFC 2920)."""
    reader, writer = await asyncio.open_connection(sandbox.host, sandbox.smtp_port)
    envelope = b"MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
    writer.write(b"EHLO here\r\n" + 2 * (envelope + POST + b".\r\n") + b"QUIT\r\n")
    replies = (await reader.read()).splitlines()
    writer.close()
    final = [reply[:3] for reply in replies if reply[3:4] == b" "]
    assert final == [b"220", b"250", *2 * [b"250", b"250", b"354", b"250"], b"221"]
    assert [mail.splitlines()[0] for mail in await inbox(sandbox, ANN)] == 2 * [b"Return-Path: <>"]


async def test_idle_hears_of_a_delivery(sandbox: Sandbox) -> None:
    """A client in IDLE gets EXISTS when mail is delivered, without asking."""
    client = await idle(sandbox, ANN)
    await post(sandbox, POST, ANN)
    assert b"1 EXISTS" in await client.wait_server_push(5)


async def test_idle_hears_of_every_delivery_of_a_burst(sandbox: Sandbox) -> None:
    """No delivery goes unheard because it came while another was being announced."""
    client = await idle(sandbox, ANN)
    await asyncio.gather(*(post(sandbox, POST, ANN) for _ in range(50)))
    for _ in range(50):
        if b"50 EXISTS" in await client.wait_server_push(5):
            break
    else:
        pytest.fail("the last EXISTS was never pushed")


async def test_idle_hears_of_mail_that_came_before_it(sandbox: Sandbox) -> None:
    """Mail that came after the last command is announced when IDLE starts."""
    client = aioimaplib.IMAP4(sandbox.host, sandbox.imap_port)
    await client.wait_hello_from_server()
    await client.login(ANN, PASSWORD)
    await client.select()
    await sandbox.deliver([ANN], POST)
    await client.idle_start()
    assert b"1 EXISTS" in await client.wait_server_push(5)


async def test_mail_has_uid_flags_size_and_date(sandbox: Sandbox) -> None:
    """A delivered mail is Recent, not Seen, with ascending UID, true size and a date of now."""
    await post(sandbox, POST, ANN)
    await post(sandbox, POST, ANN)
    found = await asyncio.to_thread(fetch, sandbox.imap_port, ANN)
    uids = [int(attributes.split("UID ")[1].split()[0]) for attributes, _ in found]
    assert uids == sorted(set(uids))
    for attributes, mail in found:
        assert f"RFC822.SIZE {len(mail)}" in attributes
        assert "Recent" in attributes
        assert "Seen" not in attributes
        assert imaplib.Internaldate2tuple(attributes.encode()) is not None


async def test_flags_moves_and_uidvalidity_are_kept_between_sessions(sandbox: Sandbox) -> None:
    """What one session marks or moves, the next one finds; UIDVALIDITY does not change."""
    await sandbox.deliver([ANN, ANN], POST)

    def first() -> bytes:
        with imaplib.IMAP4(sandbox.host, sandbox.imap_port) as imap:
            imap.login(ANN, PASSWORD)
            imap.create("Done")
            imap.select()
            imap.store("1", "+FLAGS.SILENT", r"(\Seen)")
            imap.uid("MOVE", "102", "Done")
            return imap.status("INBOX", "(UIDVALIDITY)")[1][0] or b""

    def second() -> tuple[bytes, bytes, bytes]:
        with imaplib.IMAP4(sandbox.host, sandbox.imap_port) as imap:
            imap.login(ANN, PASSWORD)
            validity = imap.status("INBOX", "(UIDVALIDITY)")[1][0] or b""
            moved = imap.status("Done", "(MESSAGES)")[1][0]
            imap.select()
            return validity, moved, imap.search(None, "SEEN")[1][0]

    validity = await asyncio.to_thread(first)
    assert await asyncio.to_thread(second) == (validity, b"Done (MESSAGES 1)", b"1")


async def test_a_wrong_password_is_refused(sandbox: Sandbox) -> None:
    """LOGIN with a wrong password is NO."""

    def login() -> None:
        with imaplib.IMAP4(sandbox.host, sandbox.imap_port) as imap:
            imap.login(ANN, "wrong")

    with pytest.raises(imaplib.IMAP4.error):
        await asyncio.to_thread(login)


async def test_stopping_says_bye_to_waiting_clients() -> None:
    """The sandbox stops while clients are connected, and tells IMAP clients so."""
    async with Sandbox.start({ANN: PASSWORD}) as sandbox:
        client = await idle(sandbox, ANN)
        reader, writer = await asyncio.open_connection(sandbox.host, sandbox.smtp_port)
        await reader.readline()
    assert await reader.read() == b""
    writer.close()
    assert any(line.startswith(b"BYE") for line in await client.wait_server_push(5))


async def test_as_a_process_it_ends_with_its_parent() -> None:
    """`python -m postroad.sandbox` takes its settings on standard input and ends with it."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "postroad.sandbox", stdin=-1, stdout=-1
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps({"accounts": {ANN: PASSWORD}}).encode() + b"\n")
    ports = json.loads(await child.stdout.readline())
    assert await asyncio.to_thread(fetch, ports["imap_port"], ANN) == []
    child.stdin.close()
    assert await child.wait() == 0
