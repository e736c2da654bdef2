"""What the router thinks of one mail, heard while its client waits."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

import msgspec
from nats.aio.msg import Msg

from postroad.runtime.broker import Broker
from postroad.runtime.errors import BrokerUnavailable
from schemas import codec, subjects
from schemas.codec import UnknownEvent
from schemas.road import MailStopped

WAIT_SECONDS = 5  # of a client; the usual decision takes milliseconds


class Hearing:
    """Hears every decision on a mail from when it is entered: so enter it before the mail is told
    to anybody."""

    def __init__(self, broker: Broker, mail_id: str, slug: str) -> None:
        self._broker = broker
        self._subject = subjects.decided(slug, mail_id)
        self._decided: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        self._subscription = await self._broker.nc.subscribe(self._subject, cb=self._hear)
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            await self._subscription.unsubscribe()

    async def rejected(self) -> str:
        """Why the list rejects the mail, in a line of ASCII; "" where it does not, or where
        nobody has decided within WAIT_SECONDS."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                # a mail that came a second time was decided on long ago
                for stored in (await self._broker.last_many("ROUTED", [self._subject])).values():
                    self._take(stored.data)
                return await self._decided
        except (TimeoutError, BrokerUnavailable):
            return ""

    async def _hear(self, message: Msg) -> None:
        self._take(message.data)

    def _take(self, data: bytes) -> None:
        try:
            events = codec.decode(data).events
        except (UnknownEvent, msgspec.DecodeError):
            events = ()
        if not self._decided.done():
            self._decided.set_result(reason(events[0]) if events else "")


def reason(event: object) -> str:
    """Why this decision rejects a mail, in a line of ASCII without an address; else ""."""
    if not isinstance(event, MailStopped) or event.verdict != "rejected":
        return ""
    told = " ".join(event.hits[0].reason.split()) if event.hits else ""
    plain = "".join(each if " " <= each <= "~" else "?" for each in told)[:200]
    return plain if plain and "@" not in plain else "the list does not take it"
