"""The broker has no room: every door says so, and who has the mail keeps it and comes again."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from tests.e2e.sockets import Socket, listening, source
from tests.e2e.system import mail, until
from tests.e2e.test_mail_take import take
from tests.e2e.test_socket_peers import give, transport
from tests.peers.postfix import Postfix
from tests.peers.process import free_port

FULL = "452 4.3.1 there is no room for it now; send it again"
LARGE = mail("large", body="x" * 70 + "\r\n" * 100_000)


async def _room(broker: Broker, stream: str, octets: int) -> None:
    """Let a stream have so many octets, -1 for any number."""
    config = (await broker.api(f"STREAM.INFO.{stream}"))["config"]
    limited = {**config, "max_bytes": octets, "discard": "new"}
    await broker.api(f"STREAM.UPDATE.{stream}", limited)


@pytest.mark.parametrize(("kind", "stream"), [("lmtp", "RAW"), ("smtp", "RECEIVED")])
async def test_a_client_is_told_and_comes_again(tmp_path: Path, kind: str, stream: str) -> None:
    """452 whichever of the two has no room, for a small mail and a large one, at once; both are
    taken once, in the same session, when there is."""
    async with listening(tmp_path, kind) as socket, socket.client() as client:
        await _room(socket.road.broker, stream, 1)
        for text in (mail(1), LARGE):
            assert await client.send(text) == FULL
        assert await socket.received() == []
        await _room(socket.road.broker, stream, -1)
        for text in (mail(1), LARGE):
            assert await client.send(text) == "250 2.0.0 taken"
        assert await socket.texts() == [mail(1), LARGE]


async def test_postfix_a_program_and_a_folder_keep_the_mail(tmp_path: Path) -> None:
    """Postfix's queue has what it could not hand over, a program of it is told 75 (try again), a
    file stays unread; when there is room each mail is taken once."""
    maildir = tmp_path / "Maildir"
    for folder in ("tmp", "new", "cur"):
        (maildir / folder).mkdir(parents=True)
    port = free_port()
    more = source("maildir", 0, path=f'"{maildir}"', start='"all"', poll='"1s"')
    more = more.replace('"door"', '"folder"').replace("port = 0\n", "")
    more += '[[source]]\nkind = "pipe"\n' + source("smtp", port, verdict='"later"').replace(
        '"door"', '"smtp"'
    )
    async with (
        listening(tmp_path, more=more) as socket,
        Postfix.start("error:nothing", transport(socket.port)) as postfix,
    ):
        await _room(socket.road.broker, "RAW", 1)
        file = maildir / "new" / "1772600767.M1P2.mx"
        file.write_bytes(mail("folder"))
        assert not await asyncio.to_thread(give, postfix.port, mail("postfix"), "team@example.org")
        code, err = await take(socket.road.config, mail("program"))
        assert (code, len(err.splitlines())) == (os.EX_TEMPFAIL, 1), err

        async def kept() -> bool:
            (queued,) = await asyncio.to_thread(postfix.queue)
            return "452 4.3.1" in queued["recipients"][0].get("delay_reason", "")

        await until(kept, "Postfix keeps the mail, and says why")
        await until(lambda: _told(socket), "the status says that the folder's mail waits")
        assert await socket.received() == []
        assert file.exists()

        await _room(socket.road.broker, "RAW", -1)
        await asyncio.to_thread(postfix.flush)
        assert await take(socket.road.config, mail("program")) == (0, "")
        await socket.took(3)
        received = await socket.received()
        assert sorted(each.facts.message_id for each in received) == [
            *("folder@posts", "postfix@posts", "program@posts"),
        ]
        assert await asyncio.to_thread(postfix.queue) == []


async def _told(socket: Socket) -> bool:
    """Whether `postroad status` names the source whose mail waits."""
    status = await socket.road.cli("status", "--json")
    return any(each["name"] == "folder" and not each["ok"] for each in status.json["sources"])
