"""What a person is told of an exception: one sentence where it is no bug of ours."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from postroad.runtime.errors import PostroadError, Reject, Retry

_ROOM = "make room there (df -h, df -i), then try again"
_DISK = "look at its disk (dmesg, smartctl)"
# by number: what is wrong with a place where things are kept, and what helps
_PLACES = {
    errno.ENOSPC: ("there is no room left on its disk", _ROOM),
    errno.EDQUOT: ("the disk quota is used up", "make room, or have the quota raised"),
    errno.EIO: ("its disk fails (input/output error)", _DISK),
    errno.EROFS: ("its disk may only be read", "mount it for writing; dmesg may say why"),
    errno.ESTALE: ("its server does not know it any more", "mount its disk again"),
}
# of these nobody knows that they are of a place, unless they name one
_NAMED = {
    errno.EACCES: ("it may not be used by uid {uid}", "change its owner or mode"),
    errno.EPERM: ("it may not be changed by uid {uid}", "change its owner, mode or attributes"),
    errno.ENOTDIR: ("there is a file where a folder should be", "move it away"),
    errno.EISDIR: ("there is a folder where a file should be", "move it away"),
    errno.ELOOP: ("it is a link to itself", "remove it"),
}


def of_a_place(error: OSError) -> str:
    """The sentence for a file or folder that cannot be used, and what helps; "" where the error is
    of something else, as of a connection."""
    named = isinstance(error.filename, str | bytes | os.PathLike)
    known = {**_PLACES, **_NAMED} if named else _PLACES
    if error.errno not in known:
        return ""
    what, remedy = known[error.errno]
    place = os.fsdecode(error.filename) if named else "a file or folder of Postroad"
    return f"{place}: {what.format(uid=os.geteuid())}; {remedy}"


@contextlib.contextmanager
def at(place: Path) -> Iterator[None]:
    """Have an OSError of the block name this file or folder: one of a file that is open names
    none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(place)) from error
        raise


def plainly(error: BaseException) -> PostroadError | None:
    """What a person is told instead of a traceback, with the exit code; None for a bug. Of several
    things that failed at once the first."""
    if isinstance(error, PostroadError):
        return error
    if isinstance(error, Retry | Reject):
        return PostroadError(error.reason)
    if isinstance(error, OSError) and (told := of_a_place(error)):
        return PostroadError(told)
    if isinstance(error, BaseExceptionGroup):
        told_of = [plainly(each) for each in error.exceptions]
        return told_of[0] if all(told_of) else None
    return None
