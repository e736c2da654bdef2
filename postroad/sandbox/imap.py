"""The back of the sandbox: pymap's in-memory mailboxes behind its real IMAP server.

The dictionary backend is chosen over the Maildir one because it pushes a delivery to waiting
IDLE clients at once; the Maildir backend sees new files only when it next polls.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from argparse import Namespace
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.reader import ProxyProtocolReader
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet, Message
from pymap.concurrent import Event, Subsystem
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import ObjectId
from pymap.selected import SelectedMailbox
from pymap.user import UserMetadata
from pysasl import SASLAuth
from pysasl.hashing import Cleartext

log = logging.getLogger(__name__)

LONGEST_COMMAND = 1 << 20  # octets of one command line; a UID set of a full mailbox is long


class Mailboxes:
    """Accounts (login name to password) and their mail, kept in memory.

    Every account has an INBOX; clients may create further folders.
    """

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._config = _Settings()
        self._login = Login(self._config)
        for name, password in accounts.items():
            self._login.users_dict[name] = UserMetadata(self._config, name, password=password)
            self._config.set_cache[name] = (_Folders(), FilterSet())

    async def append(self, account: str, message: bytes) -> None:
        """Add `message` (CRLF lines) to the account's INBOX, byte for byte; its INTERNALDATE
        is now. Waiting IDLE clients hear of it at once. Raises KeyError for no such account."""
        folders, _ = self._config.set_cache[account]
        inbox = await folders.get_mailbox("INBOX")
        reader = inbox.selected_set.any_selected
        stored = await inbox.append(AppendMessage(message, datetime.now(UTC)), recent=not reader)
        if reader is not None:
            reader.session_flags.add_recent(stored.uid)

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[int]:
        """Speak IMAP on `host`:`port` (0 for a free one); yields the port. On exit every
        client is told BYE."""
        imap = IMAPServer(self._login, self._config)
        clients: set[asyncio.Task[None]] = set()

        async def converse(reader: StreamReader, writer: StreamWriter, info: SocketInfo) -> None:
            task: asyncio.Task[None] | None = asyncio.current_task()
            assert task is not None
            clients.add(task)
            try:
                await imap(reader, writer, info)
            except Exception:
                log.exception("an IMAP conversation ended in an error")
            finally:
                clients.discard(task)

        accept = ProxyProtocolReader(ProxyProtocolNoop()).get_callback(converse)
        server = await asyncio.start_server(accept, host, port, limit=LONGEST_COMMAND)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in clients:
                task.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
            await server.wait_closed()


class _Settings(Config):
    """pymap's settings without its command line, TLS and password hashing."""

    def __init__(self) -> None:
        super().__init__(
            Namespace(),
            host=None,
            port=0,
            tls_enabled=False,
            # Given so that pymap does not read CERT_FILE and KEY_FILE from the environment.
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            hash_context=Cleartext(),
            cpu_subsystem=Subsystem.for_asyncio(),
            proxy_protocol=ProxyProtocolNoop(),
            demo_data=False,
            demo_user="",
            demo_password="",
        )

    @property
    def greeting(self) -> bytes:
        return b"Postroad sandbox ready"  # pymap's own asks the resolver for our name

    @cached_property
    def tls_auth(self) -> SASLAuth:
        # pymap asks twice for each connection, and reads what every installed package says of
        # itself: 15 ms.
        return SASLAuth.defaults()


class _Folder(MailboxData):
    """A mailbox that keeps every byte and misses no push."""

    async def append(self, append_msg: AppendMessage, *, recent: bool = False) -> Message:
        try:
            message = await super().append(append_msg, recent=recent)
        except Exception:  # noqa: BLE001  hostile mail breaks the MIME parser in many ways
            message = await super().append(replace(append_msg, literal=b""), recent=recent)
        # pymap 0.36 loses the last octet of mail that has no empty line.
        if (content := message._content) is not None:  # noqa: SLF001
            content._raw = memoryview(append_msg.literal)  # noqa: SLF001
        return message

    async def update_selected(
        self, selected: SelectedMailbox, *, wait_on: Event | None = None
    ) -> SelectedMailbox:
        # pymap waits for the next change even when one came while it was busy with the last.
        if selected.mod_sequence != self._mod_sequences.highest:
            wait_on = None
        return await super().update_selected(selected, wait_on=wait_on)


class _Folders(MailboxSet):
    """An account's folders, made of `_Folder`."""

    def __init__(self) -> None:
        super().__init__()
        self._inbox = _Folder(self._content_cache, self._thread_cache)

    async def add_mailbox(self, name: str) -> ObjectId:
        await super().add_mailbox(name)
        folder = _Folder(self._content_cache, self._thread_cache)
        self._set[name] = folder
        return folder.mailbox_id
