"""What all peers rely on: a missing program skips by name, and no process is left behind."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.peers.process import Daemon, free_port, program, until

LISTEN = "import os, socket, time; kept = socket.create_server(('127.0.0.1', {port})); "
FORK = "os.fork()"  # the child holds the port as well


def daemon(place: Path, port: int, *, then: str = "", ready: int = 0) -> Daemon:
    """A Python process that listens on `port`, does something else and sleeps. It counts as ready
    when it takes connections there, or at the port `ready`."""
    code = f"{LISTEN.format(port=port)}{then or 'pass'}; time.sleep(600)"
    return Daemon([sys.executable, "-c", code], [ready or port], place / "log")


def test_a_missing_program_skips_and_names_its_package() -> None:
    """The reader of the report learns what to install."""
    with pytest.raises(pytest.skip.Exception, match="install the Debian package some-package"):
        program("no-such-program", "some-package")


def test_no_port_is_named_twice() -> None:
    """A server with two listeners never gets one port for both, though neither listens yet."""
    ports = [free_port() for _ in range(500)]
    assert len(set(ports)) == len(ports)


async def test_a_daemon_that_ends_at_once_tells_its_last_words(tmp_path: Path) -> None:
    """A wrong configuration is read in the failure, not guessed."""
    wrong = daemon(
        tmp_path, free_port(), then="raise SystemExit('no such setting')", ready=free_port()
    )
    with pytest.raises(RuntimeError, match="no such setting"):
        await wrong.start()


async def test_a_daemon_that_ends_at_once_leaves_no_child(tmp_path: Path) -> None:
    """What the first process forked before it ended is ended too."""
    port = free_port()
    orphaned = daemon(tmp_path, port, then="os.fork() and os._exit(1)", ready=free_port())
    with pytest.raises(RuntimeError, match="did not start"):
        await orphaned.start()

    async def gone() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it is just ending
            return False
        writer.close()
        return False

    await until(gone)


@pytest.mark.parametrize("then", ["", FORK])
async def test_killed_means_that_nobody_listens_any_more(tmp_path: Path, then: str) -> None:
    """Children go with their parent, and the port is free for the next start."""
    port = free_port()
    async with daemon(tmp_path, port, then=then) as running:
        await running.kill()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await running.start()
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)
