"""One account at a provider of tokens: its settings, its store, and another process that asks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.runtime.children import die_with_parent
from postroad.runtime.config import Config
from postroad.runtime.oauth import TokenError, Tokens
from postroad.runtime.oauth.lifetime import Stamp
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.store import Login, Store
from postroad.runtime.settings import Relay, Source
from tests.e2e.system import Result, until
from tests.peers.tokens import USER, TokenServer, log_in

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import asyncio, os, sys
from pathlib import Path
from postroad.runtime.config import Config
from postroad.runtime.oauth import TokenError, Tokens
from postroad.runtime.oauth.lifetime import Stamp
config = Config.load(Path(sys.argv[1]), os.environ)
sys.stdin.readline()
print(asyncio.run(Tokens(config).access(config.source[0], refused=sys.argv[2])))
"""


@dataclass
class Command:
    """A command that waits for somebody to log in."""

    process: asyncio.subprocess.Process
    said: str = ""  # on stderr, so far

    async def says(self, pattern: str) -> str:
        """Wait until it has said this on stderr; the first group of it."""
        assert self.process.stderr is not None
        while not (found := re.search(pattern, self.said)):
            line = await asyncio.wait_for(self.process.stderr.readline(), 30)
            assert line, f"it ended without saying {pattern}: {self.said}"
            self.said += line.decode()
        return found[1]

    async def ends(self, typed: str = "") -> Result:
        """Wait for its end."""
        out, err = await asyncio.wait_for(self.process.communicate(typed.encode()), 30)
        assert self.process.returncode is not None
        return Result(self.process.returncode, out.decode(), self.said + err.decode())


@dataclass
class Account:
    """A source and a relay of one account."""

    home: Path
    file: Path
    config: Config
    provider: TokenServer

    @property
    def source(self) -> Source:
        """Its mailbox."""
        return self.config.source[0]

    @property
    def relay(self) -> Relay:
        """Its relay."""
        return self.config.relay[0]

    @property
    def stored(self) -> Login:
        """What is on disk."""
        login = Store(self.config.site.state_dir).read(identity(self.source))
        assert login is not None
        return login

    def tokens(self) -> Tokens:
        """As a process has them."""
        return Tokens(self.config)

    async def refusal(self) -> TokenError:
        """Why there is no token."""
        with pytest.raises(TokenError) as caught:
            await self.tokens().access(self.source)
        return caught.value

    async def is_asked(self) -> None:
        """Wait until somebody has asked for a token."""

        async def asked() -> bool:
            return bool(self.provider.asked)

        await until(asked, "the provider is asked for a token")

    def grow_old(self, seconds: float) -> None:
        """As if this much time had passed since the token was asked for, and since it failed."""

        def earlier(then: Stamp) -> Stamp:
            return Stamp(then.boot, then.ticks - seconds, then.wall - seconds)

        login = self.stored
        assert login.issued is not None
        failure = login.failure
        if failure is not None:
            failure = msgspec.structs.replace(failure, at=earlier(failure.at))
        aged = msgspec.structs.replace(login, issued=earlier(login.issued), failure=failure)
        Store(self.config.site.state_dir).write(identity(self.source), aged)

    @contextlib.asynccontextmanager
    async def login(self, *words: str) -> AsyncIterator[Command]:
        """`postroad oauth login WORDS` for as long as the context lasts."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "postroad.cli", "oauth", "login", *words),
            *("--config", str(self.file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        try:
            yield Command(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    async def process(
        self, *, refused: str = "", crashpoint: str = ""
    ) -> asyncio.subprocess.Process:
        """Another process that asks for a token once a line comes, and prints it."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ASK, str(self.file), refused),
            env={**os.environ, "POSTROAD_CRASHPOINT": crashpoint, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )


@contextlib.asynccontextmanager
async def account(
    home: Path,
    kind: str = "google",
    *,
    logged_in: bool = True,
    table: Mapping[str, str] = {},
    **faults: Any,
) -> AsyncIterator[Account]:
    """An account of this kind of provider; `table` goes into its oauth2, "" takes out."""
    async with TokenServer.start(**faults) as provider:
        oauth2 = provider.oauth2(kind, **table)
        file = home / "postroad.toml"
        file.write_text(
            f'[site]\ndomain = "example.org"\n[[source]]\nname = "box"\nhost = "127.0.0.1"\n'
            f'user = "{USER}"\noauth2 = {oauth2}\n[[relay]]\nname = "out"\nhost = "127.0.0.1"\n'
            f'user = "{USER}"\noauth2 = {oauth2}\n'
        )
        config = Config.load(file, {})
        if logged_in:
            log_in(config, provider)
        yield Account(home, file, config, provider)
