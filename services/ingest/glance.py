"""What a folder is like, read from the answers to EXAMINE, SEARCH, MYRIGHTS and FETCH. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.ingest.syntax import Lines

_RESULTS = b"\nauthentication-results:"
_PERMANENT = re.compile(rb"\[PERMANENTFLAGS \(([^)]*)\)\]", re.IGNORECASE)
_EXISTS = re.compile(rb"(\d+) EXISTS", re.IGNORECASE)


@dataclass(frozen=True)
class Glance:
    """A folder. `flags` are the PERMANENTFLAGS, `rights` those of MYRIGHTS (RFC 4314), each
    None where the server does not say; `newest` are the header blocks of the newest mails, the
    newest last; `older` those of mails before, looked at where none of the newest has results.
    """

    mails: int = 0
    unread: int = 0
    flags: frozenset[str] | None = None
    rights: str | None = None
    newest: tuple[bytes, ...] = ()
    older: tuple[bytes, ...] = ()


def has_results(block: bytes) -> bool:
    """Whether a header block has Authentication-Results."""
    return _RESULTS in b"\n" + block.lower()


def permanent_flags(opened: Lines) -> frozenset[str] | None:
    """The flags that would last, from the answer to EXAMINE or SELECT."""
    found = _PERMANENT.search(b"\n".join(opened))
    return frozenset(found[1].decode("ascii", "replace").split()) if found else None


def exists(opened: Lines) -> int:
    """How many mails there are."""
    return max((int(number) for number in _EXISTS.findall(b"\n".join(opened))), default=0)


def rights(answered: Lines) -> str | None:
    """The last word of `MYRIGHTS folder rights`; the last line is the tagged one."""
    words = next((line.split() for line in answered[:-1] if line.strip()), None)
    return words[-1].decode("ascii", "replace") if words else None


def literals(answered: Lines) -> tuple[bytes, ...]:
    """Every literal of an answer, in order."""
    return tuple(bytes(line) for line in answered if isinstance(line, bytearray))
