"""A way for a program that a mail server starts as nobody into our own process.

Postfix runs no pipe as root, and nobody may not read what a test installs. So it starts `script`,
which passes arguments, environment and standard input through a socket, and ends as it is told.

async with Door.open(folder, command) as door:
    ...  # let the mail server run f"{door.script} --sender=..."; door.calls tells how it was run
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Command = Callable[[Sequence[str], Mapping[str, str], bytes], Awaitable[tuple[int, str]]]
SCRIPT = """#!/usr/bin/python3
import json, os, socket, sys
door = socket.socket(socket.AF_UNIX)
door.connect({path!r})
told = [sys.argv[1:], dict(os.environ), sys.stdin.buffer.read().decode("latin-1")]
door.sendall(json.dumps(told).encode())
door.shutdown(socket.SHUT_WR)
code, err = json.loads(door.makefile("rb").read())
sys.stderr.write(err)
sys.exit(code)
"""


@dataclass
class Door:
    """An open door. `calls` are the arguments of each call, with the exit code."""

    script: Path
    command: Command
    calls: list[tuple[list[str], int]] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, place: Path, command: Command) -> AsyncIterator[Door]:
        """Run `command` (arguments, environment, input; it gives exit code and stderr) for each
        call until the context ends. `place` must be a folder that anybody may enter."""
        door = cls(place / "take", command)
        path = place / "door"
        async with await asyncio.start_unix_server(door._serve, str(path), limit=1 << 26):
            path.chmod(0o777)
            door.script.write_text(SCRIPT.format(path=str(path)))
            door.script.chmod(0o755)
            yield door

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arguments, environment, data = json.loads(await reader.read())
        code, err = await self.command(arguments, environment, data.encode("latin-1"))
        self.calls.append((arguments, code))
        writer.write(json.dumps([code, err]).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
