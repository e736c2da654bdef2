"""A peer's process: where its program is, who runs it, when it is ready, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.peers import forkserver

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/postfix/sbin:/usr/libexec/postfix"
# Below the ports that Linux gives to outgoing connections.
NEVER_EPHEMERAL = range(12_000, 32_000)


def program(name: str, package: str) -> str:
    """The path of a program; skips the test where it is missing, naming the package."""
    path = shutil.which(name) or shutil.which(name, path=SBIN)
    if path is None:
        pytest.skip(f"{name} is missing: install the Debian package {package}")
    return path


@functools.cache
def _ports() -> Iterator[int]:
    """Each once and again, in an order that no other process has."""
    return itertools.cycle(random.sample(NEVER_EPHEMERAL, len(NEVER_EPHEMERAL)))


os.register_at_fork(after_in_child=_ports.cache_clear)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago, and that this process has
    not named for thousands of calls. The kernel's own choice (port 0) would be named twice
    in a row now and then, and handed to any connection that leaves meanwhile."""
    for port in _ports():
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports are an endless circle")


def unprivileged() -> pwd.struct_passwd:
    """Who runs the daemons that refuse root: nobody when we are root, else ourselves."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def own(path: Path) -> None:
    """Give everything under `path` to `unprivileged()`; does nothing unless we are root."""
    if os.getuid() != 0:
        return
    user = unprivileged()
    for place in (path, *path.rglob("*")):
        os.chown(place, user.pw_uid, user.pw_gid)


@contextlib.contextmanager
def directory(name: str) -> Iterator[Path]:
    """A temporary directory every user may enter (pytest's is for its owner only), short
    enough for socket paths (at most 107 octets)."""
    place = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _as(user: pwd.struct_passwd | None) -> list[str]:
    """Before a command line: that user, and gone when the test is. A `preexec_fn` would say the
    same, but has Python copy itself (fork) for each: 15 ms of processor for every 300 MB."""
    words = [program("setpriv", "util-linux"), "--pdeathsig", "TERM"]
    if user is not None:
        words += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return [*words, "--"]


async def until(
    holds: Callable[[], Awaitable[bool]], seconds: float = 60.0, every: float = 0.01
) -> None:
    """Wait for a state of another process that nothing announces, looking `every` so many
    seconds. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(every)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@dataclass
class Daemon:
    """A server in the foreground, in a session of its own; ready when it takes connections on
    `ports`. `log` collects its output. With `drop` root becomes `unprivileged()` first. With
    `module` it is this one of ours, forked (`forkserver`), and `argv` are its words."""

    argv: Sequence[str]
    ports: Sequence[int]
    log: Path
    drop: bool = False
    cwd: Path | None = None
    module: str = ""
    process: forkserver.Process | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The process id. Raises AssertionError before the first start."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Start and wait until ready. Raises RuntimeError with the log when it ends instead."""
        with self.log.open("ab") as log:
            self.process = await (self._forked if self.module else self._executed)(log.fileno())
        try:
            await until(self._ready, READY_SECONDS)
        except TimeoutError:
            await self.kill()
            raise RuntimeError(
                f"{self.module or self.argv[0]} is not ready: {self.words()}"
            ) from None
        except BaseException:  # what has ended by itself may have left children
            await self.kill()
            raise

    async def _forked(self, log: int) -> forkserver.Process:
        return await forkserver.start(
            *(self.module, *self.argv),
            imported=[self.module],
            env=dict(os.environ),
            cwd=self.cwd,
            stdout=log,
            stderr=log,
        )

    async def _executed(self, log: int) -> forkserver.Process:
        user = unprivileged() if self.drop and os.getuid() == 0 else None
        return await asyncio.create_subprocess_exec(
            *_as(user),
            *self.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.cwd,
            start_new_session=True,
        )

    async def _ready(self) -> bool:
        assert self.process is not None
        if self.process.returncode is not None:
            raise RuntimeError(f"{self.module or self.argv[0]} did not start: {self.words()}")
        return all([await _listens(port) for port in self.ports])

    async def _gone(self) -> bool:
        return not any([await _listens(port) for port in self.ports])

    async def stop(self) -> None:
        """SIGTERM and wait; SIGKILL for the whole session when that does not help."""
        await self._end(signal.SIGTERM, STOP_SECONDS)

    async def kill(self) -> None:
        """SIGKILL for the whole session, as `kill -9` or a power cut would."""
        await self._end(signal.SIGKILL, 0)

    async def _end(self, number: signal.Signals, patience: float) -> None:
        if self.process is None:
            return
        if self.process.returncode is None and patience:
            self.process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), patience)
        with contextlib.suppress(ProcessLookupError):
            if self.module:
                self.process.kill()
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await until(self._gone, STOP_SECONDS)  # a child may hold a socket a moment longer

    def words(self) -> str:
        """The end of the log."""
        return self.log.read_text("utf-8", "replace")[-2000:] if self.log.exists() else ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.kill()  # nothing of it is kept, and Dovecot takes a second to leave
