"""Postfix's smtp-sink, which swallows mail, and smtp-source, which makes it: the yardsticks.

async with SmtpSink.start() as sink:
    seconds = await smtp_source(sink.port, messages=1000, sessions=4)
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.peers.process import Daemon, directory, free_port, program, unprivileged

BACKLOG = "1024"


@dataclass(frozen=True)
class SmtpSink:
    """A running smtp-sink on 127.0.0.1:`port`."""

    port: int
    daemon: Daemon

    @classmethod
    @asynccontextmanager
    async def start(cls, options: Sequence[str] = ()) -> AsyncIterator[SmtpSink]:
        """Swallow mail until the context ends; `options` as in smtp-sink(1). Without options it
        offers PIPELINING and 8BITMIME and accepts everything."""
        sink = program("smtp-sink", "postfix")
        port = free_port()
        switch = ("-u", unprivileged().pw_name) if os.getuid() == 0 else ()
        with directory("smtp-sink") as place:
            argv = (sink, *switch, *options, f"127.0.0.1:{port}", BACKLOG)
            async with Daemon(argv, [port], place / "log") as daemon:
                yield cls(port, daemon)


async def smtp_source(
    port: int,
    *,
    messages: int,
    sessions: int = 1,
    length: int = 4096,
    recipients: int = 1,
    options: Sequence[str] = ("-d",),
) -> float:
    """Send `messages` mails of `length` octets over `sessions` connections, kept open (-d), and
    return the seconds it took. Raises RuntimeError with what smtp-source said when it failed."""
    argv = (
        *(program("smtp-source", "postfix"), "-m", str(messages), "-s", str(sessions)),
        *("-l", str(length), "-r", str(recipients), *options, f"127.0.0.1:{port}"),
    )
    began = time.perf_counter()
    source = await asyncio.create_subprocess_exec(*argv, stdout=-1, stderr=-1)
    said = await source.communicate()
    if source.returncode:
        raise RuntimeError(b"".join(said).decode("utf-8", "replace"))
    return time.perf_counter() - began
