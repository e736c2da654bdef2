"""Our programs as processes of their own, without the start-up of Python: a third of a second of
processor, which half a thousand services and commands would spend before their first line.

    sender = await start("postroad.cli.serve", "sender", imported=["services.sender.service"], ...)

`start` asks the fork server for a process: a Python that does nothing but fork. For each set of
modules that is asked for it keeps a fork of its own that has imported them, and which then forks.
From there all is as with `python -m MODULE WORDS...`: arguments, environment, directory, output,
exit. Whoever is forked after `begin` shares the server, and what it has imported; it ends when the
last of them does. What it has forked for one who ends is told to end then.
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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from postroad.runtime.children import die_with_parent
from postroad.runtime.leaving import leave
from postroad.runtime.nursery import Adopted

ROOT = Path(__file__).resolve().parents[2]
# What these hold was read from the environment while they were imported.
OF_THE_ENVIRONMENT = ("postroad.runtime.crashpoint",)
PID_OCTETS = 16  # in which an id is told


class Forked(Adopted):
    """A process of the fork server, which tells its exit code by a pipe."""

    def _code(self) -> int:
        return int(os.read(self._told, 16) or -signal.SIGKILL)

    def let_go(self) -> int:
        """It runs on; nobody is told of its end before another Forked is made of what is returned
        and its id."""
        asyncio.get_running_loop().remove_reader(self._told)
        return self._told

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
    stdin: int | None = None,
    cwd: Path | None = None,
) -> Process:
    """Run `python -m module words...`, its output to these open files, its input from `stdin` or
    none; `imported` are modules that it imports anyway. Where `env` tells Python itself another
    thing than ours does, it is started as every Python is; but of more folders to import from it
    learns as it is forked, unless one has something to say at Python's start."""
    if _of_python(env) != OUR_PYTHON or any(map(_at_the_start, _more_folders(env))):
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *words),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            preexec_fn=die_with_parent,
        )
    told, tells = os.pipe()
    with tempfile.TemporaryFile() as request:  # a command line may have a megabyte
        request.write(json.dumps([module, words, dict(env), str(cwd or Path.cwd())]).encode())
        request.seek(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        files = (request.fileno(), nothing if stdin is None else stdin, stdout, stderr, tells)
        try:
            socket.send_fds(begin(), [" ".join(imported).encode()], files)
        finally:
            os.close(nothing)
            os.close(tells)
    pid = await asyncio.to_thread(os.read, told, PID_OCTETS)
    if not pid:
        os.close(told)
        raise RuntimeError("the fork server has ended; it says why above")
    return Forked(int(pid), told)


def _of_python(env: Mapping[str, str]) -> dict[str, str]:
    found = {name: value for name, value in env.items() if name.startswith("PYTHON")}
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):  # no program of ours minds
        found.pop(name, None)
    if set(_folders(OUR_FOLDERS)) <= set(_folders(env.get(FOLDERS, ""))):
        found[FOLDERS] = OUR_FOLDERS
    return found


def _folders(path: str) -> list[str]:
    return [each for each in path.split(os.pathsep) if each]


def _more_folders(env: Mapping[str, str]) -> list[str]:
    return [each for each in _folders(env.get(FOLDERS, "")) if each not in _folders(OUR_FOLDERS)]


def _at_the_start(folder: str) -> bool:
    return any(Path(folder, f"{name}.py").exists() for name in ("sitecustomize", "usercustomize"))


FOLDERS = "PYTHONPATH"
OUR_FOLDERS = os.environ.get(FOLDERS, "")
OUR_PYTHON = _of_python(os.environ)


@functools.cache
def begin() -> socket.socket:
    """Start the server unless it runs; returns where it is asked. A request names the modules; with
    it go five open files: what to run, its input, its output, its errors, and where its id and
    later its end are told."""
    requests, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.peers.forkserver"],
            cwd=ROOT,
            stdin=its.fileno(),
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        requests.close()
        server.wait()

    atexit.register(end)
    return requests


# --- the server ---------------------------------------------------------------------------------


def _asked(requests: socket.socket) -> tuple[str, list[int]]:
    """The next request. Ends this process when nobody is left who could ask."""
    modules, files, *_ = socket.recv_fds(requests, 4096, 5)
    if not modules:
        os._exit(0)  # without what libraries do as Python ends
    return modules.decode(), files


def _fork_for_each_set(requests: socket.socket) -> socket.socket:
    """Pass each request on to a fork for its modules, which is made when first asked for. Returns
    in each of those, with where it is asked, when they are imported."""
    forks: dict[str, socket.socket] = {}
    while True:
        modules, files = _asked(requests)
        if modules not in forks:
            ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            if not os.fork():
                die_with_parent()
                for asked in (requests, ours, *forks.values()):
                    asked.close()
                for file in files:
                    os.close(file)
                for name in modules.split():
                    importlib.import_module(name)
                return its
            its.close()
            forks[modules] = ours
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has said why
            socket.send_fds(forks[modules], [modules.encode()], files)
        for file in files:
            os.close(file)


def _fork_for(requests: socket.socket) -> tuple[str, list[str]]:
    """Fork for every request, and tell of every end. Returns in each child, with what it is to
    run."""
    tells: dict[int, int] = {}
    ends, woken = os.pipe()  # a signal that comes as we begin to wait must wake us as well
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.freeze()  # so that the collector of a child leaves our pages shared
    news = select.poll()
    news.register(ends, select.POLLIN)
    news.register(requests, select.POLLIN)
    while True:
        ready = {file for file, _ in news.poll()}
        for file in ready & tells.keys():  # nobody is left to be told
            news.unregister(file)
            os.kill(tells[file], signal.SIGTERM)
        if ends in ready:
            os.read(ends, 4096)
            for file in _tell(tells):
                with contextlib.suppress(KeyError):  # of whom nobody wants to hear
                    news.unregister(file)
                os.close(file)
        if requests.fileno() in ready:
            request, *streams, tells_end = files = _asked(requests)[1]
            if not (pid := os.fork()):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                with os.fdopen(request, closefd=False) as file_of_request:
                    told = json.load(file_of_request)
                for number, file in enumerate(streams):
                    os.dup2(file, number)
                # what was opened on the server's, perhaps a file, would seek in a pipe
                sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
                for file in (*files, *tells, ends, woken):
                    os.close(file)
                requests.close()
                return _become(*told)
            with contextlib.suppress(BrokenPipeError):
                os.write(tells_end, str(pid).ljust(PID_OCTETS).encode())
            tells[tells_end] = pid
            news.register(tells_end, 0)
            for file in (request, *streams):
                os.close(file)


def _tell(tells: dict[int, int]) -> Iterator[int]:
    """Of all that have ended; gives where."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            (file,) = (each for each, pid in tells.items() if pid == ended[0])
            with contextlib.suppress(BrokenPipeError):
                os.write(file, str(os.waitstatus_to_exitcode(ended[1])).encode())
            del tells[file]
            yield file


def _become(module: str, words: list[str], env: dict[str, str], cwd: str) -> tuple[str, list[str]]:
    die_with_parent()
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None  # it is read from there
    os.chdir(cwd)
    sys.path[0] = cwd  # as with -m
    sys.path[1:1] = _more_folders(env)
    for name in OF_THE_ENVIRONMENT:
        if name in sys.modules:
            importlib.reload(sys.modules[name])
    return module, words


def main() -> None:
    """Fork until told to stop; in a child, be the program that was asked for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    module, words = _fork_for(_fork_for_each_set(requests))
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):  # else Python says what it is
            leave(ended.code or 0)
        raise


if __name__ == "__main__":
    main()
