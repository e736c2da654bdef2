"""Postroad as an operator runs it: one settings file, `postroad up`, and the command.

with Installation.at(tmp_path) as ours, ours.up() as up:
    ours.until(lambda found: found.state == "healthy", "healthy")
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postroad.runtime.condition import Status
from postroad.runtime.config import Config
from postroad.runtime.status import status
from tests.e2e.system import ROAD, pause, postroad

PATIENCE = 60.0  # seconds that anything may take on a busy machine
COMMAND = (sys.executable, "-m", "postroad.cli")
LISTS, SECRET = "lists@example.org", "sesame"


@dataclass
class Up:
    """A running `postroad up`. `lines` is all it and its services have said so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def listen(self) -> None:
        """Collect what it says until it ends; runs in a thread."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def says(self, words: str) -> None:
        """Wait for a line with these words."""
        with self._news:
            heard = self._news.wait_for(
                lambda: (
                    any(words in line for line in self.lines) or self.process.poll() is not None
                ),
                PATIENCE,
            )
            assert heard, f"it never said {words!r}: {self.log}"
            assert any(words in line for line in self.lines), f"it ended: {self.log}"

    @property
    def log(self) -> str:
        """All it has said."""
        return "".join(self.lines)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the supervisor alone; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@dataclass
class Installation:
    """A settings file of its own, and a sandbox mail server where `mail` is on."""

    home: Path
    config: Path
    sandbox: dict[str, int]

    @classmethod
    @contextlib.contextmanager
    def at(cls, home: Path, *, mail: bool = True, settings: str = "") -> Iterator[Installation]:
        """Write settings with one source and one relay: a sandbox, or with `mail` off a port
        where nobody listens."""
        with contextlib.ExitStack() as stack:
            ports = stack.enter_context(_sandbox()) if mail else {"imap_port": 1, "smtp_port": 1}
            (home / "password").write_text(SECRET)
            (home / "password").chmod(0o600)
            config = home / "postroad.toml"
            config.write_text(
                '[site]\ndomain = "lists.example.org"\nstate_dir = "state"\n'
                '[[source]]\nname = "home"\nhost = "127.0.0.1"\ntls = "none"\n'
                f'port = {ports["imap_port"]}\nuser = "{LISTS}"\npassword_file = "password"\n'
                'recipient_headers = ["Delivered-To"]\n'
                '[[relay]]\nname = "out"\nhost = "127.0.0.1"\ntls = "none"\n'
                f"port = {ports['smtp_port']}\n{settings}"
            )
            yield cls(home, config, ports)

    @contextlib.contextmanager
    def up(self, *, ready: bool = True, only: Sequence[str] = ROAD) -> Iterator[Up]:
        """Run `postroad up` for the length of the block, in a process group of its own: the road,
        or `only` these services, or with `only` empty everything that an operator gets."""
        process = subprocess.Popen(
            [*COMMAND, "up", *(f"--only={name}" for name in only), "--config", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        up = Up(process)
        listener = threading.Thread(target=up.listen)
        listener.start()
        try:
            if ready:
                up.says("Postroad is running")
            yield up
        finally:
            if process.poll() is None:
                process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)
            listener.join(PATIENCE)
            assert process.stdout is not None
            process.stdout.close()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        words = self.command(*arguments)
        done = asyncio.run(postroad(*words[len(COMMAND) :]))
        return subprocess.CompletedProcess(words, done.code, done.out, done.err)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a command."""
        return [*COMMAND, *arguments, "--config", str(self.config)]

    def json(self, *arguments: str) -> Any:
        """The answer of a command that succeeds."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def shows(self, words: str, *arguments: str) -> str:
        """Run a command until its answer has these words in it; returns the answer."""
        began = time.monotonic()
        while words not in (done := self.run(*arguments)).stdout:
            waited = time.monotonic() - began
            assert waited < PATIENCE, f"never {words!r}: {done.stdout}{done.stderr}"
            time.sleep(pause(waited))
        return done.stdout

    def status(self) -> Any:
        """What `postroad status` says now; its exit code must agree."""
        done = self.run("status", "--json")
        found = json.loads(done.stdout)
        assert done.returncode == ["healthy", "degraded", "down"].index(found["state"]), done
        return found

    def until(self, holds: Callable[[Status], bool], what: str) -> Status:
        """Look until it holds; fails saying `what` did not come true."""
        settings = Config.load(self.config, {})

        async def look() -> Status:
            began = time.monotonic()
            while not holds(found := await asyncio.wait_for(status(settings), PATIENCE)):
                last[:] = [found]
                if time.monotonic() - began > PATIENCE:
                    raise TimeoutError
                await asyncio.sleep(pause(time.monotonic() - began, least=0.05))
            return found

        last: list[Status] = []
        try:
            return asyncio.run(look())
        except TimeoutError:
            raise AssertionError(f"not in time: {what}; last {last}") from None

    def processes(self, word: str = "") -> list[int]:
        """Process ids of this installation whose command line has `word` in it."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                    if any(str(self.home) in one for one in words) and word in " ".join(words):
                        found.append(int(entry.name))
        return found

    def gone(self) -> bool:
        """Whether no process of this installation is left, within PATIENCE."""
        began = time.monotonic()
        while self.processes():
            waited = time.monotonic() - began
            if waited > PATIENCE:
                return False
            time.sleep(pause(waited))
        return True


def pid_of(found: Status, stage: str) -> int:
    """The process id of the one instance of a service; 0 where it does not answer."""
    (instances,) = (one.instances for one in found.stages if one.stage == stage)
    return instances[0].pid if instances else 0


@contextlib.contextmanager
def _sandbox() -> Iterator[dict[str, int]]:
    with subprocess.Popen(
        [sys.executable, "-m", "postroad.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        accounts = {LISTS: SECRET, "ann@example.net": SECRET, "bob@example.net": SECRET}
        request = {"accounts": accounts, "addresses": {"@lists.example.org": LISTS}}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
