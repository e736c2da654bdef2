"""Processes of the fork server are what `python -m` makes of the same words."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.peers import forkserver

PROGRAM = """
import os, signal, sys, tempfile
from postroad.runtime.crashpoint import crashpoint
print(__name__, sys.argv[1:], os.getcwd(), sorted(os.environ.items()), sys.stdin.read())
print([path for path in sys.path if path], tempfile.gettempdir())
print(os.isatty(1), os.getppid() != os.getpid(), len(os.listdir("/proc/self/fd")))
print("wrong", file=sys.stderr)
crashpoint("here")
sys.exit(7)
"""


@pytest.mark.parametrize("crashpoint", ["", "here:1"])
async def test_as_python_does_it(tmp_path: Path, crashpoint: str) -> None:
    """Arguments, directory, environment, open files, input, output and end are the same, and where
    modules come from, also where the environment names more such folders than ours."""
    (tmp_path / "program.py").write_text(PROGRAM)
    env = {**os.environ, "POSTROAD_CRASHPOINT": crashpoint, "TMPDIR": str(tmp_path)}
    if crashpoint:
        ours = os.environ.get("PYTHONPATH", "")
        env["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "more"), *filter(None, [ours])])
    argv = [sys.executable, "-m", "program", "two", "words", "x" * 100_000]
    wanted = await asyncio.to_thread(
        lambda: subprocess.run(
            argv, cwd=tmp_path, env=env, input=b"typed", capture_output=True, check=False
        )
    )
    assert wanted.returncode == (-9 if crashpoint else 7)
    with (
        tempfile.TemporaryFile() as typed,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        typed.write(b"typed")
        typed.seek(0)
        process = await forkserver.start(
            *argv[2:],
            imported=["postroad.runtime.crashpoint"],
            env=env,
            cwd=tmp_path,
            stdin=typed.fileno(),
            stdout=out.fileno(),
            stderr=err.fileno(),
        )
        assert await process.wait() == process.returncode == wanted.returncode
        out.seek(0)
        err.seek(0)
        assert (out.read(), err.read()) == (wanted.stdout, wanted.stderr)
    with pytest.raises(ProcessLookupError):
        process.kill()


async def test_nothing_outlives_who_wanted_it(tmp_path: Path) -> None:
    """A process is told to end when nobody is left who could hear of its end; others go on sharing
    the server."""
    (tmp_path / "endless.py").write_text("import time; print('runs', flush=True); time.sleep(600)")
    for _ in range(2):
        told, tells = os.pipe()
        output, out = os.pipe()
        with tempfile.TemporaryFile() as request:
            request.write(json.dumps(["endless", [], dict(os.environ), str(tmp_path)]).encode())
            request.seek(0)
            socket.send_fds(forkserver.begin(), [b"json"], (request.fileno(), 0, out, out, tells))
        os.close(tells)
        os.close(out)
        with os.fdopen(output) as said:
            assert said.readline() == "runs\n"
            os.close(told)
            assert said.read() == ""
