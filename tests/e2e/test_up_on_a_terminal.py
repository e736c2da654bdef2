"""`postroad up` on a terminal: a display below, log lines above it."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.e2e.installation import COMMAND, PATIENCE, Installation

pytestmark = pytest.mark.e2e
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_the_display_is_not_torn_and_one_ctrl_c_drains(tmp_path: Path) -> None:
    """It shows every stage and its state; log lines of services stand whole on lines of
    their own; one SIGINT lets all finish, and the display goes with the last of them."""
    with Installation.at(tmp_path, mail=False) as ours:
        ours_end, its_end = pty.openpty()
        words = [*COMMAND, "up", "--only", "janitor", "--config", str(ours.config)]
        process = subprocess.Popen(
            words,
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(its_end)
        seen, ready = "", threading.Event()

        def look() -> None:
            nonlocal seen
            try:
                while data := os.read(ours_end, 65536):
                    seen += CONTROL.sub("", data.decode(errors="replace"))
                    if "Ctrl-C stops" in seen:
                        ready.set()
            except OSError:  # the other end is closed
                return

        looking = threading.Thread(target=look)
        looking.start()
        try:
            assert ready.wait(PATIENCE), seen
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0, seen
        finally:
            process.kill()
            looking.join(PATIENCE)
            os.close(ours_end)
        lines = [line.strip() for line in seen.splitlines()]
        assert any(line.startswith("janitor ") for line in lines), seen
        for event, service in (("ready", "janitor"), ("stopped", "janitor")):
            whole = rf"\S+Z \[info +\] service\.{event} +service={service}"
            assert any(re.fullmatch(whole, line) for line in lines), seen
        assert lines[-1].endswith("service=supervisor") or not lines[-1]
