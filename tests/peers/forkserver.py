"""Our programs as processes of their own, without the start-up of Python: a third of a second of
processor, which half a thousand services and commands would spend before their first line.

    sender = await start("postroad.cli.serve", "sender", imported=["services.sender.service"], ...)

`start` asks a fork server for a process: a Python that has imported those modules and does nothing
but fork. From there all is as with `python -m MODULE WORDS...`: arguments, environment, directory,
output, exit. `-m tests.peers.forkserver MODULES...` is the server; it ends when whoever started it
does, and what it has forked is told to end then (`die_with_parent`).
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from postroad.runtime.children import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
# What these hold was read from the environment while they were imported.
OF_THE_ENVIRONMENT = ("postroad.runtime.crashpoint",)


class Forked:
    """A process, as asyncio's own: `returncode` is None while it runs, negative for a signal."""

    def __init__(self, pid: int, told: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(told, self._ends)

    def _ends(self) -> None:
        asyncio.get_running_loop().remove_reader(self._told)
        self.returncode = int(os.read(self._told, 16) or -signal.SIGKILL)
        os.close(self._told)
        self._ended.set()

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it. Raises ProcessLookupError when it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


Process = asyncio.subprocess.Process | Forked


async def start(
    module: str,
    *words: str,
    imported: Sequence[str],
    env: Mapping[str, str],
    stdout: int,
    stderr: int,
    cwd: Path | None = None,
) -> Process:
    """Run `python -m module words...`, its output to these open files; `imported` are modules that
    it imports anyway. Where `env` tells Python itself another thing than ours does, it is started
    as every Python is."""
    if _of_python(env) != OUR_PYTHON:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *words),
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            preexec_fn=die_with_parent,
        )
    server = _server(tuple(imported))
    told, tells = os.pipe()
    with tempfile.TemporaryFile() as request:  # a command line may have a megabyte
        request.write(json.dumps([module, words, dict(env), str(cwd or Path.cwd())]).encode())
        request.seek(0)
        files = (request.fileno(), stdout, stderr, tells)
        try:
            pid = await asyncio.to_thread(server.fork, files)
        finally:
            os.close(tells)
    return Forked(pid, told)


def _of_python(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith("PYTHON")}


OUR_PYTHON = _of_python(os.environ)


class _Server:
    """A running fork server, which one thread at a time may ask."""

    def __init__(self, imported: Sequence[str]) -> None:
        self._requests, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.peers.forkserver", *imported],
                cwd=ROOT,
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def fork(self, files: Sequence[int]) -> int:
        """The id of a new process: of `files` the first says which, then come its output, its
        errors, and where its end is told. Raises RuntimeError where the server has ended."""
        with self._lock:
            socket.send_fds(self._requests, [b"fork"], files)
            pid = self._requests.recv(16)
        if not pid:
            raise RuntimeError("a fork server has ended; it says why above")
        return int(pid)

    def close(self) -> None:
        """Have it end."""
        self._requests.close()
        self._process.wait()


_server = functools.cache(_Server)  # one for each set of modules, started when first asked


# --- the server ---------------------------------------------------------------------------------


def _fork_for(requests: socket.socket) -> tuple[str, list[str]]:
    """Fork for every request, and tell of every end. Returns in each child, with what it is to run;
    ends the server when nobody is left who could ask."""
    tells: dict[int, int] = {}
    ends, woken = os.pipe()  # a signal that comes as we begin to wait must wake us as well
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # so that the collector of a child leaves our pages shared
    while True:
        for ready in select.select([ends, requests.fileno()], [], [])[0]:
            if ready == ends:
                os.read(ends, 4096)
                _tell(tells)
                continue
            asked, files, *_ = socket.recv_fds(requests, 16, 4)
            if not asked:
                os._exit(0)  # without what libraries do as Python ends
            request, out, err, tells_end = files
            if not (pid := os.fork()):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                with os.fdopen(request, closefd=False) as file_of_request:
                    told = json.load(file_of_request)
                os.dup2(out, 1)
                os.dup2(err, 2)
                for file in (*files, *tells.values(), ends, woken):
                    os.close(file)
                requests.close()
                return _become(*told)
            tells[pid] = tells_end
            for file in (request, out, err):
                os.close(file)
            requests.send(str(pid).encode())


def _tell(tells: dict[int, int]) -> None:
    """Of all that have ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            with contextlib.suppress(BrokenPipeError):
                os.write(tells[pid], str(os.waitstatus_to_exitcode(status)).encode())
            os.close(tells.pop(pid))


def _become(module: str, words: list[str], env: dict[str, str], cwd: str) -> tuple[str, list[str]]:
    die_with_parent()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[0] = cwd  # as with -m
    for name in OF_THE_ENVIRONMENT:
        if name in sys.modules:
            importlib.reload(sys.modules[name])
    return module, words


def main() -> None:
    """Import what was named, fork until told to stop; in a child, be that program."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    with socket.socket(fileno=os.dup(0)) as requests:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        module, words = _fork_for(requests)
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):  # else Python says what it is
            _end(ended.code or 0)
        raise


def _end(code: int) -> None:
    """As Python ends, but what was imported is not taken down object by object, which costs more
    than most commands do."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
