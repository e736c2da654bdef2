"""What a session with a mailbox begins with, whatever it speaks: a connection, and a token."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from postroad.runtime.config import Source
from postroad.runtime.oauth import TokenError, Tokens
from services.ingest.trouble import MailboxError, unreachable


async def reach(
    source: Source, protocol: Callable[[], asyncio.BaseProtocol], seconds: float
) -> None:
    """Connect to the source's server, within so long, behind TLS where it is implicit. Raises
    MailboxError."""
    context = ssl.create_default_context() if source.tls == "implicit" else None
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_connection(
                protocol, source.host, source.port, ssl=context
            )
    except (OSError, TimeoutError) as error:
        raise unreachable(source, error) from error


async def token(source: Source, tokens: Tokens | None, refused: str = "") -> str:
    """A token, or "" where the source has a password. `refused` is one that did not do. Raises
    MailboxError: `lasting` where only a person can mend it."""
    if source.oauth2 is None or tokens is None:
        return ""
    try:
        return await tokens.access(source, refused=refused)
    except TokenError as error:
        raise MailboxError(source, error.reason, lasting=error.lasting) from error
