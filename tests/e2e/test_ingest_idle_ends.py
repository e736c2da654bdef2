"""IDLE as servers keep it: they end it, forget it, or never had it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.ingest import imap
from services.ingest.connection import Connection
from tests.e2e.ingesting import Scripted, fact, mail, scripted
from tests.e2e.system import until
from tests.peers.imapscript import Fault


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[Scripted]:
    async with scripted(tmp_path, start="all", poll="1h") as running:
        yield running


async def test_a_server_may_end_idle_with_ok(
    ingest: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ends every IDLE at once is asked again, but not in a tight loop."""
    monkeypatch.setattr(imap, "ENOUGH_SECONDS", 0.1)
    fault = Fault(at="IDLE", reply="OK enough", first=("+ idling",))
    ingest.imap.faults.append(fault)
    async with ingest.running() as context:
        await until(lambda: _reached(fault, 3), "IDLE is asked for again")
        ingest.imap.deliver(mail(1))
        await ingest.took(1)
        began, hits = asyncio.get_running_loop().time(), fault.hits
        await until(lambda: _reached(fault, hits + 5), "IDLE is asked for again")
        assert asyncio.get_running_loop().time() - began > 0.3
        assert fact(context).ok


@pytest.mark.parametrize("farewell", ["* BYE autologout; idle for too long", ""])
async def test_a_server_may_hang_up_in_idle(ingest: Scripted, farewell: str) -> None:
    """With a BYE or without, the source is back within seconds, and hears the next mail."""
    async with ingest.running():
        for n in range(1, 4):
            await ingest.idles()
            for conversation in list(ingest.imap.idle.values()):
                if farewell:
                    conversation.say(farewell)
            ingest.imap.disconnect()
            ingest.imap.deliver(mail(n))
            await ingest.took(n)


async def test_a_bye_is_the_end_though_the_line_stays_open(ingest: Scripted) -> None:
    """After a BYE nothing more is expected of a connection that the server leaves open."""
    async with ingest.running():
        await ingest.idles()
        (conversation,) = ingest.imap.idle.values()
        conversation.folder = None  # it hears of no new mail any more
        conversation.say("* BYE shutting down")
        ingest.imap.inbox.add(mail(1))
        await ingest.took(1)


async def test_idle_that_went_deaf_is_left_at_the_next_poll(
    ingest: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says nothing in IDLE, nor answers DONE, is left for a new connection."""
    monkeypatch.setattr(Connection, "ANSWER_SECONDS", 0.5)
    ingest.imap.faults += [Fault(at="push"), Fault(at="DONE", reply="", times=1)]
    async with ingest.running(poll="1s"):
        await ingest.idles()
        ingest.imap.deliver(mail(1))
        await ingest.took(1)


@pytest.mark.parametrize("reply", ["NO not now", "BAD [CLIENTBUG] what?"])
async def test_a_server_that_refuses_idle_is_asked_instead(ingest: Scripted, reply: str) -> None:
    """IDLE that is offered and refused ends no session: mail is found by polling."""
    refusing = Fault(at="IDLE", reply=reply)
    ingest.imap.faults.append(refusing)
    async with ingest.running(poll="1s") as context:
        ingest.imap.inbox.add(mail(1))
        await ingest.took(1)
        assert fact(context).ok
        assert refusing.hits == 1


async def test_idle_is_begun_anew_in_time(
    ingest: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long `poll` is, IDLE is renewed before a middlebox forgets the connection."""
    monkeypatch.setattr(imap, "IDLE_SECONDS", 0.2)
    renewed = Fault(at="DONE", times=0)
    ingest.imap.faults.append(renewed)
    async with ingest.running():
        await until(lambda: _reached(renewed, 3), "IDLE is begun anew")
        assert ingest.imap.commands.count("LOGIN") == 1


async def _reached(fault: Fault, hits: int) -> bool:
    return fault.hits >= hits
