"""An installation as an operator has it: `postroad up`, between Dovecot and our sink.

async with underway(tmp_path) as here:
    async with here.traffic.flowing():
        ...          # break something
    report = await here.traffic.arrived()
    await here.well()
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from postroad.runtime.condition import Status
from postroad.runtime.config import Config
from tests.chaos.traffic import Traffic
from tests.e2e.installation import COMMAND, Installation
from tests.e2e.system import imap_source, smtp_relay, until
from tests.peers.dovecot import Dovecot
from tests.peers.provider import Provider
from tests.peers.providerrules import POSTFIX
from tests.peers.sink import Sink
from tests.peers.tokens import TokenServer, log_in

DOMAIN = "lists.example.org"
TEAM = f"team@{DOMAIN}"
MAILBOX = f"lists@{DOMAIN}"
LANES, WINDOW = 4, 16
OPEN = dataclasses.replace(POSTFIX, login=True)  # takes every envelope of who has logged in
PEOPLE = tuple(f"m{n}@d{n % 5}.example.net" for n in range(20))


@dataclass
class Underway:
    """The running installation, what is around it, and the posts that flow."""

    ours: Installation
    dovecot: Dovecot
    sink: Sink | Provider
    traffic: Traffic
    environ: Mapping[str, str]
    log: Path
    supervisor: subprocess.Popen[bytes] | None = field(default=None)

    async def up(self) -> None:
        """Start `postroad up`, and wait until everything is ready."""
        self.start()
        await self.well()

    def start(self) -> subprocess.Popen[bytes]:
        """Start `postroad up`, whatever comes of it."""
        with self.log.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [*COMMAND, "up", "--config", str(self.ours.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environ},
                start_new_session=True,
            )
        return self.supervisor

    async def down(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal the supervisor; wait until no process is left."""
        assert self.supervisor is not None
        self.supervisor.send_signal(number)
        await asyncio.to_thread(self.supervisor.wait, 120)
        assert await asyncio.to_thread(self.ours.gone)

    async def cut(self) -> None:
        """From now on no process does anything more, as when the power goes."""
        await asyncio.to_thread(self._all, signal.SIGSTOP)

    async def end(self) -> None:
        """Kill -9 of every process."""
        await asyncio.to_thread(self._all, signal.SIGKILL)
        assert self.supervisor is not None
        await asyncio.to_thread(self.supervisor.wait, 120)
        assert await asyncio.to_thread(self.ours.gone)

    def _all(self, number: signal.Signals) -> None:
        for pid in self.ours.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def pids(self, name: str) -> list[int]:
        """The processes of a service, of `up`, or of the broker."""
        word = {"broker": "nats-server", "up": "postroad.cli up"}.get(
            name, f"postroad.cli.serve {name} "
        )
        return self.ours.processes(word)

    async def signal(self, name: str, number: signal.Signals) -> list[int]:
        """Signal the processes of a service, once there are any; returns which."""
        found: list[int] = []

        async def there() -> bool:
            found[:] = await asyncio.to_thread(self.pids, name)
            return bool(found)

        await until(there, f"{name} runs")
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return found

    async def well(self, patience: str = "everything is well, and nothing waits") -> Status:
        """Wait until it says so itself."""
        return await asyncio.to_thread(self.ours.until, _well, patience)


def _well(found: Status) -> bool:
    return found.state == "healthy" and not any(stage.lag for stage in found.stages)


def _asked(tokens: TokenServer | None) -> str:
    return tokens.introspection_url if tokens is not None else ""


@contextlib.asynccontextmanager
async def _receiving(tokens: TokenServer | None) -> AsyncIterator[Sink | Provider]:
    """The server behind the relay."""
    if tokens is None:
        async with Sink.start() as sink:
            yield sink
    else:
        async with Provider.start(
            OPEN, account=MAILBOX, password=None, tokens=tokens.valid
        ) as provider:
            yield provider


@contextlib.asynccontextmanager
async def underway(
    home: Path,
    *,
    rate: float = 2.0,
    environ: Mapping[str, str] = {},
    settings: str = "",
    log: Path | None = None,
    tokens: TokenServer | None = None,
) -> AsyncIterator[Underway]:
    """Everything an operator runs, with a list of 20; `state` in `home` may be a mount. With
    `tokens` mailbox and relay are entered by one login there, which is given."""
    async with (
        Dovecot.start({MAILBOX: "secret"}, oauth=_asked(tokens)) as dovecot,
        _receiving(tokens) as sink,
    ):
        password, config = home / "password", home / "postroad.toml"
        password.write_text("secret\n")
        password.chmod(0o600)
        site = f'[site]\ndomain = "{DOMAIN}"\nstate_dir = "{home / "state"}"\n'
        site += "[telemetry]\nport = 0\n"
        ways = imap_source(dovecot.port, MAILBOX, password)
        ways += smtp_relay(sink.port, connections=str(LANES), window=str(WINDOW))
        if tokens is not None:
            by_token = f"oauth2 = {tokens.oauth2('google')}\n"
            ways = ways.replace(f'password_file = "{password}"\n', by_token)
            ways += f'user = "{MAILBOX}"\n{by_token}'
        config.write_text(site + settings + ways)
        if tokens is not None:
            log_in(Config.load(config, {}), tokens, MAILBOX)
        ours = Installation(home, config, {})
        traffic = Traffic(dovecot, sink, TEAM, PEOPLE, rate, MAILBOX)
        here = Underway(ours, dovecot, sink, traffic, environ, log or home / "up.log")
        try:
            await here.up()
            open_ = ("default_nonmember_action=accept", "require_explicit_destination=false")
            for words in (
                ("list", "create", TEAM, *open_),
                ("member", "add", TEAM, *PEOPLE, "--confirmed"),
            ):
                done = await asyncio.to_thread(ours.run, *words)
                assert done.returncode == 0, done.stderr
            yield here
        finally:
            if here.supervisor is not None and here.supervisor.poll() is None:
                here.supervisor.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(here.supervisor.wait, 60)
            for pid in ours.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
