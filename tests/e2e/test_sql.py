"""SQL on a running system: from the command line, and at the prompt of a real terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tests.e2e.system import PATIENCE, System

LIST = "team@example.org"


class Terminal:
    """A terminal with `postroad sql` in it."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.seen = ""

    def type(self, text: str, wanted: str, *, again: bool = False) -> str:
        """Type, and wait until this pattern is shown; what was shown up to it. With `again`, type
        it until then."""
        os.write(self.file, text.encode())
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(wanted, self.seen)) is None:
            assert time.monotonic() < deadline, f"{wanted!r} is not in {self.seen[-2000:]!r}"
            if not select.select([self.file], [], [], 1.0)[0]:
                os.write(self.file, text.encode() if again else b"")
            else:
                self.seen += os.read(self.file, 65536).decode(errors="replace")
        shown, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return shown


def _sit_down() -> None:
    """This terminal is ours, and Ctrl-C is heard, though whoever runs the tests does not."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def terminal(road: System, state: Path) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "postroad.cli", "sql", "--config", str(road.config)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_sit_down,  # noqa: PLW1509 - Ctrl-C is a signal
        env={
            **os.environ,
            "TERM": "xterm",
            "COLUMNS": "100",
            "XDG_STATE_HOME": str(state),
            "PROMPT_TOOLKIT_NO_CPR": "1",
        },
    )
    os.close(theirs)
    try:
        yield Terminal(ours), program
    finally:
        program.kill()
        program.wait()
        os.close(ours)


def converse(road: System, state: Path) -> None:
    with terminal(road, state) as (screen, program):
        screen.type("", r"As of .* UTC")
        screen.type(".tables\n", "deliveries[\\s\\S]*threads")
        screen.type(".schema lists\n", "display_name")
        screen.type("select address,\n", "->")  # goes on until there is a semicolon
        screen.type("count(*) from lists group by all;\n", rf"{re.escape(LIST)} +1")
        screen.type("select count(*) + 40 from membership_e\t", "vents")
        screen.type(";\n", r"\b42\b")
        screen.type("drop table list_events;\n", "refused: this is a copy to read")
        endless = "select max(a.range + b.range) from range(1000000) a, range(1000000) b;\n"
        screen.type(endless, r"\x1b\[\?2004l")  # no input is wanted: it runs
        screen.type("\x03", r"\x1b\[\?2004h", again=True)
        screen.type(".nothing\n", "there is no .nothing")
        screen.type(".refresh\n", r"As of .* UTC")
        screen.type("select 41 + 1;\n", r"\b42\b[\s\S]*\x1b\[\?2004h")
        screen.type("\x04", r"\x1b\[\?2004l")
        assert program.wait(PATIENCE) == 0
    history = state / "postroad" / "sql_history"
    assert "drop table" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


async def test_questions_in_sql(tmp_path: Path) -> None:
    """A copy is made where there is none, or a fresh one is asked for; answers have a form for
    programs; limits hold for the whole process; and somebody can sit there and ask."""
    async with System.start(tmp_path, "", services=("membership", "projector")) as road:
        await road.make_list(LIST, ["anna@example.net", "bob@example.net"])
        found = await road.cli("sql", "--fresh", "--json", "select address, members from lists")
        assert (found.code, found.json) == (0, [{"address": LIST, "members": 2}]), found.err

        large = await road.cli("sql", "select length(repeat('x', 2000000000))", "--memory", "64MB")
        assert (large.code, large.out) == (1, "")
        assert large.err.startswith("postroad: the query needs more than 64 MB of memory")
        wrong = await road.cli("sql", "copy lists to '/tmp/x'", "--json")
        assert wrong.code == 1
        assert "may touch no file" in wrong.json["error"]

        copy = tmp_path / "state" / "analytics"
        with duckdb.connect() as anybody:
            pattern = copy / "parquet" / "membership_events" / "*.parquet"
            sql = f"select count(*) from read_parquet('{pattern}')"
            assert anybody.execute(sql).fetchall() == [(2,)]
        await asyncio.to_thread(converse, road, tmp_path / "user")

        await road.stop("projector")
        (copy / "postroad.duckdb").unlink()
        away = await road.cli("sql", "from about")
        assert away.code == 1
        assert "no projector answers" in away.err
        assert "`postroad up` starts it" in away.err
