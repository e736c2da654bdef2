"""A mail server in one asyncio process, for the demo and for tests: SMTP in, IMAP out.

Consumes   mail by SMTP on a loopback port (aiosmtpd; SIZE, 8BITMIME, PIPELINING)
Emits      the same mail by IMAP on another (pymap; IDLE, UIDPLUS, MOVE), held in memory
Failure    unknown recipients get 550 5.1.1; everything is gone when the process ends
RFCs       5321 (SMTP; section 4.4 for the trace header fields), 3501 (IMAP), 2177 (IDLE)

    async with Sandbox.start(
        {"lists@example.org": "secret", "ann@example.org": "secret"},
        addresses={"team@example.org": "lists@example.org"},
    ) as sandbox:
        ...  # sandbox.smtp_port, sandbox.imap_port
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime

from postroad.sandbox import smtp
from postroad.sandbox.imap import Mailboxes

__all__ = ["Sandbox"]


class Sandbox:
    """A running sandbox. `smtp_port` and `imap_port` are TCP ports on `host`."""

    def __init__(
        self,
        accounts: Mapping[str, str],
        addresses: Mapping[str, str],
        *,
        host: str,
        trace: bool,
    ) -> None:
        self._mailboxes = Mailboxes(accounts)
        self._accounts = {name.lower(): name for name in accounts}
        for address, account in addresses.items():
            if account not in accounts:
                raise ValueError(f"{address} leads to {account}, which is not an account")
            self._accounts[address.lower()] = account
        self._trace = trace
        self.host = host
        self.smtp_port = 0
        self.imap_port = 0

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        accounts: Mapping[str, str],
        *,
        addresses: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        smtp_port: int = 0,
        imap_port: int = 0,
        trace: bool = True,
    ) -> AsyncIterator[Sandbox]:
        """Serve until the context ends.

        `accounts`: mailbox address (also the IMAP login name) to password. `addresses`: further
        address, or "@domain" for a whole domain, to the account that receives its mail.
        `trace`: put Return-Path, Delivered-To and Received on top as a delivery agent does; when
        off, mail is stored as it came, as by a provider that hides the envelope.
        Raises ValueError when an address leads to no account, OSError when a port is taken.
        """
        sandbox = cls(accounts, addresses or {}, host=host, trace=trace)
        exchanger = smtp.Exchanger(
            lambda address: sandbox.account_of(address) is not None, sandbox._deliver
        )
        async with (
            sandbox._mailboxes.serve(host, imap_port) as sandbox.imap_port,
            smtp.serve(exchanger, host, smtp_port) as sandbox.smtp_port,
        ):
            yield sandbox

    def account_of(self, address: str) -> str | None:
        """The account that receives mail for `address`: the full address, else without its
        sub-addresses from the right ("a-b+c@", "a-b@", "a@"), else the whole domain."""
        local, _, domain = address.lower().rpartition("@")
        candidates = [local, *(local[: at.start()] for at in _by_the_right(local)), ""]
        for candidate in candidates:
            if account := self._accounts.get(f"{candidate}@{domain}"):
                return account
        return None

    async def deliver(self, recipients: Sequence[str], message: bytes, *, sender: str = "") -> None:
        """Put `message` (CRLF lines) into the mailboxes of `recipients` without SMTP.
        Raises KeyError for an unknown recipient; nothing is delivered then."""
        for address in recipients:
            if self.account_of(address) is None:
                raise KeyError(address)
        await self._deliver("localhost", sender, recipients, message)

    async def _deliver(
        self, helo: str, sender: str, recipients: Sequence[str], message: bytes
    ) -> None:
        # One copy for each recipient, as Postfix delivers, because each names its own address;
        # without the trace they would be the same, so one copy for each account.
        if not self._trace:
            for account in dict.fromkeys(map(self.account_of, recipients)):
                await self._append(account, message)
            return
        for address in recipients:
            trace = _trace(helo, sender, address, datetime.now(UTC))
            await self._append(self.account_of(address), trace + message)

    async def _append(self, account: str | None, message: bytes) -> None:
        assert account is not None, "recipients are judged before delivery"
        await self._mailboxes.append(account, message)


def _by_the_right(local: str) -> list[re.Match[str]]:
    return list(re.finditer(r"[+-]", local))[::-1]


def _trace(helo: str, sender: str, recipient: str, now: datetime) -> bytes:
    return (
        f"Return-Path: <{sender}>\r\n"
        f"Delivered-To: {recipient}\r\n"
        f"Received: from {helo} (localhost [127.0.0.1])\r\n"
        f"\tby localhost (Postroad sandbox) with ESMTP; {format_datetime(now)}\r\n"
    ).encode("utf-8", "surrogateescape")
