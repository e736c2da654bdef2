"""A Postroad of its own in a folder: its settings, `postroad up` as a child, its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from postroad.cli.demo.scene import DOMAIN, MAILBOX
from postroad.runtime.child import how_it_ended
from postroad.runtime.children import die_with_parent
from postroad.runtime.condition import Status
from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError
from postroad.runtime.status import status
from postroad.sandbox import Sandbox

T = TypeVar("T")

START_SECONDS = 120.0  # on an idle machine 3
STOP_SECONDS = (20.0, 5.0)  # to finish its work; then, asked a second time, to end at once
POLL_SECONDS = 0.1

SETTINGS = """\
[site]
domain = "{domain}"

[dns]
resolver = "none"

[[source]]
host = "{host}"
port = {imap_port}
tls = "none"
user = "{mailbox}"
password_file = "mail.pass"
recipient_headers = ["Delivered-To"]

[[relay]]
host = "{host}"
port = {smtp_port}
tls = "none"
"""


@dataclass(frozen=True)
class Installation:
    """A running `postroad up`, with everything it needs and makes in one folder."""

    config: Config
    log: Path
    up: asyncio.subprocess.Process

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, home: Path, sandbox: Sandbox, password: str
    ) -> AsyncIterator[Installation]:
        """Run it in `home` for the length of the block; `password` is of MAILBOX there."""
        file, secret, log = home / "postroad.toml", home / "mail.pass", home / "postroad.log"
        file.write_text(
            SETTINGS.format(
                domain=DOMAIN,
                mailbox=MAILBOX,
                host=sandbox.host,
                imap_port=sandbox.imap_port,
                smtp_port=sandbox.smtp_port,
            )
        )
        secret.touch(mode=0o600)
        secret.write_text(f"{password}\n")
        with log.open("ab") as output:
            up = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "postroad.cli", "up", "--config", str(file)),
                cwd=home,  # where nothing shadows our packages
                env=without_settings(os.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
                process_group=0,  # Ctrl-C reaches us alone, and we end it in order
            )
        try:
            yield cls(Config.load(file, {}), log, up)
        finally:
            await _stop(up)

    async def healthy(self) -> Status:
        """Wait until everything is at work. Raises PostroadError saying what is not, in time."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            found = await status(self.config)
            if found.state == "healthy":
                return found
            if asyncio.get_running_loop().time() > deadline:
                raise PostroadError(
                    f"Postroad is {found.state} {START_SECONDS:g} s after its start: "
                    + ("; ".join(found.problems) or "it does not say why")
                )
            await asyncio.sleep(POLL_SECONDS)

    async def while_it_runs(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of `work`. Raises PostroadError as soon as `postroad up` has ended."""
        task, end = asyncio.ensure_future(work), asyncio.ensure_future(self.up.wait())
        try:
            await asyncio.wait((task, end), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise PostroadError(f"`postroad up` {how_it_ended(end.result())}{self._last_words()}")
        finally:
            task.cancel()
            end.cancel()
            await asyncio.gather(task, end, return_exceptions=True)

    async def ended(self) -> None:
        """Wait for ever. Raises PostroadError when `postroad up` has ended."""
        await self.while_it_runs(asyncio.Event().wait())

    def _last_words(self) -> str:
        """The last line of its log that is for a person, where there is one."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()
            if told := [line for line in lines if line.startswith("postroad: ")]:
                return f": {told[-1].removeprefix('postroad: ')}"
        return ""


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would change settings (POSTROAD_SECTION__KEY) or logs."""
    return {name: value for name, value in environ.items() if not name.startswith("POSTROAD_")}


async def _stop(up: asyncio.subprocess.Process) -> None:
    for patience in STOP_SECONDS:
        with contextlib.suppress(ProcessLookupError):
            up.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(up.wait(), patience)
            return
    with contextlib.suppress(ProcessLookupError):
        up.kill()
    await up.wait()
