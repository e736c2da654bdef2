"""What the router thinks of one mail, heard while its client waits."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

import msgspec
from nats.aio.msg import Msg

from postroad.mail.addresses import sub_address
from postroad.mail.mendable import mendable
from postroad.runtime.broker import Broker
from postroad.runtime.errors import BrokerUnavailable
from projections.lists import List
from schemas import codec, subjects
from schemas.codec import UnknownEvent
from schemas.road import MailStopped

WAIT_SECONDS = 5  # of a client; the usual decision takes milliseconds


class Hearing:
    """Hears every decision on a mail from when it is entered: so enter it before the mail is told
    to anybody."""

    def __init__(self, broker: Broker, mail_id: str, known: List) -> None:
        self._broker = broker
        self._list = known
        self._subject = subjects.decided(known.slug, mail_id)
        self._decided: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        self._subscription = await self._broker.nc.subscribe(self._subject, cb=self._hear)
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            await self._subscription.unsubscribe()

    async def rejected(self) -> str:
        """What the client of a rejected mail is told; "" where the list does not reject it, or
        where nobody has decided within WAIT_SECONDS."""
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
            self._decided.set_result(refusal(events[0], self._list) if events else "")


def refusal(event: object, known: List) -> str:
    """What the client is told of a decision that rejects its mail, in a line of ASCII; else "".

    Nobody has proved who it is, so it hears no more than the author would by letter (`mendable`),
    and whom to ask.
    """
    if not isinstance(event, MailStopped) or event.verdict != "rejected":
        return ""
    form = known.settings.sub_address
    owner = "" if form == "none" else f"; ask {sub_address(known.address, 'owner', form)}"
    why = " ".join(mendable(event, known.settings).split())
    told = f"not accepted by this list's rules{f': {why[:200]}' if why else ''}{owner}"
    return "".join(each if " " <= each <= "~" else "?" for each in told)
