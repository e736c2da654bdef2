"""A list rejects a mail while its client waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import subjects
from tests.e2e.sockets import Socket, listening
from tests.e2e.system import mail, until

SERVICES = ("membership", "router", "ingest")
OWNER = "team-owner@example.org"
PROOF = b"Authentication-Results: mx.our.example; dkim=pass header.d=example.net\r\n"
STRANGER = PROOF + mail(1)


async def _letters(socket: Socket, expected: int) -> int:
    """How many letters Postroad wrote, once all is decided and all of that is dealt with, and so
    many are there."""
    broker = socket.road.broker

    async def stored() -> int:
        return int((await broker.api("STREAM.INFO.SEND"))["state"]["messages"])

    async def dealt_with() -> bool:
        for durable in (subjects.ROUTER, subjects.FANOUT, subjects.ANSWERS):
            info = await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
            if info["num_pending"] or info["num_ack_pending"]:
                return False
        return await stored() >= expected

    await until(dealt_with, "every decision is dealt with")
    return await stored()


@pytest.mark.parametrize(
    ("kind", "verdict", "to", "told", "letters"),
    [
        ("smtp", "dialogue", ["team"], "550 5.7.1 ", 0),
        ("smtp", "dialogue", ["team-owner"], "250 2.0.0 ", 0),
        ("lmtp", "later", ["team"], "250 2.0.0 ", 1),
        ("smtp", "dialogue", ["team", "open"], "250 2.0.0 ", 1),
    ],
)
async def test_who_is_told(
    tmp_path: Path, kind: str, verdict: str, to: list[str], told: str, letters: int
) -> None:
    """A rejection is told once: in the dialogue, where it says nothing of rules and members, or by
    mail; a mail that some list takes is taken."""
    settings = {"verdict": f'"{verdict}"', "authserv_id": '"mx.our.example"'}
    async with listening(tmp_path, kind, services=SERVICES, lists=(), **settings) as socket:
        await socket.road.make_list("team@example.org", [], default_nonmember_action="reject")
        await socket.road.make_list("open@example.org", [])
        async with socket.client() as client:
            reply = await client.send(STRANGER, [f"{each}@example.org" for each in to])
            assert reply.startswith(told)
            if told.startswith("550"):
                assert reply == f"{told}not accepted by this list's rules; ask {OWNER}"
            assert await _letters(socket, letters) == letters
            if told.startswith("550"):  # a client that did not hear it is told again
                again = await client.send(STRANGER, ["team@example.org"])
                assert again == reply


async def test_a_mail_that_nobody_decides_on_is_taken(tmp_path: Path) -> None:
    """Without a router nobody waits for ever."""
    waits = listening(tmp_path, "smtp", verdict='"dialogue"')
    async with waits as socket, socket.client() as client:
        assert (await client.send(STRANGER)).startswith("250 2.0.0 ")
