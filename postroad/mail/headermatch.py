r"""A header match, Mailman's `header_matches`: an action for mails with such a header field.

Written as one line: `hold Subject: ^\[ad\]`. The action may be left out and is then `hold`; what
stands behind the colon and one blank is a pattern (`postroad.mail.patterns`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple, cast, get_args

from postroad.mail import patterns

Action = Literal["accept", "hold", "reject", "discard"]
ACTIONS: tuple[Action, ...] = get_args(Action)

# As different as values are: a pattern found in all of these looks for nothing.
_ANYTHING = ("q", "7 0", "~" * 300)
_PRESENT = "."  # the one that says plainly that any value will do

_LINE = re.compile(r"(?:([A-Za-z]+)\s+)?([!-9;-~]{1,76})\s*:\s?(.*)", re.DOTALL)


class HeaderMatch(NamedTuple):
    """What becomes of a mail in which one of the fields `header` has the pattern."""

    action: Action
    header: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.action} {self.header}: {self.pattern}"


def typed(line: str) -> HeaderMatch:
    """A match as typed. Raises ValueError with what is wrong with it."""
    match = parse(line)
    if match.pattern != _PRESENT and patterns.found_in_all(match.pattern, _ANYTHING):
        raise ValueError(
            f"the pattern {match.pattern} is found in everything; write what to look for, or a "
            f"single . for any {match.header} that is not empty"
        )
    return match


def parse(line: str) -> HeaderMatch:
    """A match as it is kept. Raises ValueError with what is wrong with it."""
    typed = _LINE.fullmatch(line.strip())
    if typed is None:
        raise ValueError(f"{line!r} is not of the form `hold Subject: pattern`")
    action = (typed[1] or "hold").lower()
    if action not in ACTIONS:
        raise ValueError(f"{typed[1]!r} is no action; there are {', '.join(ACTIONS)}")
    return HeaderMatch(cast("Action", action), typed[2], patterns.check(typed[3].rstrip()))


@lru_cache(1_000)
def read(lines: tuple[str, ...]) -> tuple[HeaderMatch, ...]:
    """The matches of a list, as they are kept. Never raises: what can no longer be read (an older
    release took it) is left out."""
    found = []
    for line in lines:
        try:
            found.append(parse(line))
        except ValueError:
            continue
    return tuple(found)


@lru_cache(1_000)
def by_header(lines: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The patterns of these matches, by lower-case name of the field."""
    found: dict[str, tuple[str, ...]] = {}
    for match in read(lines):
        name = match.header.lower()
        found[name] = (*found.get(name, ()), match.pattern)
    return tuple(found.items())
