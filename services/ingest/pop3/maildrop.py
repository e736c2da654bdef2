"""A POP3 mailbox as a source: one visit after another, for a session keeps others out of it.

Always in this order: RAW, RECEIVED, DELE, QUIT, where we stand. The server deletes at QUIT, so a
mail whose session broke is met again: it is known by its name, or, where even that was not stored,
by the id it gets on the road.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import timedelta

import structlog
from msgspec.structs import replace

from postroad.mail.arrived import arrived
from postroad.runtime.clock import now
from postroad.runtime.crashpoint import crashpoint
from schemas.road import Origin
from services.ingest.arrival import Arrival
from services.ingest.decider import FETCH_TRIES, RANGE_MAILS, RANGE_OCTETS, Refusal
from services.ingest.feed import Sessions
from services.ingest.pop3.account import Account, TooLarge
from services.ingest.pop3.decider import judge, key_of, name_of, resolve
from services.ingest.pop3.syntax import Listed
from services.ingest.register import Register
from services.ingest.standing import digest, place_of
from services.ingest.trouble import MailboxError, Refused

VISIT = 1_000  # mails read in one session: what is deleted is deleted at its end
log = structlog.get_logger()

Fetched = tuple[Listed, bytes, tuple[int, int, int]]  # and when, as in Arrival


class Maildrop:
    """The mailbox of a source, over all its visits."""

    def __init__(self, feed: Sessions) -> None:
        self.feed = feed
        self.source = feed.source
        self.stopping = feed.context.stopping
        self.register = Register(feed, place_of("pop3", self.source.user))
        self._stale_after = timedelta(seconds=feed.context.config.retention.known_seconds)
        self._received: set[str] | None = None  # while mails with new names are told by their bytes
        self._trouble: MailboxError | None = None  # of the visit, though mail goes on
        self._deleted: set[bytes] = set()  # in this session, which has not ended well yet

    async def session(self) -> None:
        """Visit until stopping; with `once`, until there is no more."""
        while not self.stopping.is_set():
            if not await self._visit():
                continue
            if self.feed.context.once:
                if self._trouble is not None:
                    raise self._trouble
                return
            await self.feed.sleep(self.source.poll_seconds * random.uniform(0.9, 1.1))  # noqa: S311

    async def _visit(self) -> bool:
        """Take what is there, or VISIT mails of it; whether that was all."""
        self._trouble = None
        self._deleted.clear()
        async with Account(self.source, self.feed.tokens) as box:
            self.feed.reading = True
            try:
                listed = await box.mails()
                await self._begin(box, listed)
                self._report()
                self.feed.tried.set()
                whole = await self._take(box, listed)
                await self._quit(box)
            except TooLarge:  # the server still sends it: nothing else can be said to it
                whole = False
            finally:
                self.feed.reading = False
        if whole or self._received is None:
            await self.register.save()
        if whole:
            self._received = None
        crashpoint("ingest.after_checkpoint")
        self._report()
        return whole

    def _report(self) -> None:
        self.feed.report(self.feed.foreboding() or self._trouble)

    async def _begin(self, box: Account, listed: Sequence[Listed]) -> None:
        """Find out where we stand."""
        there = {key_of(mail) for mail in listed if mail.uidl}
        if not await self.register.opened():
            left = set(there) if self.source.start == "now" else set()
            for mail in listed:
                if self.source.start == "now" and not mail.uidl and mail.size <= self._largest:
                    data = await box.retrieve(mail.number, self._largest)
                    left.add(digest(name_of(mail, data)))
            await self.register.contact(sorted(left))
        elif self._received is None and self.register.standing.renamed(there):
            log.warning("source.renamed", name=self.source.name, mails=len(there))
            self._received = await self.register.contents()
        elif self._received is None and len(there) == len(listed):
            self.register.standing.keep(there)

    @property
    def _largest(self) -> int:
        return self.source.max_bytes

    # --- taking -------------------------------------------------------------------------------

    async def _take(self, box: Account, listed: Sequence[Listed]) -> bool:
        """Put what is new onto the road; whether all was looked at."""
        failures = self.register.failures
        step: list[Fetched] = []
        before = taken = 0
        # what failed may end the session again, so it comes last
        for mail in sorted(listed, key=lambda each: failures[_handle(each)]):
            if self.stopping.is_set() or taken >= VISIT:
                break
            action = judge(
                self.register.standing,
                mail,
                largest=self._largest,
                failures=failures[_handle(mail)],
            )
            if action == "finish":
                await self._finish(box, mail, key_of(mail))
            elif action == "fetch":
                fetched = await self._fetch(box, mail)
                if fetched is not None:
                    step.append(fetched)
            elif action != "skip":
                await self._refuse(mail, action)
            if len(step) >= RANGE_MAILS or sum(len(data) for _, data, _ in step) > RANGE_OCTETS:
                taken += await self._publish(box, step)
                step.clear()
            before += 1
        await self._publish(box, step)
        return before == len(listed)

    async def _fetch(self, box: Account, mail: Listed) -> Fetched | None:
        """A mail with its bytes; None where the server does not hand them out now."""
        began = time.time_ns()
        try:
            data = await box.retrieve(mail.number, self._largest)
            return mail, data, (began, time.time_ns(), 1)
        except TooLarge:
            await self._refuse(mail, "too_large")
            raise
        except MailboxError as error:
            if not error.passing:
                self.register.failures[_handle(mail)] += 1
            if not isinstance(error, Refused):
                raise
            self._trouble = error
        return None

    async def _publish(self, box: Account, step: Sequence[Fetched]) -> int:
        """Publish mails and delete them, as `after` says; how many were new."""
        standing = self.register.standing
        new: list[tuple[bytes, Arrival, bytes]] = []
        for mail, data, fetched in step:
            name = name_of(mail, data)
            action = resolve(
                standing,
                mail,
                data,
                received=self._received,
                now=now(),
                stale_after=self._stale_after,
            )
            match action:
                case "take":
                    arrival = self._arrival(mail, name, data)
                    new.append((digest(name), replace(arrival, fetched=fetched), data))
                case "finish":
                    standing.taken.add(digest(name))
                case "skip":
                    standing.left.add(digest(name))
                case reason:
                    await self._refuse(mail, reason)
        await self.register.receive(new)
        for mail, data, _ in step:
            key = digest(name_of(mail, data))
            if key in standing.taken:
                await self._finish(box, mail, key)
        return len(new)

    def _arrival(self, mail: Listed, name: str, data: bytes) -> Arrival:
        origin = Origin(source=self.source.name, arrived=arrived(data), name=mail.uidl)
        return self.register.arrival(origin, name, len(data))

    async def _refuse(self, mail: Listed, reason: Refusal) -> None:
        """Record that a mail stays where it is."""
        origin = Origin(source=self.source.name, name=mail.uidl)
        name = mail.uidl or f"{mail.size} octets"
        await self.register.publisher.refuse(self.register.arrival(origin, name, mail.size), reason)
        self.feed.count(self.register.publisher)
        if mail.uidl:
            self.register.standing.left.add(key_of(mail))
        else:
            self.register.failures[_handle(mail)] = FETCH_TRIES + 1

    # --- afterwards ---------------------------------------------------------------------------

    async def _finish(self, box: Account, mail: Listed, key: bytes) -> None:
        """Delete a mail that is on the road, or remember that it stays."""
        standing = self.register.standing
        if self.source.after != "delete":
            standing.taken.discard(key)
            standing.left.add(key)
            return
        try:
            await box.delete(mail.number)
        except Refused as refusal:
            self._trouble = refusal
        else:
            self._deleted.add(key)
            crashpoint("ingest.after_delete")

    async def _quit(self, box: Account) -> None:
        """End the session. What is not deleted then is met again, and known."""
        try:
            await box.quit()
        except MailboxError as error:
            if self._deleted:
                self._trouble = error
        else:
            crashpoint("ingest.after_quit")
            # their names are free: a server that gives one again means another mail
            self.register.standing.taken -= self._deleted


def _handle(mail: Listed) -> bytes:
    """What a mail that failed is known by, as long as this process runs."""
    return key_of(mail) or digest(f"{mail.number} {mail.size}")
