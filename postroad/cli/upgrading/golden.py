"""Logs of earlier releases, each with what that release made of it.

A line is a message: stream, sequence, time in nanoseconds, subject, and the event as JSON. The last
line is the outcome. `python -m tests.golden.log` makes one (CONTRIBUTING.md says when).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from itertools import groupby
from operator import itemgetter

import msgspec

from postroad.cli.upgrading.outcome import Folding, Outcome
from postroad.cli.upgrading.tables import Tables
from postroad.runtime.stored import Stored
from projections.catalog import projections

Line = tuple[str, int, int, str, msgspec.Raw]


def releases() -> list[str]:
    """The releases of which there is a log."""
    folder = resources.files(__package__).joinpath("logs")
    return sorted(each.name.removesuffix(".jsonl") for each in folder.iterdir())


def log(release: str) -> tuple[list[tuple[str, Stored]], Outcome]:
    """The messages of a log, and what they became."""
    octets = resources.files(__package__).joinpath("logs", f"{release}.jsonl").read_bytes()
    *lines, last = octets.splitlines()
    return list(_messages(lines)), msgspec.json.decode(last, type=Outcome)


def _messages(lines: Iterable[bytes]) -> Iterator[tuple[str, Stored]]:
    for line in lines:
        stream, seq, ns, subject, body = msgspec.json.decode(line, type=Line)
        yield stream, Stored(subject, seq, bytes(body), ns=ns)


def folded(messages: Iterable[tuple[str, Stored]]) -> Outcome:
    """What they become in this release."""
    folding = Folding(projections(), Tables(projections()).stored)
    for stream, some in groupby(messages, key=itemgetter(0)):
        folding.take(stream, [stored for _, stored in some])
    return folding.outcome()
