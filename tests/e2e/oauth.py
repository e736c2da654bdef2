"""One account at a provider of tokens: its settings, its store, and another process that asks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from postroad.runtime.children import die_with_parent
from postroad.runtime.config import Config
from postroad.runtime.oauth import TokenError, Tokens
from postroad.runtime.oauth.lifetime import Stamp
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.store import Login, Store
from postroad.runtime.settings import Relay, Source
from tests.e2e.system import COMMANDS, Result, until
from tests.peers import forkserver
from tests.peers.forkserver import Process
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
    """A command that waits for somebody to log in: what it reads, and the files that it writes."""

    process: Process
    typed: IO[bytes]
    out: IO[bytes]
    err: asyncio.StreamReader
    said: str = ""  # on stderr, so far

    async def says(self, pattern: str) -> str:
        """Wait until it has said this on stderr; the first group of it."""
        while not (found := re.search(pattern, self.said)):
            line = await asyncio.wait_for(self.err.readline(), 30)
            assert line, f"it ended without saying {pattern}: {self.said}"
            self.said += line.decode()
        return found[1]

    async def ends(self, typed: str = "") -> Result:
        """Wait for its end."""
        with contextlib.suppress(BrokenPipeError), self.typed:
            self.typed.write(typed.encode())
        self.said += (await asyncio.wait_for(self.err.read(), 30)).decode()
        code = await asyncio.wait_for(self.process.wait(), 30)
        self.out.seek(0)
        return Result(code, self.out.read().decode(), self.said)


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
        given, typed = os.pipe()
        read, err = os.pipe()
        with os.fdopen(typed, "wb", 0) as typing, tempfile.TemporaryFile() as out:
            try:
                process = await forkserver.start(
                    *("postroad.cli", "oauth", "login", *words, "--config", str(self.file)),
                    imported=COMMANDS,
                    env=os.environ,
                    stdin=given,
                    stdout=out.fileno(),
                    stderr=err,
                )
            finally:
                os.close(given)
                os.close(err)
            reader = asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb", 0)
            )
            try:
                yield Command(process, typing, out, reader)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                transport.close()

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
