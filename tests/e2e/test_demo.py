"""`postroad demo` as a stranger meets it: it works, or it says why not, and it leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import smtplib
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from postroad.cli.demo.inbox import mails
from postroad.cli.demo.joining import is_notice
from postroad.runtime.config import Config
from tests.e2e.system import COMMANDS, Result, postroad, until
from tests.peers import forkserver
from tests.peers.forkserver import Process

pytestmark = pytest.mark.e2e

LATER = (  # what a demo imports as it begins
    *(f"postroad.cli.demo.{name}" for name in ("contact", "installation", "journey", "page")),
    "postroad.sandbox",
)
MAIL = "From: bjorn@example.net\r\nTo: team@lists.example.org\r\nSubject: hello\r\n\r\nHello.\r\n"


def commands(home: Path) -> dict[int, str]:
    """The command lines, by process id, that name something below `home`."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if f"{home}/" in line:
                found[int(entry.name)] = line
    return found


def entries(folder: Path) -> list[str]:
    """The names of what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


@dataclass
class Demo:
    """A demo under way in its folder `home`."""

    process: Process
    home: Path
    out: IO[str]
    err: IO[str]

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, tmp: Path, *words: str) -> AsyncIterator[Demo]:
        """Run `postroad demo` in a temporary folder below `tmp`; killed where it does not end."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = await _started(tmp, words, out, err)

            async def settings() -> bool:
                assert process.returncode is None
                return any("postroad.toml" in line for line in commands(tmp).values())

            try:
                await until(settings, "`postroad up` runs")
                (name,) = entries(tmp)
                yield cls(process, tmp / name, out, err)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def answer(self) -> Any:
        """The JSON it prints, while it may go on running."""

        async def printed() -> bool:
            return _said(self.out).endswith("}\n") or self.process.returncode is not None

        await until(printed, "the demo prints its report")
        return json.loads(_said(self.out))

    async def end(self) -> Result:
        """Its end, and what it said."""
        code = await asyncio.wait_for(self.process.wait(), 60)
        return Result(code, _said(self.out), _said(self.err))

    def up(self) -> int:
        """The process id of its `postroad up`."""
        (pid,) = (pid for pid, line in commands(self.home).items() if "postroad.cli up" in line)
        return pid


async def _started(tmp: Path, words: Sequence[str], out: IO[str], err: IO[str]) -> Process:
    return await forkserver.start(
        *("postroad.cli", "demo", *words),
        imported=(*COMMANDS, *LATER),
        env={**os.environ, "TMPDIR": str(tmp), "POSTROAD_RELAY__0__HOST": "smtp.example.org"},
        stdout=out.fileno(),
        stderr=err.fileno(),
    )


def _said(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


async def test_one_command_shows_three_copies(tmp_path: Path) -> None:
    """It exits with 0 when three members, one of whom joined by mail, have one unaltered copy
    each, prints nothing but JSON, whatever settings the environment holds, and leaves no process
    and no file."""
    async with Demo.start(tmp_path, "--json") as demo:
        done = await demo.end()
    assert done.code == 0, done.err
    report = done.json
    assert (report["expected"], report["delivered"], report["duplicates"]) == (3, 3, 0)
    assert 0 < report["seconds"] < 30
    assert len(report["trace"]) == 32
    assert report["problems"] == []
    assert report["joined"] == "chloe@example.net"
    assert len({copy["return_path"] for copy in report["copies"]}) == 3
    assert all(copy["body_identical"] for copy in report["copies"])
    assert done.err == ""
    assert commands(tmp_path) == {}
    assert entries(tmp_path) == []


async def test_a_kept_demo_serves_clients_and_commands(tmp_path: Path) -> None:
    """With --keep a mail client can post and read, commands work against its settings, and
    Ctrl-C ends it in order."""
    async with Demo.start(tmp_path, "--keep", "--json") as demo:
        contact = (await demo.answer())["contact"]
        host, imap, users = contact["host"], contact["imap_port"], contact["users"]
        with smtplib.SMTP(host, contact["smtp_port"]) as smtp:
            smtp.sendmail("bjorn@example.net", [contact["list"]], MAIL)

        async def everybody_has_it() -> bool:
            members = [user for user in users if user.endswith("@example.net")]
            inboxes = [
                await asyncio.to_thread(mails, host, imap, user, users[user]) for user in members
            ]
            posts = [[mail for mail in inbox if not is_notice(mail)] for inbox in inboxes]
            return [len(own) for own in posts] == [2, 2, 2]

        await until(everybody_has_it, "a second post reaches everybody")
        shown = await postroad("status", "--config", contact["config"])
        assert shown.code == 0, shown.out
        demo.process.send_signal(signal.SIGINT)
        assert (await demo.end()).code == 0
        assert commands(tmp_path) == {}
        assert "postroad.toml" in entries(demo.home)


async def test_an_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle ends every process and removes the folder."""
    async with Demo.start(tmp_path) as demo:
        demo.process.send_signal(signal.SIGINT)
        assert (await demo.end()).code == 130
        assert commands(tmp_path) == {}
        assert entries(tmp_path) == []


async def test_a_postroad_that_dies_is_reported(tmp_path: Path) -> None:
    """When `postroad up` is killed, the demo says so, names the log and fails."""
    async with Demo.start(tmp_path, "--json") as demo:
        os.kill(demo.up(), signal.SIGKILL)
        done = await demo.end()
        assert done.code == 1
        assert done.json["problems"] == ["`postroad up` was ended by SIGKILL"]
        assert "`postroad up` was ended by SIGKILL" in done.err
        assert str(demo.home / "postroad.log") in done.err
        assert "Traceback" not in done.err

        async def gone() -> bool:
            return not commands(tmp_path)

        await until(gone, "its services have ended")


async def test_mail_too_much_is_reported(tmp_path: Path) -> None:
    """A member with two mails fails the demo: it names the member and counts a duplicate."""
    async with Demo.start(tmp_path, "--json") as demo:
        relay = Config.load(demo.home / "postroad.toml", {}).relay[0]
        with smtplib.SMTP(relay.host, relay.port) as smtp:
            smtp.sendmail("anna@example.net", ["bjorn@example.net"], MAIL)
        report = await demo.answer()
        done = await demo.end()
        assert done.code == 1
        assert (report["delivered"], report["duplicates"]) == (3, 1)
        assert "bjorn@example.net has 2 copies instead of one" in report["problems"]
        assert "bjorn@example.net has 2 copies instead of one" in done.err
        assert report["home"] == str(demo.home)


async def test_a_folder_that_will_not_do_is_refused(tmp_path: Path) -> None:
    """A folder with something in it is left alone, and a place that is no folder is named."""
    file = tmp_path / "file"
    file.write_text("precious")
    for folder, code in ((tmp_path, 2), (file / "below", 1)):
        done = await postroad("demo", "--state", str(folder))
        assert done.code == code
        assert done.err.startswith(f"postroad: {folder}")
        assert len(done.err.splitlines()) == 1
    assert entries(tmp_path) == ["file"]
