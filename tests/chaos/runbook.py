"""A page of docs/operators for what is broken, and an operator who follows it.

operator = Operator(here, webhook)
notice = await operator.told("disk")                  # the alarm; its page leads to ours
page = operator.lands("disk-nearly-full", notice)
await operator.follow(page, DO)                       # each command, in order, as it stands there
await operator.knows(page)                            # that it is well

The machine is ours in the place of theirs: `systemctl` starts and stops `postroad up`,
/var/lib/postroad, /etc/postroad and /mnt/backups lie in the folder of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

from postroad.alarms import Notice
from tests.architecture.documents import OPERATORS, Document, code
from tests.chaos.underway import Underway, underway
from tests.e2e.installation import COMMAND
from tests.e2e.system import until
from tests.peers.httpscript import HttpScript
from tests.peers.tokens import TokenServer

DO, KNOW = "What to do", "How you know that it is well"
SECONDS = 180.0  # that a command, or an alarm, may take
ASKING = re.compile(r"postroad (restore|resume)\b(?!.*--dry-run)")  # what asks on a terminal
STARTED = re.compile(r"^Postroad (is running|does not go on)", re.MULTILINE)
LOGIN_PAGE = re.compile(r"(https?://\S+/authorize\?\S+)")

Said = Mapping[str, subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Page:
    """A page of the runbook."""

    document: Document

    @classmethod
    def named(cls, name: str) -> Page:
        """The page in docs/operators/NAME.md."""
        return cls(Document(OPERATORS / f"{name}.md"))

    def blocks(self, part: str) -> list[list[str]]:
        """The command lines of each fenced block of a part, in order."""
        text = self.document.text.partition(f"## {part}\n")[2].partition("\n## ")[0]
        found = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
        return [[line.strip() for line in block.splitlines() if line.strip()] for block in found]

    def symptoms(self, words: str) -> list[str]:
        """The lines below "What you see" that stand in what is read, in status or an alarm."""
        lines = [span for span in code(self.document.section("What you see")) if " " in span]
        return [line for line in lines if re.search(_pattern(line), words)]

    def leads_to(self) -> set[str]:
        """The names of this page and of the pages that it links to."""
        links = (link.partition("#")[0] for link in self.document.links())
        return {self.document.path.stem, *(Path(link).stem for link in links)}


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.strip("…").split("…"))


@dataclass
class Operator:
    """Somebody who has Postroad on a machine, hears its alarms and has the guide. `machine` is
    what commands of the machine do here, by how they begin."""

    here: Underway
    webhook: HttpScript
    machine: dict[str, Callable[[], None]] = field(default_factory=dict)

    # --- what is heard --------------------------------------------------------------------------

    def notices(self) -> list[Notice]:
        """Every alarm and all-clear so far."""
        return [msgspec.json.decode(each.body, type=Notice) for each in self.webhook.requests]

    async def told(self, alarm: str, words: str = "", *, state: str = "raised") -> Notice:
        """Wait for an alarm with these words, or its all-clear."""
        found: list[Notice] = []

        async def heard() -> bool:
            found[:] = [
                each
                for each in self.notices()
                if (each.alarm, each.state) == (alarm, state) and words in each.text
            ]
            return bool(found)

        await until(heard, f"{alarm} is {state}: {words}", SECONDS)
        return found[-1]

    async def says(self, words: str) -> str:
        """Wait until `postroad status` says these words; all that it says then."""
        text = ""

        async def said() -> bool:
            nonlocal text
            text = (await self.run("postroad status")).stdout
            return words in " ".join(text.split())

        await until(said, f"status says {words!r}", SECONDS)
        return " ".join(text.split())

    # --- what is done ---------------------------------------------------------------------------

    def lands(self, name: str, *read: Notice | str) -> Page:
        """The page for what was read: it shows one of the lines, and the page that an alarm names
        is this one, or leads to it."""
        page = Page.named(name)
        lines = [each.text if isinstance(each, Notice) else each for each in read]
        assert any(page.symptoms(line) for line in lines), (name, lines)
        for notice in (each for each in read if isinstance(each, Notice)):
            assert notice.page, notice
            assert name in Page.named(Path(notice.page).stem).leads_to(), (name, notice.page)
        return page

    async def follow(
        self,
        page: Page,
        part: str,
        *,
        blocks: Collection[int] = (),
        words: Mapping[str, str] = {},
    ) -> Said:
        """Give each command of a part, or of these of its blocks, `words` in the place of those
        that the page says stand for something. None may end in a fault of its own."""
        said: dict[str, subprocess.CompletedProcess[str]] = {}
        for number, block in enumerate(page.blocks(part)):
            if blocks and number not in blocks:
                continue
            for line in block:
                given = re.sub(r"\S+", lambda word: words.get(word[0], word[0]), line)
                done = said[given] = await self.run(given)
                assert "internal error" not in done.stderr, (line, done)
                assert "Traceback" not in done.stderr, (line, done)
                assert "Usage:" not in done.stderr, (line, done)
        assert said, (page.document.name, part)
        return said

    async def knows(self, page: Page, words: Mapping[str, str] = {}) -> Said:
        """Give the commands by which one knows that it is well until all of them say so; on a
        machine that is too busy a service may be too late with its answer."""
        said: Said = {}

        async def well() -> bool:
            nonlocal said
            said = await self.follow(page, KNOW, words=words)
            return not any(done.returncode for done in said.values())

        try:
            await until(well, "every command says that all is well", SECONDS)
        except AssertionError:
            bad = [done for done in said.values() if done.returncode]
            raise AssertionError("\n".join(done.stdout + done.stderr for done in bad)) from None
        return said

    async def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Give a command as it stands on a page."""
        for begins, act in self.machine.items():
            if line.startswith(begins):
                act()
                return subprocess.CompletedProcess(line, 0, "", "")
        if found := re.fullmatch(r"systemctl (start|stop|restart) postroad", line):
            if found[1] != "start":
                await self.stop()
            if found[1] != "stop":
                await self.start()
            return subprocess.CompletedProcess(line, 0, "", "")
        if line.startswith("journalctl -u postroad"):
            return subprocess.CompletedProcess(line, 0, self.here.log.read_text(), "")
        return await self._shell(line)

    async def start(self) -> None:
        """As `systemctl start` does: back when it says that it runs, or why not, or has ended."""
        place = self.here.log.stat().st_size if self.here.log.exists() else 0
        started = self.here.start()

        async def running() -> bool:
            said = self.here.log.read_bytes()[place:].decode(errors="replace")
            return bool(STARTED.search(said)) or started.poll() is not None

        await until(running, "Postroad runs", SECONDS)

    async def stop(self) -> None:
        """As `systemctl stop` does."""
        assert self.here.supervisor is not None
        if self.here.supervisor.poll() is None:
            await self.here.down()

    async def _shell(self, line: str) -> subprocess.CompletedProcess[str]:
        home, config = self.here.ours.home, self.here.ours.config
        if line.startswith("postroad "):
            line += " --yes" if ASKING.match(line) else ""
            line += "" if "--config" in line else f" --config {shlex.quote(str(config))}"
        for theirs, ours in (
            ("/var/lib/postroad", str(home / "state")),
            ("/etc/postroad/postroad.toml", str(config)),
            ("/mnt/backups", str(home / "backups")),
        ):
            line = line.replace(theirs, ours)
        line = re.sub(r"\bpostroad (?=[a-z])", f"{shlex.join(COMMAND)} ", line, count=1)
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", line),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self.here.environ, "POSTROAD_DEBUG": ""},
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(SECONDS):
                if " oauth login " in line:
                    return await _logged_in(line, process)
                if " up " in line:
                    return await _watched(line, process)
                out, err = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode is not None
        return subprocess.CompletedProcess(line, process.returncode, out.decode(), err.decode())


async def _logged_in(
    line: str, process: asyncio.subprocess.Process
) -> subprocess.CompletedProcess[str]:
    """A person opens the page that the command names, and consents."""
    assert process.stderr is not None
    said = ""
    while not (found := LOGIN_PAGE.search(said)):
        read = await process.stderr.readline()
        assert read, said
        said += read.decode()
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(found[1], follow_redirects=True)).is_success
    out, err = await process.communicate()
    assert process.returncode is not None
    text = said + err.decode()
    return subprocess.CompletedProcess(line, process.returncode, out.decode(), text)


async def _watched(
    line: str, process: asyncio.subprocess.Process
) -> subprocess.CompletedProcess[str]:
    """A person reads what a `postroad up` says until it runs, or keeps dying, and ends it."""
    assert process.stdout is not None
    said = ""
    while not STARTED.search(said) and (read := await process.stdout.readline()):
        said += read.decode()
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    out, err = await process.communicate()
    assert process.returncode is not None
    return subprocess.CompletedProcess(line, process.returncode, said + out.decode(), err.decode())


@contextlib.asynccontextmanager
async def operated(
    home: Path,
    *,
    settings: str = "",
    environ: Mapping[str, str] = {},
    tokens: TokenServer | None = None,
) -> AsyncIterator[Operator]:
    """An installation that is well, with a list of 20, and its operator; one post has arrived."""
    async with (
        HttpScript.start() as webhook,
        underway(
            home,
            settings=f'[alarm]\nwebhook = "{webhook.url}"\n{settings}',
            environ=environ,
            tokens=tokens,
        ) as here,
    ):
        (home / "backups").mkdir()
        here.traffic.post()
        assert (await here.traffic.arrived()).exact
        await here.well()
        yield Operator(here, webhook)
