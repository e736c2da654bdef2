"""A service that cannot start, under `postroad up` as systemd runs it."""

from __future__ import annotations

import queue
import socket
import threading
from pathlib import Path

import pytest

from postroad.runtime.condition import Status
from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e


class Systemd:
    """Listens as systemd does: at once, for its queue is short."""

    def __init__(self, place: Path) -> None:
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(str(place))
        self._told: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            self._told.put(self._end.recv(4096).decode())

    def hears(self, words: str) -> str:
        """What it is told, up to a datagram with these words."""
        told = ""
        while words not in told:
            told += self._told.get(timeout=60) + "\n"
        return told


def test_it_is_told_everywhere_and_runs_once_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five deaths in a row are told in status, log and alarm, with its last words; systemd's start
    does not wait for it, while all else runs; mended, it runs by itself."""
    letter = tmp_path / "alarms"
    alarm = f'[alarm]\ncommand = "tee -a {letter}"\n'
    systemd = Systemd(tmp_path / "notify")
    with Installation.at(tmp_path, mail=False, settings=alarm) as ours:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        wrong = tmp_path / "state" / "roster.duckdb"
        wrong.mkdir(parents=True)
        (wrong.parent).chmod(0o700)
        with ours.up(ready=False, only=("membership",)) as up:
            monkeypatch.delenv("NOTIFY_SOCKET")
            up.says("service.crash_looping")
            up.says("1 service, but membership keeps dying")
            told = systemd.hears("READY=1")
            assert "STATUS=membership keeps dying" in told
            systemd.hears("WATCHDOG=1")
            (problem,) = (
                each
                for each in ours.status()["problems"]
                if each.startswith("membership keeps dying (the last time it ended with exit code ")
            )
            assert "roster.duckdb" in problem
            while not letter.exists():  # who stands in for the monitor looks every 5 s
                systemd.hears("WATCHDOG=1")
            assert "membership: keeps dying (the last time it" in letter.read_text()
            wrong.rmdir()

            def back(found: Status) -> bool:
                (stage,) = (each for each in found.stages if each.stage == "membership")
                return stage.state == "healthy" and stage.restarts >= 5

            ours.until(back, "it runs again by itself")
            assert up.stop() == 0
            systemd.hears("STOPPING=1")
