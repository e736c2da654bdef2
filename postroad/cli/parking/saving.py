"""Octets into a file, or to stdout, exactly as they are."""

from __future__ import annotations

import os
import sys

from postroad.runtime.errors import PostroadError, UsageError


def save(data: bytes, file: str) -> None:
    """Write them into a new file that only its owner may read; `-` is stdout. Raises UsageError
    where there is such a file already or on a terminal, PostroadError where it cannot be written.
    """
    if file == "-":
        if sys.stdout.isatty():
            raise UsageError("these octets could do anything to a terminal; give a file instead")
        sys.stdout.buffer.write(data)
        return
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{file} exists; name a new file") from None
    except OSError as error:
        raise PostroadError(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "wb") as out:
        out.write(data)
    print(f"{len(data):,} octets in {file}", file=sys.stderr)
