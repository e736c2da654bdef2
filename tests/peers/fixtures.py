"""The peers as pytest fixtures; a conftest imports the ones it wants."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.peers.dovecot import Dovecot
from tests.peers.nats import NatsServer
from tests.peers.postfix import Postfix
from tests.peers.sink import Sink
from tests.peers.smtpsink import SmtpSink

PASSWORD = "correct horse"
USERS = dict.fromkeys(("lists@example.org", "ann@example.org", "bob@example.org"), PASSWORD)


@pytest.fixture
async def dovecot() -> AsyncIterator[Dovecot]:
    """A Dovecot with the mailboxes lists@, ann@ and bob@example.org."""
    async with Dovecot.start(USERS) as running:
        yield running


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A recording sink that does everything right until told otherwise."""
    async with Sink.start() as running:
        yield running


@pytest.fixture
async def postfix(sink: Sink) -> AsyncIterator[Postfix]:
    """A Postfix that relays everything to `sink`, lines of any length unbroken."""
    unbroken = {"smtp_line_length_limit": "0"}
    async with Postfix.start(f"smtp:[127.0.0.1]:{sink.port}", unbroken) as running:
        yield running


@pytest.fixture
async def smtp_sink() -> AsyncIterator[SmtpSink]:
    """Postfix's smtp-sink."""
    async with SmtpSink.start() as running:
        yield running


@pytest.fixture
async def nats() -> AsyncIterator[NatsServer]:
    """A private nats-server."""
    async with NatsServer.start() as running:
        yield running
