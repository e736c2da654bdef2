"""The names of files in a Maildir. Pure.

`1772600767.M1P2.mx:2,FS`: a unique name, which says when the mail was delivered and stays the same
for ever, and in `cur` the flags, which do not.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

_SECONDS = re.compile(r"(\d{1,10})(?:[.,_-]|\Z)", re.ASCII)


class Filename(msgspec.Struct, frozen=True, gc=False):
    """A name as it stands in `new` or `cur`: its unique part, and its flags ("S" for seen)."""

    unique: str
    flags: str = ""

    @property
    def waits(self) -> bool:
        """Whether nobody has read this mail yet, nor thrown it away."""
        return not set(self.flags) & {"S", "T"}

    @property
    def seen(self) -> str:
        """The name of the same mail in `cur` once it is read; flags stand in order."""
        return f"{self.unique}:2,{''.join(sorted({*self.flags, 'S'}))}"

    @property
    def shown(self) -> str:
        """The unique name as text that can be stored, whatever octets it has."""
        return self.unique.encode("utf-8", "backslashreplace").decode()

    @property
    def delivered(self) -> datetime | None:
        """When, as the name says; None where it does not."""
        found = _SECONDS.match(self.unique)
        return datetime.fromtimestamp(int(found[1]), UTC) if found and int(found[1]) else None


def parse(name: str) -> Filename | None:
    """A name of a mail; None for what is none, as `.nfs0001`."""
    if name.startswith("."):
        return None
    unique, _, info = name.partition(":")
    return Filename(unique, info[2:] if info.startswith("2,") else "")
