"""What a sink wrote down: one JSON line for each accepted transaction or broken rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One accepted transaction. `time` is Unix time, `size` counts octets, the digests are
    SHA-256 in hex of the whole data and of what follows the first empty line. Header texts are
    UTF-8 with surrogate escapes, unfolded; `list_id` is the part in angle brackets. `file` holds
    the data where the sink was told to keep it."""

    time: float
    connection: int
    helo: str
    sender: str
    parameters: str
    recipients: tuple[str, ...]
    size: int
    sha256: str
    body_sha256: str
    message_id: str
    list_id: str
    trace: str
    headers: str
    file: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A rule of the protocol that a client broke."""

    time: float
    connection: int
    violation: str


class Growing:
    """A record file that is looked at again and again: each of its lines is read once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._end = 0  # octets that are read
        self._found: list[Record] = []

    def records(self) -> list[Record]:
        """The transactions so far, in the order they were accepted."""
        whole = _whole(self.file, self._end)
        self._end += len(whole)
        self._found += _records(map(json.loads, whole.splitlines()))
        return self._found.copy()


def read(*files: Path) -> list[Record]:
    """The transactions in these record files, in the order they were accepted."""
    return list(_records(_lines(files)))


def _records(lines: Iterable[dict[str, Any]]) -> Iterator[Record]:
    for told in lines:
        if "violation" not in told:
            yield Record(**{**told, "recipients": tuple(told["recipients"])})


def violations(*files: Path) -> list[Violation]:
    """The broken rules in these record files."""
    return [Violation(**told) for told in _lines(files) if "violation" in told]


def copies(file: Path, start: int = 0) -> tuple[int, int]:
    """How many copies (recipients of transactions) stand in a record file from the octet
    `start` on, and the octet to look from next time: to follow a file that grows."""
    whole = _whole(file, start)
    told = map(json.loads, whole.splitlines())
    return sum(len(line.get("recipients", ())) for line in told), start + len(whole)


def _lines(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from map(json.loads, _whole(file).splitlines())


def _whole(file: Path, start: int = 0) -> bytes:
    """The whole lines from `start` on, in one read: a line without its end is being written, and
    whoever read on would take the rest of it for a line."""
    with file.open("rb") as lines:
        lines.seek(start)
        found = lines.read()
    return found[: found.rfind(b"\n") + 1]
