"""An import that is killed, or whose membership or broker dies, ends as one that was not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.system import System, until

pytestmark = pytest.mark.e2e
TEAM = "team@example.org"
PEOPLE = 6_000
ADDRESSES = [f"member{number}@d{number % 7}.example.net" for number in range(PEOPLE)]


@pytest.fixture
async def road(tmp_path: Path) -> AsyncIterator[System]:
    """Membership on a broker, and one empty list."""
    async with System.start(tmp_path, "", services=("membership",)) as running:
        await running.make_list(TEAM, [])
        (tmp_path / "people.csv").write_text("\n".join(["email", *ADDRESSES]) + "\n")
        yield running


async def begun(road: System, stderr: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
    """The import, as soon as some of it is stored."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "postroad.cli", "member", "import", TEAM),
        *(str(road.home / "people.csv"), "--config", str(road.config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )

    async def some() -> bool:
        return await stored(road, "MEMBERSHIP") > 0

    await until(some, "the import has begun")
    return process


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, bytearray]]:
    """A terminal to write to, and what it shows."""
    ours, theirs = os.openpty()
    shown = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # whoever wrote to it has ended
            shown.extend(os.read(ours, 65_536))

    loop = asyncio.get_running_loop()
    loop.add_reader(ours, read)
    try:
        yield theirs, shown
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)


async def stored(road: System, stream: str) -> int:
    """How many messages a stream holds."""
    messages: int = (await road.broker.api(f"STREAM.INFO.{stream}"))["state"]["messages"]
    return messages


async def everybody_once(road: System) -> None:
    """Each is one person, subscribed by one message, and on the list."""
    assert await stored(road, "PEOPLE") == PEOPLE
    assert await stored(road, "MEMBERSHIP") == PEOPLE
    listed = (await road.cli("member", "ls", TEAM, "--json")).json
    assert [row["address"] for row in listed] == sorted(ADDRESSES)


async def test_the_command_is_killed(road: System) -> None:
    """It shows a bar on a terminal. Killed and given again it does the rest: everybody is one
    person and subscribed once, and a third time it changes nothing."""
    with terminal() as (stderr, shown):
        process = await begun(road, stderr)
        process.kill()
        await process.wait()
        assert b"importing" in shown
    file = str(road.home / "people.csv")
    again = await road.cli("member", "import", TEAM, file)
    assert again.code == 0, again.err
    await everybody_once(road)
    third = await road.cli("member", "import", TEAM, file)
    assert third.out == f"added 0, there already {PEOPLE}, bad 0\n"


async def test_membership_and_the_broker_die(road: System) -> None:
    """The command waits until they are back, asks again what was not answered, and counts everybody
    as added once."""
    process = await begun(road)
    await road.kill("membership")
    await road.kill_broker()
    await road.run("membership")
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, err
    assert out.decode() == f"added {PEOPLE}, there already 0, bad 0\n"
    await everybody_once(road)
