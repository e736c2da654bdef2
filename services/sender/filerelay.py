"""A Maildir or an mbox file as a relay: mail is stored, with Return-Path and Delivered-To.

A copy has one name in every try (`Transaction.copy_name`), so that storing it twice leaves one:
in a Maildir it is the name of the file; in an mbox it stands behind the From_ line, with the
number of octets that follow, which tells an entry that a crash cut off. Such an entry is
taken away before anything is appended. What is told to be stored is on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from postroad.mail import wire
from postroad.runtime.config import Relay
from postroad.runtime.crashpoint import crashpoint
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
    """Stores windows. A disk that fails is a fault: what was begun is in doubt, and found again
    by its name."""

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
        stored: list[tuple[Result, Sequence[int]]] = []
        try:
            with self._store as store:
                for transaction, result in zip(transactions, results, strict=True):
                    wanted = refuse(transaction, result, self.offers)
                    crashpoint("sender.before_dot")
                    result.lost = bool(wanted)  # until all of the window is on the disk
                    result.sending(wanted)
                    for index in wanted:
                        store.add(transaction, transaction.recipients[index])
                    crashpoint("sender.after_dot")
                    stored.append((result, wanted))
        except OSError as error:
            self.fault = f"cannot be written to: {_why(error)}"
            return
        for result, wanted in stored:
            result.settle(wanted, _STORED)
            result.lost = False


class Maildir:
    """One file a copy: written in tmp, on the disk, then renamed into new."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        """Create what is missing of it, and remove what crashes left in tmp. Raises OSError."""
        for part in (self._path, *(self._path / name for name in ("tmp", "new", "cur"))):
            part.mkdir(exist_ok=True)
        if not os.access(self._path / "new", os.W_OK):
            raise PermissionError(13, "Permission denied")
        for draft in (self._path / "tmp").iterdir():
            if _DRAFT.fullmatch(draft.name):
                with contextlib.suppress(FileNotFoundError):  # somebody else does it, too
                    if time.time() - draft.stat().st_mtime > OLD:
                        draft.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _sync(self._path / "new")

    def add(self, transaction: Transaction, recipient: str) -> None:
        """Store a copy, or find it stored."""
        name = f"{transaction.copy_name(recipient)}.postroad"
        if transaction.again and self._read(name):
            return
        draft = self._path / "tmp" / f"{name}.{os.getpid()}.{time.monotonic_ns()}"
        try:
            with draft.open("xb", buffering=0) as file:
                for block in _trace(transaction, recipient):
                    _write(file.fileno(), block)
                os.fsync(file.fileno())
            draft.rename(self._path / "new" / name)  # over the same copy, if it is there
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def _read(self, name: str) -> bool:
        """Whether a mail program has moved the copy to cur, with flags behind its name."""
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
        _sync(self._path.parent)

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

    def add(self, transaction: Transaction, recipient: str) -> None:
        """Append a copy, or find it there."""
        name = transaction.copy_name(recipient).encode()
        if transaction.again and self._find(rb"(?:\A|\n\n)From [^\n]*\n" + NAMED + b": " + name):
            return
        end = os.lseek(self._file, 0, os.SEEK_END)
        size = sum(map(len, _entry(transaction, recipient)))
        sender = transaction.sender.replace(" ", "-") or "MAILER-DAEMON"
        first = f"From {sender} {time.asctime(time.gmtime())}\n".encode()
        try:
            _write(self._file, first + NAMED + b": %s %d\n" % (name, size))
            for block in _entry(transaction, recipient):
                _write(self._file, block)
        except OSError:
            os.ftruncate(self._file, end)
            raise

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

    def _find(self, pattern: bytes) -> bool:
        size = os.fstat(self._file).st_size
        if not size:
            return False
        with mmap.mmap(self._file, size, access=mmap.ACCESS_READ) as data:
            return re.search(pattern, data) is not None


def _trace(transaction: Transaction, recipient: str) -> Iterator[bytes]:
    """A copy as it is stored: LF line ends, and how it came (RFC 5321 section 4.4)."""
    yield f"Return-Path: <{transaction.sender}>\nDelivered-To: {recipient}\n".encode()
    for block in wire.plain(transaction.data):
        yield block.replace(b"\r\n", b"\n")


def _entry(transaction: Transaction, recipient: str) -> Iterator[bytes]:
    """A copy as an mbox holds it, and the empty line behind it."""
    for block in _trace(transaction, recipient):
        yield _FROM.sub(rb">\1", block)
    yield b"\n"


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _why(error: OSError) -> str:
    return (error.strerror or "the disk fails").lower()
