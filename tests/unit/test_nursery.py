"""Where services come from, and what they have of whom they come from."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from postroad.runtime import nursery as runtime
from postroad.runtime.children import adopt
from postroad.runtime.nursery import Adopted, Nursery, Process
from tests.bench.processes import below

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody is adopted")
SERVICE = "janitor"


@dataclass
class Silent:
    """A port where services knock, and wait in vain."""

    listening: socket.socket
    waiting: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.listening.getsockname()[1]}"

    async def knocked(self) -> None:
        """Wait until one more service has come so far."""
        async with asyncio.timeout(60):
            client, _ = await asyncio.get_running_loop().sock_accept(self.listening)
        self.waiting.append(client)

    def nobody(self) -> bool:
        """Whether nobody else has knocked."""
        return not select.select([self.listening], [], [], 0)[0]


@pytest.fixture
def broker() -> Iterator[Silent]:
    """Such a port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        silent = Silent(listening)
        yield silent
        for client in silent.waiting:
            client.close()


@pytest.fixture
def config(tmp_path: Path, broker: Silent) -> Path:
    """Settings with that broker."""
    file = tmp_path / "postroad.toml"
    file.write_text(f'[site]\ndomain = "lists.example.org"\n[broker]\nurl = "{broker.url}"\n')
    return file


@pytest.fixture
async def nursery(config: Path) -> AsyncIterator[Nursery]:
    """A nursery."""
    async with Nursery.open(config) as opened:
        yield opened


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    """A file for what services say."""
    with (tmp_path / "output").open("wb") as file:
        yield file.fileno()


def status(pid: int, name: str) -> str:
    """Of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def files(pid: int) -> dict[str, Path]:
    """What is open in a process, by number."""
    return {each.name: each.readlink() for each in Path(f"/proc/{pid}/fd").iterdir()}


def shown(pid: int) -> list[str]:
    """Its command line, as ps shows it."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")


def nursery_of(nursery: Nursery) -> int:
    """Its process."""
    assert nursery._process is not None
    return nursery._process.pid


async def ends(process: Process, number: signal.Signals) -> None:
    """Signal it; that is how it must end."""
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 60) == -number


async def test_it_is_as_if_we_had_started_it(
    nursery: Nursery, config: Path, broker: Silent, output: int
) -> None:
    """A service is a child of ours, in a group of its own, whom ps shows as what it is, and who is
    told apart from any other by its number until we know that it has ended; of the nursery it has
    no file."""
    process = await nursery.start(SERVICE, output)
    await broker.knocked()
    assert status(process.pid, "PPid") == str(os.getpid())
    assert os.getpgid(process.pid) == process.pid
    words = ["-P", "-m", "postroad.cli.serve", SERVICE, "--config", str(config)]
    assert shown(process.pid) == [sys.executable, *words]
    its = files(process.pid)
    said = Path(os.readlink(f"/proc/self/fd/{output}"))  # noqa: PTH115
    assert [its[number] for number in "012"] == [Path(os.devnull), said, said]
    sockets = {each for each in files(nursery_of(nursery)).values() if "socket" in each.name}
    assert sockets
    assert not sockets & {*its.values()}
    assert status(nursery_of(nursery), "Threads") == "1"
    await ends(process, signal.SIGTERM)


async def test_how_it_ends_is_told(nursery: Nursery, output: int, tmp_path: Path) -> None:
    """Its exit code and its last words are its own."""
    process = await nursery.start("nobody", output)
    assert await asyncio.wait_for(process.wait(), 60) == 2
    assert "there is no service 'nobody'" in (tmp_path / "output").read_text()


async def test_a_nursery_may_end_or_hang(
    nursery: Nursery, broker: Silent, output: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs goes on running, and the next comes from another nursery: after one that hangs, at
    the second try, and only once."""
    before = {*below(os.getpid())} - {nursery_of(nursery)}
    first = await nursery.start(SERVICE, output)
    await broker.knocked()
    killed = nursery_of(nursery)
    os.kill(killed, signal.SIGKILL)
    assert nursery._process is not None
    nursery._process.wait()
    second = await nursery.start(SERVICE, output)
    await broker.knocked()
    stopped = nursery_of(nursery)
    os.kill(stopped, signal.SIGSTOP)
    with monkeypatch.context() as hurried:
        hurried.setattr(runtime, "PATIENCE", 0.1)
        with pytest.raises(OSError) as refused:
            await nursery.start(SERVICE, output)
    assert refused.value.errno == errno.ETIMEDOUT
    third = await nursery.start(SERVICE, output)
    await broker.knocked()
    assert len({killed, stopped, nursery_of(nursery)}) == 3
    services = (first, second, third)
    born = {*below(os.getpid())} - before
    assert born == {nursery_of(nursery), *(process.pid for process in services)}
    for process in services:
        assert status(process.pid, "PPid") == str(os.getpid())
        await ends(process, signal.SIGKILL)


async def test_none_begins_without_our_word(nursery: Nursery, broker: Silent, output: int) -> None:
    """Whoever is forked for us, and given up before we know of it, ends without having begun."""
    waits, go = os.pipe()
    adopt(on=True)
    pid = await nursery._ask((*runtime.PYTHON, "-m", runtime.ENTRY, SERVICE), output, waits)
    adopt(on=False)
    os.close(waits)
    assert status(pid, "PPid") == str(os.getpid())
    os.close(go)
    assert await asyncio.wait_for(Adopted(pid).wait(), 60) == 0
    assert broker.nobody()


async def test_where_nobody_is_adopted(
    config: Path, broker: Silent, output: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another system than Linux each service is a Python of its own."""
    monkeypatch.setattr(runtime, "_possible", lambda: False)
    async with Nursery.open(config) as nursery:
        process = await nursery.start(SERVICE, output)
        await broker.knocked()
        assert nursery._process is None
        await ends(process, signal.SIGTERM)
