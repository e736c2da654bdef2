"""What is parked, or read again, from the command line; and the command killed meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from postroad.runtime.blobs import put_raw
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.parked import parked
from schemas import codec, subjects
from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy
from tests.e2e.system import System, mail, smtp_relay, until
from tests.peers.sink import Sink

PEOPLE = ("p1", "p2", "p3")
DATA = mail(1)


@contextlib.asynccontextmanager
async def sending(home: Path) -> AsyncIterator[tuple[System, Sink]]:
    """A sender and the relay."""
    async with (
        Sink.start() as sink,
        System.start(home, smtp_relay(sink.port), services=["sender"]) as road,
    ):
        yield road, sink


async def queue(road: System, mail_id: str) -> None:
    """Copies of a mail whose bytes are not in RAW (yet)."""
    raw = await put_raw(road.broker, new_id(), 0, DATA, DATA.index(b"\r\n\r\n") + 4)
    where = {name: getattr(raw, name) for name in ("chunks", "size", "sha256", "head")}
    chunk = ChunkQueued(
        mail_id=mail_id,
        list="team",
        chunk="0",
        people=PEOPLE,
        addresses=tuple(f"{person}@example.net" for person in PEOPLE),
        last=True,
        copy=Copy(
            raw=RawRef(mail_id=mail_id, **where),
            list="team",
            list_address="team@example.org",
            to_members=False,
            bounces=("team-bounces+", "@example.org"),
            post=1,
        ),
    )
    data = codec.encode(envelope([chunk], correlation=mail_id))
    await road.broker.publish(subjects.send("now", "team", mail_id, "0"), data, expect=0)


async def waits(road: System, count: int) -> None:
    """Wait until so many are parked."""

    async def there() -> bool:
        return (await parked(road.broker))[0] == count

    await until(there, f"{count} parked")


@pytest.mark.broker
async def test_requeued_twice_and_killed_it_goes_out_once(tmp_path: Path) -> None:
    """What cannot be requeued is said with the reason; once it is mended, and the command is killed
    before and after it gave the order, and given again and again, each copy goes out once."""
    mail_id = new_id()
    async with sending(tmp_path) as (road, sink):
        await queue(road, mail_id)
        await waits(road, 1)
        await road.broker.publish(
            "mail.send.now.team.x.0", b"to ann@example.net \x1b[31m", expect=0
        )
        await waits(road, 2)

        async def run(*words: str, code: int = 0, crash: str = "") -> Any:
            env = {"POSTROAD_CRASHPOINT": crash} if crash else {}
            said = await road.cli("deadletter", *words, "--json", env=env)
            assert said.code == (-9 if crash else code), said.err
            return None if crash else said.json

        first, garbage = await run("ls", "--stage", "sender")
        assert first["what"] == f"3 copies of {mail_id[:16]} at team (chunk 0)"
        assert "\x1b" not in str(await run("show", str(garbage["seq"])))
        refused = await run("requeue", "--all", "--yes", code=1)
        assert [each["why"].partition(",")[0] for each in refused] == [
            "the mail it is of is deleted",
            "it is no event",
        ]
        await put_raw(road.broker, mail_id, 0, DATA, DATA.index(b"\r\n\r\n") + 4)
        number = str(first["seq"])
        await run("requeue", number, crash="deadletter.before_order:1")
        assert sink.records() == []
        await run("requeue", number, crash="deadletter.after_order:1")
        assert await run("requeue", number) == []
        await sink.wait_for(3)
        dropped = await run("drop", garbage["id"], "--why", "of ann@example.net", "--yes")
        assert [each["result"] for each in dropped] == ["dropped"]
        again = await run("requeue", str(garbage["seq"]), code=1)
        assert [each["result"] for each in again] == ["refused"]
        (_, told) = await run("ls", "--resolved")
        assert told["resolved_by"].startswith("operator")
        assert told["resolved_why"] == "of (address)"
        await road.broker.api("CONSUMER.RESET.SEND.sender-now", {"seq": 1})
        await road.settled_again("SEND", "sender-now")
        assert len(sink.records()) == 3
        assert (await parked(road.broker))[0] == 0


@pytest.mark.broker
async def test_a_reset_passes_nothing_over(tmp_path: Path) -> None:
    """Neither messages that nobody has dealt with, nor those that are still to come, can be skipped
    by a position too far ahead; nothing is changed then."""
    async with System.start(tmp_path, "", services=[]) as road:
        for number in range(3):
            await road.broker.publish(subjects.received("box", f"m{number}"), b"", expect=0)
        for to, code, told in (("3", 1, "is not done with 2 messages"), ("5", 2, "no more than 3")):
            said = await road.cli("consumer", "reset", "router", "--to", to, "--yes")
            assert (said.code, told in said.err) == (code, True), said
        info = await road.broker.api("CONSUMER.INFO.RECEIVED.router")
        assert info["num_pending"] == 3
