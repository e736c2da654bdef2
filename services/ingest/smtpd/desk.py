"""Judges recipients, stores mail, and hears what the router thinks of it."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from postroad.mail.addresses import Match, match
from postroad.mail.arrived import postmark
from postroad.mail.identity import content_name, named_id
from postroad.mail.roles import roles, strays
from postroad.runtime.apierror import ApiError
from postroad.runtime.clock import now
from postroad.runtime.config import Source
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import NoRoom, Retry, SettingsError
from postroad.runtime.service import Context
from projections.listfeed import ListFeed
from projections.lists import List
from schemas.road import Origin
from services.ingest.arrival import Arrival
from services.ingest.publisher import Publisher
from services.ingest.smtpd.hearing import WAIT_SECONDS, Hearing
from services.ingest.smtpd.roles import Envelope, Letter
from services.ingest.trace import received

SMALL = 256 << 10  # octets of a mail that waits in memory; a larger one waits in a file
LARGE_AT_ONCE = 1  # mails of these that are in memory to be stored
LISTS_SECONDS = 5.0  # to hear of a list that was created a moment ago
LOGIN_SECONDS = 1.0  # that a wrong password costs

LATER = "451 4.3.0 it cannot be stored now; send it again"
FULL = "452 4.3.1 there is no room for it now; send it again"


class _Paper(tempfile.SpooledTemporaryFile[bytes]):
    """Where a mail is put: in memory while it is small, then in a file that has no name and dies
    with us. `began` is when it was asked for (ns since the epoch)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(SMALL, dir=str(folder))
        self.began = time.time_ns()


class Desk:
    """See `roles.Desk`. Counts what was `received`, and what was `refusals`, by code."""

    def __init__(self, context: Context, source: Source, lists: ListFeed) -> None:
        self.context = context
        self.source = source
        self.lists = lists
        self.publisher = Publisher(context, source)
        self.refusals: Counter[str] = Counter()
        self.received = 0
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    def refused(self, code: str) -> None:
        """Count a refusal."""
        self.refusals[code] += 1

    @property
    def _connected(self) -> bool:
        return self.context.broker.nc.is_connected

    # --- recipients ---------------------------------------------------------------------------

    async def judge(self, recipient: str) -> str:
        """The reply that refuses this recipient, "" for one that a list or a domain of ours has."""
        if self.source.list or self._match(recipient) is not None:
            return ""
        try:
            async with asyncio.timeout(LISTS_SECONDS if self._connected else 0.0):
                await self.lists.catch_up()  # it may have been created a moment ago
        except (Retry, ApiError, TimeoutError):
            return "451 4.3.0 the lists are not known now; send it again"
        if self._match(recipient) is not None:
            return ""
        if self._match(recipient, closed=True) is not None:
            return "550 5.2.1 the list is closed"
        if self._of_domain(recipient):
            return ""
        return "550 5.1.1 there is no such list"

    def _of_domain(self, recipient: str) -> bool:
        """Whether somebody gets it though it is no list: who runs its domain, or `catch_all`."""
        only, lists = self.source.domain.lower(), self.lists.directory.reach()
        ours = [d for d in self.context.config.domain if only in ("", d.name.lower())]
        owned = [domain.name.lower() for domain in ours if domain.owner]
        open_ = [domain.name.lower() for domain in ours if domain.catch_all]
        return bool(roles([recipient], lists, owned) or strays([recipient], lists, open_))

    def _match(self, recipient: str, *, closed: bool = False) -> Match | None:
        reach = self.lists.directory.reach(self.source.domain.lower(), closed=closed)
        # what comes to a source for one list is for it, whatever its address
        return match(self.source.list or recipient, reach)

    # --- mail ---------------------------------------------------------------------------------

    def letter(self) -> Letter:
        """For a mail that comes now."""
        return cast(Letter, _Paper(self.context.config.site.state_dir))

    async def deliver(self, envelope: Envelope, letter: Letter) -> str:
        """Store a mail for good: then 250 and not before. The client, which has it until then,
        sends it again where it hears nothing; the mail is known by its bytes."""
        if not self._connected:
            return LATER  # at once: while the broker is away, each mail would wait for it in vain
        file = cast(_Paper, letter)
        fetched = (file.began, time.time_ns(), 1)
        large = file.tell() > SMALL
        async with self._large if large else contextlib.nullcontext():
            file.seek(0)
            return await self._store(envelope, file.read(), fetched)

    async def _store(self, envelope: Envelope, data: bytes, fetched: tuple[int, int, int]) -> str:
        recipients = tuple(dict.fromkeys(envelope.recipients))
        name = content_name(data, envelope.sender, recipients)
        mail_id, at = named_id(self.source.name, "", name, postmark(data)), now()
        arrival = Arrival(
            mail_id=mail_id,
            origin=Origin(source=self.source.name, arrived=at),
            size=len(data),
            sender=envelope.sender,
            recipients=recipients,
            trace=received(envelope.hop, self.context.config.site.domain, mail_id, at),
            fetched=fetched,
        )
        known = self._waits_for(recipients)
        if known is None:
            return await self._publish(arrival, data)
        arrival = msgspec.structs.replace(arrival, waits=WAIT_SECONDS)
        async with Hearing(self.context.broker, arrival.mail_id, known) as hearing:
            reply = await self._publish(arrival, data)
            rejected = await hearing.rejected() if reply[0] == "2" else ""
            return f"550 5.7.1 {rejected}" if rejected else reply

    def _waits_for(self, recipients: Sequence[str]) -> List | None:
        """The list whose verdict a client is told, None where it is told none: there is one answer
        for all the lists of a mail, so only a mail to one list has it in the dialogue."""
        if self.source.verdict != "dialogue":
            return None
        slugs = {hit.slug for each in recipients if (hit := self._match(each))}
        return self.lists.directory[slugs.pop()] if len(slugs) == 1 else None

    async def _publish(self, arrival: Arrival, data: bytes) -> str:
        (outcome,) = await self.publisher.receive([(arrival, data)])
        if isinstance(outcome, BaseException):
            if not isinstance(outcome, Retry | ApiError):
                raise outcome
            return FULL if isinstance(outcome, NoRoom) else LATER
        if not outcome:
            return "554 5.6.0 it was refused before"
        self.received += 1
        crashpoint("ingest.before_250")
        return "250 2.0.0 taken"

    # --- logins -------------------------------------------------------------------------------

    async def log_in(self, user: str, password: str) -> bool:
        """Whether a client knows user and password; takes as long for a wrong user."""
        try:
            expected = f"{self.source.user}\0{self.source.password()}"
        except SettingsError as error:
            self.context.health.error(str(error))
            return False
        if hmac.compare_digest(f"{user}\0{password}".encode(), expected.encode()):
            return True
        await asyncio.sleep(LOGIN_SECONDS)
        return False
