"""A Maildir or an mbox file as a relay: mail is stored, with Return-Path and Delivered-To.

A copy has one name in every try (`Transaction.copy_name`), so that storing it twice leaves one:
in a Maildir it is the name of the file; in an mbox it stands behind the From_ line, with the
number of octets that follow, which tells an entry that a crash cut off. Such an entry is
taken away before anything is appended, and a draft of the same copy in tmp before it is written
anew. What is told to be stored is on the disk; what an earlier try left is told to be found, and
nobody has two. Where a mail program has moved the copy to another folder, or taken its name
off, it is not found: it is stored again.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from postroad.mail import wire
from postroad.runtime.config import Relay
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.synced import sync
from services.sender.answers import Reply
from services.sender.relay import RelayError
from services.sender.transaction import Offers, Result, Transaction, refuse

OFFERS = Offers(eight_bit=True, utf8=True)
NAMED = b"X-Postroad-Delivery"
LOCK_SECONDS = 30.0  # another program may hold an mbox while it rewrites it
OLD = 36 * 3600.0  # seconds: the Maildir convention's for what was left in tmp
_STORED = Reply(250, "", "stored", ".")
_DRAFT = re.compile(r"[0-9a-f]{32}\.postroad\.[0-9]+\.[0-9]+")
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)  # mboxrd: each gets one > more
_ENTRY = re.compile(rb"From [^\n]*\n" + NAMED + rb": [0-9a-f]{32} ([0-9]{1,12})\n")


async def connect(relay: Relay) -> Filer:
    """Ready to store. Raises RelayError where the place cannot be written to."""
    assert relay.path is not None
    store = Mbox(relay.path) if relay.mbox else Maildir(relay.path)
    try:
        await asyncio.to_thread(store.open)
    except OSError as error:
        told = f"cannot be written to: {_why(error)}; check path, and who may write there"
        raise RelayError(relay, "unreachable", told) from None
    return Filer(store)


class Filer:
    """Stores windows. A disk that fails is a fault: what is stored by then stays so; where even
    that is uncertain it is in doubt, and found again by its name."""

    def __init__(self, store: Maildir | Mbox) -> None:
        self.offers = OFFERS
        self.fault = ""
        self.out_of_step = False
        self.pause = 0.0
        self.lingering = None
        self._store = store

    async def send(self, transactions: Sequence[Transaction]) -> list[Result]:
        """See `kinds.Carrier`."""
        results = [Result.of(each) for each in transactions]
        if not self.fault:
            await asyncio.to_thread(self._window, transactions, results)
        return results

    def waiting(self) -> None:
        """A disk is not waited for."""

    def abandon(self, fault: str) -> None:
        """Store nothing more; a window under way comes to its end."""
        self.fault = self.fault or fault

    async def close(self) -> None:
        """Nothing is open between windows."""

    def _window(self, transactions: Sequence[Transaction], results: Sequence[Result]) -> None:
        stored: list[tuple[Result, int, bool]] = []
        try:
            with self._store as store:
                try:
                    for transaction, result in zip(transactions, results, strict=True):
                        for index in refuse(transaction, result, self.offers):
                            begin = partial(_begin, result, index)
                            new = store.add(transaction, transaction.recipients[index], begin)
                            stored.append((result, index, new))
                            crashpoint("sender.after_dot")
                except OSError as error:
                    self.fault = f"cannot be written to: {_why(error)}"
        except OSError as error:
            self.fault = f"cannot be written to: {_why(error)}"
            for result, _, _ in stored:
                result.lost = True
            return
        for result, index, new in stored:
            if new:
                result.settle((index,), _STORED)
            else:
                result.find(index, _STORED)


class Maildir:
    """One file a copy: written in tmp, on the disk, then renamed into new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._drafts: dict[str, list[Path]] = {}  # in tmp, by the names of their copies

    def open(self) -> None:
        """Create what is missing of it, and remove what crashes left in tmp. Raises OSError."""
        for part in (self._path, *(self._path / name for name in ("tmp", "new", "cur"))):
            part.mkdir(exist_ok=True)
        if not os.access(self._path / "new", os.W_OK):
            raise PermissionError(13, "Permission denied")
        for draft in self._drafts_there():
            with contextlib.suppress(FileNotFoundError):  # somebody else does it, too
                if time.time() - draft.stat().st_mtime > OLD:
                    draft.unlink()

    def __enter__(self) -> Self:
        self._drafts = {}
        for draft in self._drafts_there():
            self._drafts.setdefault(_copy_of(draft), []).append(draft)
        return self

    def __exit__(self, *_: object) -> None:
        sync(self._path / "new")

    def add(self, transaction: Transaction, recipient: str, begin: Callable[[], None]) -> bool:
        """Store a copy; False where an earlier try has. From `begin` on it may be there."""
        name = f"{transaction.copy_name(recipient)}.postroad"
        for left in self._drafts.get(name, ()):  # by whoever died at it
            left.unlink(missing_ok=True)
        if transaction.again and self._has(name):
            return False
        draft = self._path / "tmp" / f"{name}.{os.getpid()}.{time.monotonic_ns()}"
        try:
            with draft.open("xb", buffering=0) as file:
                for block in _trace(transaction, recipient):
                    _write(file.fileno(), block)
                os.fsync(file.fileno())
            begin()
            draft.rename(self._path / "new" / name)  # over the same copy, if it is there
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return True

    def _drafts_there(self) -> list[Path]:
        return [each for each in (self._path / "tmp").iterdir() if _DRAFT.fullmatch(each.name)]

    def _has(self, name: str) -> bool:
        """Whether the copy is in new, or in cur, where a mail program moves it to and puts flags
        behind its name. In this order: it may do so meanwhile."""
        if (self._path / "new" / name).exists():
            return True
        with os.scandir(self._path / "cur") as entries:
            return any(entry.name.startswith(name) for entry in entries)


class Mbox:
    """One file, appended to under a lock (fcntl, as mail programs have it)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def open(self) -> None:
        """Create it where there is none. Raises OSError."""
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666))
        sync(self._path.parent)

    def __enter__(self) -> Self:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._lock()
            self._mend()
        except BaseException:
            os.close(self._file)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)

    def add(self, transaction: Transaction, recipient: str, begin: Callable[[], None]) -> bool:
        """Append a copy; False where an earlier try has. From `begin` on it may be there."""
        name = transaction.copy_name(recipient).encode()
        if transaction.again and self._has(name):
            return False
        end = os.lseek(self._file, 0, os.SEEK_END)
        size = sum(map(len, _entry(transaction, recipient))) + 1
        sender = transaction.sender.replace(" ", "-") or "MAILER-DAEMON"
        first = f"From {sender} {time.asctime(time.gmtime())}\n".encode()
        try:
            _write(self._file, first + NAMED + b": %s %d\n" % (name, size))
            for block in _entry(transaction, recipient):
                _write(self._file, block)
            begin()  # what ends before this octet was cut off
            _write(self._file, b"\n")
        except OSError:
            os.ftruncate(self._file, end)
            raise
        return True

    def _lock(self) -> None:
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise BlockingIOError(11, "it is locked by another program") from None
                time.sleep(0.1)

    def _mend(self) -> None:
        """Take away an entry of ours that a crash cut off, and see that the last one ends."""
        size = os.fstat(self._file).st_size
        if not size:
            return
        with mmap.mmap(self._file, size, access=mmap.ACCESS_READ) as data:
            last = data.rfind(b"\n\nFrom ") + 2
            last = last if last > 1 else 0
            entry = _ENTRY.match(data, last)
            cut = entry is not None and entry.end() + int(entry[1]) > size
            ends = data[-2:] == b"\n\n"
        if cut:
            os.ftruncate(self._file, last)
        elif not ends:
            os.lseek(self._file, 0, os.SEEK_END)
            _write(self._file, b"\n\n")

    def _has(self, name: bytes) -> bool:
        """Whether the copy is there, whole: others may have appended to one that was cut off."""
        size = os.fstat(self._file).st_size
        if not size:
            return False
        with mmap.mmap(self._file, size, access=mmap.ACCESS_READ) as data:
            at = data.rfind(NAMED + b": " + name)
            while at >= 0:
                start = data.rfind(b"\n", 0, max(at - 1, 0)) + 1
                entry = _ENTRY.match(data, start)
                if entry is not None and (not start or data[start - 2 : start] == b"\n\n"):
                    following = data.find(b"\n\nFrom ", entry.end())
                    end = size if following < 0 else following + 2
                    if end - entry.end() >= int(entry[1]):
                        return True
                at = data.rfind(NAMED + b": " + name, 0, at)
        return False


def _trace(transaction: Transaction, recipient: str) -> Iterator[bytes]:
    """A copy as it is stored: LF line ends, and how it came (RFC 5321 section 4.4)."""
    yield f"Return-Path: <{transaction.sender}>\nDelivered-To: {recipient}\n".encode()
    for block in wire.plain(transaction.data):
        yield block.replace(b"\r\n", b"\n")


def _entry(transaction: Transaction, recipient: str) -> Iterator[bytes]:
    """A copy as an mbox holds it, but for the empty line behind it."""
    for block in _trace(transaction, recipient):
        yield _FROM.sub(rb">\1", block)


def _copy_of(draft: Path) -> str:
    return draft.name.rsplit(".", 2)[0]


def _begin(result: Result, index: int) -> None:
    crashpoint("sender.before_dot")
    result.sending((index,))


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _why(error: OSError) -> str:
    return (error.strerror or "the disk fails").lower()
