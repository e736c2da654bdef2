"""A Maildir as a source: looked at when files come or go, and every `poll` seconds.

Always in this order: RAW, RECEIVED, then the file is renamed, moved or deleted. A mail whose file
is still where it was is met again, and known by its unique name. What nobody has read waits for us,
so nothing need be remembered but what first contact passed over, and what could not be marked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from postroad.runtime.crashpoint import crashpoint
from schemas.road import Origin
from services.ingest.arrival import Arrival
from services.ingest.decider import RANGE_MAILS, RANGE_OCTETS
from services.ingest.feed import Sessions
from services.ingest.maildir.store import Entry, NotAMail, Store
from services.ingest.register import Register
from services.ingest.standing import digest, place_of
from services.ingest.trouble import MailboxError

AT_ONCE = 10_000  # names held in memory: 2 MB
GLANCE_SECONDS = 0.5  # between two looks at whether files came or went
SETTLED_NS = 2_000_000_000  # after a change, when the next one has another time for certain

Mail = tuple[Entry, Arrival, bytes]


class Watcher:
    """The Maildir of a source, over all its looks."""

    def __init__(self, feed: Sessions) -> None:
        self.feed = feed
        self.source = feed.source
        self.stopping = feed.context.stopping
        assert self.source.path is not None
        self.path = self.source.path
        place = place_of("maildir", str(self.path), self.source.folder)
        self.register = Register(feed, place, self.source.folder)
        self._trouble: MailboxError | None = None  # of the last look, though mail goes on
        self._past: set[bytes] = set()  # not again in this look

    async def session(self) -> None:
        """Watch until stopping; with `once`, until there is no more."""
        while not self.stopping.is_set():
            changed = await self._look()
            if self.feed.context.once:
                if self._trouble is not None:
                    raise self._trouble
                return
            await self._wait(changed)

    async def _wait(self, changed: tuple[int, ...]) -> None:
        """Until files came or went, or until `poll` is over."""
        until = time.monotonic() + self.source.poll_seconds
        settled = time.time_ns() - max(changed) > SETTLED_NS
        while not self.stopping.is_set() and (left := until - time.monotonic()) > 0:
            await self.feed.sleep(min(GLANCE_SECONDS, left))
            if not settled or await asyncio.to_thread(self._changed) != changed:
                return

    def _changed(self) -> tuple[int, ...]:
        try:
            with Store(self.path, self.source.folder) as store:
                return store.changed()
        except OSError:
            return ()

    async def _look(self) -> tuple[int, ...]:
        """Take what waits; when the folders were last changed before that."""
        self._trouble = None
        self._past.clear()
        self.feed.reading = True
        try:
            with Store(self.path, self.source.folder) as store:
                changed = store.changed()
                await self._begin(store)
                self._report()
                self.feed.tried.set()
                while entries := await asyncio.to_thread(store.waiting, self._wanted, AT_ONCE):
                    await self._take(store, entries)
                    if self.stopping.is_set() or len(entries) < AT_ONCE:
                        break
                if not self.stopping.is_set():
                    self.register.standing.whole = False
                await self.register.save()
                crashpoint("ingest.after_checkpoint")
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            self.feed.reading = False
        self._report()
        return changed

    def _report(self) -> None:
        self.feed.report(self._trouble)

    async def _begin(self, store: Store) -> None:
        """Find out where we stand, and forget what is no longer there."""
        if await self.register.opened():
            standing = self.register.standing
            if standing.left or standing.taken:
                standing.keep(await asyncio.to_thread(_digests, store.entries()))
            return
        start = self.source.start
        waiting = (entry for entry in store.entries() if entry.mail.waits and start == "now")
        left = await asyncio.to_thread(_digests, waiting)
        await self.register.contact(sorted(left), whole=start == "all")

    def _wanted(self, entry: Entry) -> bool:
        """Whether to take this one."""
        standing = self.register.standing
        if not entry.mail.waits and not standing.whole:
            return False
        key = digest(entry.mail.unique)
        return key not in standing.left and key not in self._past

    # --- taking -------------------------------------------------------------------------------

    async def _take(self, store: Store, entries: Sequence[Entry]) -> None:
        step: list[Mail] = []
        octets = 0
        for entry in entries:
            if self.stopping.is_set():
                break
            if digest(entry.mail.unique) in self.register.standing.taken:
                self._finish(store, entry)
                continue
            mail = await self._read(store, entry)
            if mail is None:
                continue
            step.append(mail)
            octets += len(mail[2])
            if len(step) >= RANGE_MAILS or octets > RANGE_OCTETS:
                await self._publish(store, step)
                step, octets = [], 0
        await self._publish(store, step)

    async def _read(self, store: Store, entry: Entry) -> Mail | None:
        """A mail; None where there is none to take now."""
        largest, key = self.source.max_bytes, digest(entry.mail.unique)
        began = time.time_ns()
        try:
            found = await asyncio.to_thread(store.read, entry, largest)
        except NotAMail as why:
            await self.register.publisher.refuse(
                self._arrival(entry, None, why.size), why.reason, str(why)
            )
            self.feed.count(self.register.publisher)
            self.register.standing.left.add(key)
            return None
        except OSError as error:
            self._past.add(key)
            what = f"a mail cannot be read: {error.strerror}"
            remedy = "give the user that runs Postroad the right to read what is delivered"
            self._trouble = MailboxError(self.source, what, remedy, lasting=True)
            return None
        if found is None:
            self._past.add(key)  # gone, or not written yet: the next look tells
            return None
        data, about = found
        arrival = self._arrival(entry, about.st_mtime, len(data))
        return entry, replace(arrival, fetched=(began, time.time_ns(), 1)), data

    def _arrival(self, entry: Entry, mtime: float | None, size: int) -> Arrival:
        at = entry.mail.delivered
        if at is None and mtime is not None:
            at = datetime.fromtimestamp(int(mtime), UTC)
        origin = Origin(
            source=self.source.name,
            folder=self.source.folder,
            arrived=at,
            name=entry.mail.shown,
        )
        return replace(self.register.arrival(origin, entry.mail.unique, size), inode=entry.inode)

    async def _publish(self, store: Store, step: Sequence[Mail]) -> None:
        mails = [(digest(entry.mail.unique), arrival, data) for entry, arrival, data in step]
        try:
            await self.register.receive(mails)
        finally:
            for entry, _, _ in step:
                if digest(entry.mail.unique) in self.register.standing.taken:
                    self._finish(store, entry)

    def _finish(self, store: Store, entry: Entry) -> None:
        """Do to a mail that is on the road what `after` says."""
        key = digest(entry.mail.unique)
        try:
            match self.source.after.partition(":"):
                case ("delete", _, _):
                    store.delete(entry)
                case ("move", _, folder):
                    store.move(entry, folder)
                case _:
                    store.mark(entry)
        except OSError as error:
            self._past.add(key)  # it is taken, and stays so
            what = f"mail is taken and stays unread, for it may not be changed: {error.strerror}"
            remedy = "give the user that runs Postroad the right to change the folder"
            self._trouble = MailboxError(self.source, what, remedy)
        else:
            self.register.standing.taken.discard(key)
            if self.register.standing.whole:
                self._past.add(key)
            crashpoint("ingest.after_flag")

    def _unusable(self, error: OSError) -> MailboxError:
        match error:
            case FileNotFoundError():
                what = "there is no Maildir at path, with new and cur in it"
                return MailboxError(self.source, what, "check path and folder", lasting=True)
            case PermissionError():
                what = "the Maildir may not be read"
                remedy = "give the user that runs Postroad the right to read it"
                return MailboxError(self.source, what, remedy, lasting=True)
        return MailboxError(self.source, f"the Maildir cannot be read: {error.strerror}")


def _digests(entries: Iterable[Entry]) -> set[bytes]:
    return {digest(entry.mail.unique) for entry in entries}
