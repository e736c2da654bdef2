"""The journal: what became of each recipient of a window under way, in shared memory on disk.

The ledger knows that a window was begun; which of its copies were taken is known only to the
process that sends it, until its next entry. The journal keeps that for a successor, should the
process die: a store in a mapped file outlives a kill -9. Its pages are never synced, so they say
nothing after a power cut, and are not believed then, nor is one with anything in it that we cannot
have written: the ledger's bound holds without it, and a window that stands in neither is in doubt
(`blind`). So it is where the whole directory is gone, as with the disk of a container.

A process has one file, `<id>.journal`, locked (flock) while it lives; its last words are read by
whoever can lock it. A lane has two pages in it, used in turns, because the next window is
prepared before the ledger has the outcome of the last. A page belongs to one ledger entry: that
of the intent, by the id of its envelope ("" where there is no entry yet). If this is the last
entry of the chunk, the page is the newest there is to know; any other page is out of date.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from postroad.runtime.clock import new_id, now
from postroad.runtime.synced import sync
from services.sender.transaction import SENDING, Record

NOTHING = 0  # no dot was written; SENDING: it was, and is not answered; else the reply's code
BEFORE = 0x8000  # added where an earlier window may have sent a copy, whatever becomes of this

_PAGE = 4096
_MAGIC = b"postroad journal 1"
_BOOT_AT, _BOOT = 64, 64  # where the first page says of which boot of the machine it is
_HEAD = struct.Struct("=IIHH")  # checksum of what follows, first index, recipients, octets of name
_NAME = 480  # octets at most: `<ledger subject> <id of the chunk> <id of the entry>`
_TOLD = re.compile(rb"delivery(?:\.[A-Za-z0-9_-]+){3} [!-~]+ [!-~]*")
_CODES_AT = 512
_POSSIBLE = frozenset((NOTHING, SENDING, *range(200, 600)))
SPARE = 2  # for each lane in use one that keeps a window cut short
CAPACITY = (_PAGE - _CODES_AT) // 2  # recipients


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of the recipients of a window, by index in the chunk: who has a copy, and who
    may have one, or a second one. Those in neither were sent nothing."""

    sent: frozenset[int]
    doubt: frozenset[int]
    file: Path | None = None  # of a process that died


class Lines:
    """The two pages of one lane."""

    def __init__(self, view: memoryview) -> None:
        self._pages = (view[:_PAGE], view[_PAGE:])
        self._codes = tuple(page[_CODES_AT:].cast("H") for page in self._pages)
        self._turn = 0
        self._start = 0
        self._told = b""
        self._fits = False

    def begin(self, name: str, start: int, codes: Sequence[int]) -> None:
        """A window from the index `start` on is about to begin, with what is known so far."""
        told = name.encode()
        self._turn ^= told != self._told  # begun anew, it has its page already
        self._start, self._told = start, told
        page = self._pages[self._turn]
        _HEAD.pack_into(page, 0, 0, 0, 0, 0)  # until it is complete it says nothing
        self._fits = len(codes) <= CAPACITY and len(told) <= _NAME
        if self._fits:
            page[_CODES_AT : _CODES_AT + 2 * len(codes)] = struct.pack(f"={len(codes)}H", *codes)
            page[_HEAD.size : _HEAD.size + len(told)] = told
            head = _HEAD.pack(0, start, len(codes), len(told))[4:]
            page[4 : _HEAD.size] = head
            page[:4] = struct.pack("=I", _checksum(head, told))

    def recorder(self, indices: Sequence[int]) -> Record:
        """What takes down for the recipients of a transaction; `indices` are theirs in the
        chunk."""
        codes, start, fits = self._codes[self._turn], self._start, self._fits

        def record(places: Iterable[int], code: int) -> None:
            if fits:
                for place in places:
                    at = indices[place] - start
                    codes[at] = codes[at] & BEFORE | code

        return record

    def clear(self) -> None:
        """There is no window under way."""
        self._told = b""
        for page in self._pages:
            _HEAD.pack_into(page, 0, 0, 0, 0, 0)

    def read(self) -> Iterator[tuple[str, Page]]:
        """What the pages say, by name."""
        for page in self._pages:
            if (found := _read(bytes(page))) is not None:
                yield found


class Journal:
    """The journals of a directory: our own, and those of processes that died."""

    def __init__(self, directory: Path, lanes: int) -> None:
        """Begin our own with room for so many lanes; `fault` says why that cannot be, "" where it
        can. Without, nothing is written down, and what others have left is read all the same."""
        self.fault = ""
        self._directory = directory
        self._free: list[Lines] = []
        self._known: dict[str, Page] = {}  # of the dead, by name
        self._looked_at: set[Path] = set()
        self._kept: dict[Lines, dict[str, Page]] = {}  # cut short by ourselves, oldest first
        self._began = now()
        # something that the dead wrote down cannot be believed, or is gone
        self._unread = not directory.is_dir()
        self._boot = b""
        self._path = directory / f"{new_id()}.journal"
        try:
            self._boot = _boot()
            whole = _begin(self._path, _PAGE * (1 + 2 * SPARE * lanes), self._boot)
        except OSError as error:
            self.fault = error.strerror or type(error).__name__
            return
        places = range(_PAGE, len(whole), 2 * _PAGE)
        self._free = [Lines(whole[place : place + 2 * _PAGE]) for place in places]

    @contextlib.contextmanager
    def lend(self) -> Iterator[Lines | None]:
        """Pages for one chunk; None where there are not enough. Left by an exception, they are
        kept: the chunk may come back to us."""
        lines = self._take()
        try:
            yield lines
        except BaseException:
            if lines is not None and (pages := dict(lines.read())):
                self._kept[lines] = pages
                lines = None
            raise
        finally:
            if lines is not None:
                lines.clear()
                self._free.append(lines)

    def recall(self, name: str, *, look: bool) -> Page | None:
        """What is known of the window that a ledger entry began, from our own pages or those of
        the dead. `look`: also from files that nobody has read yet."""
        for pages in self._kept.values():
            if name in pages:
                return pages[name]
        if look:
            self.load()
        return self._known.get(name)

    def forget(self, name: str) -> None:
        """Nobody needs to know this any more."""
        for lines in [lines for lines, pages in self._kept.items() if name in pages]:
            del self._kept[lines]
            lines.clear()
            self._free.append(lines)
        page = self._known.pop(name, None)
        if page is not None and page.file is not None:
            self._tidy(page.file)

    def blind(self, queued: datetime) -> bool:
        """Whether a chunk that was queued then may have been sent by somebody who died, though
        `recall` knows nothing of it."""
        return self._unread and queued < self._began

    def load(self) -> Iterable[str]:
        """Read the journals of processes that died; the names of all that is known of them."""
        for path in self._directory.glob("*.journal"):
            if path == self._path or path in self._looked_at:
                continue
            with contextlib.suppress(OSError):
                data = _last_words(path)
                if data is not None:
                    self._looked_at.add(path)
                    self._known.update(self._pages(path, data))
                    self._tidy(path)
        return list(self._known)

    def close(self) -> None:
        """We end in order: what was cut short stays for a successor."""
        if not self._kept and not self.fault:
            self._path.unlink(missing_ok=True)

    def _take(self) -> Lines | None:
        if not self._free and self._kept:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            return oldest
        return self._free.pop() if self._free else None

    def _pages(self, path: Path, data: bytes) -> Iterator[tuple[str, Page]]:
        boot = data[_BOOT_AT : _BOOT_AT + _BOOT].rstrip(b"\0")
        if not data.startswith(_MAGIC) or not boot or boot != self._boot:
            self._unread = True
            return
        for place in range(_PAGE, len(data), _PAGE):
            octets = data[place : place + _PAGE]
            found = _read(octets) if len(octets) == _PAGE else None
            if found is not None:
                name, page = found
                yield name, Page(page.sent, page.doubt, path)
            elif any(octets[: _HEAD.size]):
                self._unread = True

    def _tidy(self, path: Path) -> None:
        """Remove a file that says nothing anybody may need."""
        if all(page.file != path for page in self._known.values()):
            path.unlink(missing_ok=True)
            self._looked_at.discard(path)


def entry_name(ledger: str, chunk: str, entry: str) -> str:
    """The name of a window: its chunk's ledger subject and id, and the id of the ledger entry
    with its intent, "" where there is none."""
    return f"{ledger} {chunk} {entry}"


def _read(page: bytes) -> tuple[str, Page] | None:
    checksum, start, count, length = _HEAD.unpack_from(page)
    told = page[_HEAD.size : _HEAD.size + length]
    if not _TOLD.fullmatch(told) or count > CAPACITY:
        return None
    words = struct.unpack_from(f"={count}H", page, _CODES_AT)
    if checksum != _checksum(page[4 : _HEAD.size], told) or not _possible(words):
        return None
    codes = list(enumerate(words, start))
    return told.decode(), Page(
        frozenset(index for index, code in codes if 200 <= code & ~BEFORE < 300),
        frozenset(index for index, code in codes if code & BEFORE or code == SENDING),
    )


def _possible(words: Iterable[int]) -> bool:
    """Whether all of these are codes: they are stored one by one, and no checksum has them."""
    return all(word & ~BEFORE in _POSSIBLE for word in words)


def _checksum(head: bytes, name: bytes) -> int:
    return zlib.crc32(name, zlib.crc32(head)) or 1  # 0 says that there is nothing


def _last_words(path: Path) -> bytes | None:
    """What a journal says; None while its process lives."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return file.read()


def _begin(path: Path, size: int, boot: bytes) -> memoryview:
    """A new file, mapped and locked for the life of this process. It has its name once it is locked
    and on disk: nobody takes it for one of the dead, and after a power cut there is a file of
    another boot. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    nameless = path.with_suffix(".new")
    file = os.open(nameless, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.posix_fallocate(file, 0, size)  # a store must not find the disk full
        os.pwrite(file, _MAGIC.ljust(_BOOT_AT, b"\0") + boot, 0)
        os.fsync(file)
        nameless.rename(path)
        sync(path.parent)
        return memoryview(mmap.mmap(file, size))
    except OSError:
        nameless.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        os.close(file)
        raise


def _boot() -> bytes:
    """Which boot of the machine this is: what was not synced before the last one may be lost.
    Raises OSError where the machine does not tell."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:_BOOT]
