"""The kinds of sources, and what reads one of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from postroad.runtime.config import Source
from postroad.runtime.oauth import Tokens
from postroad.runtime.service import Context
from services.ingest.feed import Reader, Sessions
from services.ingest.folder import Folder
from services.ingest.maildir.watcher import Watcher
from services.ingest.pipe import idle
from services.ingest.pop3.maildrop import Maildrop
from services.ingest.smtpd.listener import Listener


class Feed(Protocol):
    """One source at work.

    `tried` is set once it was reached, or not: from then on no new mail is missed. `reading`
    tells that it has mail in hand, and ends by itself once the service stops.
    """

    tried: asyncio.Event
    reading: bool

    async def keep(self) -> None:
        """Read until the service stops, whatever fails. Raises nothing."""

    async def drain_once(self) -> str:
        """Take what there is; an empty string, or the line that says why it was not possible."""


Kind = Callable[[Context, Source, Tokens], Feed]


def _in_sessions(reader: Reader) -> Kind:
    return partial(Sessions, reader=reader)


KINDS: Mapping[str, Kind] = {
    "imap": _in_sessions(lambda feed: Folder(feed).session),
    "lmtp": Listener,
    "smtp": Listener,
    "maildir": _in_sessions(lambda feed: Watcher(feed).session),
    "pipe": _in_sessions(idle),
    "pop3": _in_sessions(lambda feed: Maildrop(feed).session),
}
