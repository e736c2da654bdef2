"""What all peers rely on: a missing program skips by name, and no process is left behind."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.peers.process import Daemon, free_port, program

LISTEN = "import socket, time; socket.create_server(('127.0.0.1', {port})); time.sleep(600)"
FORK = "import os; os.fork(); "  # the second to listen fails, but holds the group


def daemon(place: Path, port: int, *, before: str = "") -> Daemon:
    """A Python process that listens, after doing something else."""
    code = before + LISTEN.format(port=port).replace("socket.create", "kept = socket.create")
    return Daemon([sys.executable, "-c", code], [port], place / "log")


def test_a_missing_program_skips_and_names_its_package() -> None:
    """The reader of the report learns what to install."""
    with pytest.raises(pytest.skip.Exception, match="install the Debian package some-package"):
        program("no-such-program", "some-package")


async def test_a_daemon_that_ends_at_once_tells_its_last_words(tmp_path: Path) -> None:
    """A wrong configuration is read in the failure, not guessed."""
    with pytest.raises(RuntimeError, match="no such setting"):
        await daemon(tmp_path, free_port(), before="raise SystemExit('no such setting'); ").start()


@pytest.mark.parametrize("before", ["", FORK])
async def test_killed_means_that_nobody_listens_any_more(tmp_path: Path, before: str) -> None:
    """Children go with their parent, and the port is free for the next start."""
    port = free_port()
    async with daemon(tmp_path, port, before=before) as running:
        await running.kill()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await running.start()
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)
