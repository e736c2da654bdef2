"""Where services come from: a process that has imported what they share, and forks.

It is asked by a socket (`postroad.cli.nursery` answers), has one thread and no event loop. Whom it
forks Linux gives to us as a child (`adopt`), as if we had started it ourselves: it ends with us,
its end is told to us, and its number is nobody else's before we have heard of that. So a nursery
may be killed or hang, and no service that runs notices; the next comes from another nursery. A
service begins at our word alone, once we know of it: none runs that we have given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from postroad.runtime import logs
from postroad.runtime.children import adopt, apart

PYTHON = (sys.executable, "-P")  # a folder called `services` where we are must not shadow ours
ENTRY = "postroad.cli.serve"  # the module that runs one service
NURSERY = "postroad.cli.nursery"
ROOM = ("",) * 16  # octets in its command line, for the name of a service in those it forks
PATIENCE = 30.0  # seconds; it answers in some ms, once it has imported


class Adopted:
    """A process that became our child, as asyncio's own: `returncode` is None while it runs,
    negative for a signal. `told`, which can be read once it has ended, is closed then."""

    def __init__(self, pid: int, told: int | None = None) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = os.pidfd_open(pid) if told is None else told
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._told, self._ends)

    def _ends(self) -> None:
        asyncio.get_running_loop().remove_reader(self._told)
        self.returncode = self._code()
        os.close(self._told)
        self._ended.set()

    def _code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, if it has not ended."""
        if self.returncode is None:
            os.kill(self.pid, number)


Process = asyncio.subprocess.Process | Adopted


class Nursery:
    """Starts services that read the settings in the file `config`; see `open`."""

    def __init__(self, config: Path) -> None:
        self._config = str(config)
        self._forks = _possible()  # where not, each service is a Python of its own
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._turn = asyncio.Lock()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, config: Path) -> AsyncIterator[Nursery]:
        """Have one for the length of the block; it imports while we do other things."""
        nursery = cls(config)
        try:
            if nursery._forks:
                with contextlib.suppress(OSError):  # whoever is asked to start will say so
                    nursery._begin()
            yield nursery
        finally:
            nursery._end()

    async def start(self, service: str, output: int) -> Process:
        """Start a service that writes to this open file. Raises OSError where it cannot be."""
        words = (*PYTHON, "-m", ENTRY, service, "--config", self._config)
        if not self._forks:
            return await asyncio.create_subprocess_exec(
                *words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environ(),
                preexec_fn=apart,
            )
        async with self._turn:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._begin()
            waits, go = os.pipe()
            adopt(on=True)
            try:
                born = Adopted(await self._ask(words, output, waits))
                os.write(go, b"!")
            except BaseException:
                self._end()  # whom it has forked ends; of those that were ours a zombie stays
                raise
            finally:
                adopt(on=False)  # orphans of others are none of ours
                os.close(waits)
                os.close(go)
            return born

    async def _ask(self, words: tuple[str, ...], *files: int) -> int:
        """The id of a new process, which is our child and waits at the last file."""
        assert self._requests is not None
        loop = asyncio.get_running_loop()
        try:
            socket.send_fds(self._requests, [msgspec.json.encode(words)], files)
            async with asyncio.timeout(PATIENCE):
                told = await loop.sock_recv(self._requests, 16)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "what it is forked from does not answer") from None
        except ConnectionError:
            told = b""
        if not told:
            raise OSError(errno.ECHILD, "what it is forked from has ended")
        return int(told)

    def _begin(self) -> None:
        self._requests, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.setblocking(False)  # noqa: FBT003
        with its:
            self._process = subprocess.Popen(  # noqa: S603 - our own Python
                (*PYTHON, "-m", NURSERY, "--config", self._config, *ROOM),
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                env=_environ(),
                process_group=0,
            )

    def _end(self) -> None:
        if self._requests is not None:
            self._requests.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._requests = self._process = None


def _environ() -> dict[str, str]:
    return {**os.environ, logs.FORM: logs.form()}


def _possible() -> bool:
    """Whether this system can give us the child of another, and tell us when it ends (Linux)."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return adopt(on=False)
