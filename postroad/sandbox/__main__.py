"""`python -m postroad.sandbox`: the sandbox as a process of its own.

Reads one line of JSON on standard input: the arguments of `Sandbox.start` (they hold passwords,
so they are no command-line arguments). Prints one line, {"smtp_port", "imap_port"}, once it
listens. Ends on SIGTERM, SIGINT, or when standard input closes: it never outlives its parent.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import msgspec

from postroad.sandbox import Sandbox


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of `Sandbox.start`."""

    accounts: dict[str, str]
    addresses: dict[str, str] = {}
    host: str = "127.0.0.1"
    smtp_port: int = 0
    imap_port: int = 0
    trace: bool = True


async def main() -> None:
    """Serve until told to stop."""
    loop = asyncio.get_running_loop()
    parent = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(parent), sys.stdin)
    request = msgspec.json.decode(await parent.readline(), type=Request)
    async with Sandbox.start(**msgspec.structs.asdict(request)) as sandbox:
        ports = {"smtp_port": sandbox.smtp_port, "imap_port": sandbox.imap_port}
        print(msgspec.json.encode(ports).decode(), flush=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, parent.feed_eof)
        await parent.read()


if __name__ == "__main__":
    asyncio.run(main())
