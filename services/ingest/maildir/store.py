"""One Maildir on the disk: what waits there, its bytes, and what is done to it afterwards.

Nothing in it is trusted: whoever may deliver could leave a link to another file, a pipe that never
ends, or what is larger than a mail may be. No link is followed, but on the way to the Maildir
itself, which is the operator's.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Self

import msgspec

from services.ingest.maildir.filename import Filename, parse

Sub = Literal["new", "cur"]
SUBS: tuple[Sub, ...] = ("new", "cur")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_FILE = (errno.ELOOP, errno.ENXIO)  # a link, a socket
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A file: where it stands, its name there, and what that means. Whoever moves or marks it
    gives it another name, and leaves it its inode."""

    sub: Sub
    name: str
    mail: Filename
    inode: int

    @property
    def order(self) -> tuple[float, str]:
        """By delivery."""
        at = self.mail.delivered
        return (at.timestamp() if at else 0.0, self.mail.unique)


class NotAMail(Exception):
    """What stands there is no file of a size that a mail may have. `size` in octets."""

    def __init__(self, reason: Literal["too_large", "unreadable"], detail: str, size: int) -> None:
        super().__init__(detail)
        self.reason = reason
        self.size = size


class Store:
    """An open Maildir, as a context manager. Every method may raise OSError; a file that is gone,
    or is being written, is passed over."""

    def __init__(self, path: Path, folder: str = "INBOX") -> None:
        self._root = path
        self._path = path if folder == "INBOX" else path / f".{folder}"
        self._at: dict[Sub, int] = {}

    def __enter__(self) -> Self:
        try:
            for sub in SUBS:
                self._at[sub] = os.open(self._path / sub, _FOLDER)
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for at in self._at.values():
            os.close(at)
        self._at.clear()

    def changed(self) -> tuple[int, ...]:
        """When files came or went, in nanoseconds."""
        return tuple(os.fstat(self._at[sub]).st_mtime_ns for sub in SUBS)

    # --- what is there ------------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        """Every mail, in no order."""
        for sub in SUBS:
            with os.scandir(self._at[sub]) as found:
                for each in found:
                    mail = parse(each.name)
                    if mail is not None:
                        yield Entry(sub, each.name, mail, each.inode())

    def waiting(self, wanted: Callable[[Entry], bool], most: int) -> list[Entry]:
        """The mails that are wanted, by delivery; the first of them, and no more in memory,
        however many there are."""
        entries = (entry for entry in self.entries() if wanted(entry))
        return heapq.nsmallest(most, entries, key=lambda entry: entry.order)

    def read(self, entry: Entry, largest: int) -> tuple[bytes, os.stat_result] | None:
        """The bytes of a mail; None where it is gone, or still changes. Raises NotAMail."""
        try:
            file = os.open(entry.name, _FILE, dir_fd=self._at[entry.sub])
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in _NO_FILE:
                raise NotAMail("unreadable", "it is no file", 0) from error
            raise
        try:
            before = os.fstat(file)
            if not stat.S_ISREG(before.st_mode):
                raise NotAMail("unreadable", "it is no file", 0)
            if before.st_size > largest:
                raise NotAMail("too_large", "", before.st_size)
            with os.fdopen(os.dup(file), "rb") as stream:
                data = stream.read(largest + 1)
            after = os.fstat(file)
        finally:
            os.close(file)
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        return (data, after) if same and len(data) == after.st_size else None

    # --- afterwards ---------------------------------------------------------------------------

    def mark(self, entry: Entry) -> None:
        """Into `cur`, as read."""
        if entry.sub == "cur" and "S" in entry.mail.flags:
            return
        self._rename(entry, entry.mail.seen, self._at["cur"])

    def delete(self, entry: Entry) -> None:
        """Away with it."""
        try:
            os.unlink(entry.name, dir_fd=self._at[entry.sub])
        except FileNotFoundError:
            return

    def move(self, entry: Entry, folder: str) -> None:
        """Into another folder (Maildir++), which is made where it is missing; unread as it was."""
        place = self._root if folder == "INBOX" else self._root / f".{folder}"
        for sub in ("", "tmp", "new", "cur"):
            (place / sub).mkdir(mode=0o700, exist_ok=True)
        there = os.open(place / entry.sub, _FOLDER)
        try:
            self._rename(entry, entry.name, there)
        finally:
            os.close(there)

    def _rename(self, entry: Entry, name: str, there: int) -> None:
        try:
            os.stat(name, dir_fd=there, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            raise FileExistsError(errno.EEXIST, "another mail has its name")
        try:
            os.rename(entry.name, name, src_dir_fd=self._at[entry.sub], dst_dir_fd=there)
        except FileNotFoundError:
            return  # somebody was faster
