"""Regular expressions that owners write, searched by RE2: in time linear in the text, whatever the
expression. Python's own take longer than a mail system lives for some (`(a+)+$`).

Letter case never matters. Bounds: 512 octets of an expression, what it becomes (a `x{1,900}` is 900
times x), and 1 MiB for the search. The worst that fits, of many repetitions, takes 10 ms for 2,000
characters, as many as are read of a header field; what people write takes microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import re2

OCTETS = 512
_PROGRAM = 1_250  # RE2's instructions; `\pL` is 1,200
_TOGETHER = 5_000  # the same, of many looked for at once, which takes no longer than one by one
_MEMORY = 1 << 20  # octets
_KEPT = 200  # compiled

_options = re2.Options()
_options.case_sensitive = False
_options.max_mem = _MEMORY
_options.log_errors = False

# What Python and Perl know and RE2 does not, by what RE2 says of it.
_LACKS = (
    ("(?=", "look-ahead"),
    ("(?!", "look-ahead"),
    ("(?<", "look-behind"),
    ("(?>", "an atomic group"),
    ("++", "a possessive repetition"),
    ("*+", "a possessive repetition"),
    *((f"sequence: \\{digit}", "a reference back to a group") for digit in range(1, 10)),
)


def check(pattern: str) -> str:
    """The pattern, which can be searched for. Raises ValueError with what is wrong with it."""
    octets = pattern.encode("utf-8", "replace")
    if not pattern:
        raise ValueError("an empty pattern is found everywhere")
    if len(octets) > OCTETS:
        raise ValueError(f"a pattern may have {OCTETS} octets, this one has {len(octets)}")
    if not pattern.isprintable():
        raise ValueError("a pattern must be one line without control characters")
    try:
        program = re2.compile(octets, _options).programsize
    except re2.error as error:
        raise ValueError(f"the pattern {pattern} {_why(error)}") from None
    if program > _PROGRAM:
        raise ValueError(f"the pattern {pattern} is too large with its repetitions written out")
    return pattern


def found_in_all(pattern: str, texts: Iterable[str]) -> bool:
    """Whether the pattern is found in each of these texts. Never raises."""
    return all(found(pattern, text) for text in texts)


def found(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text. One that cannot be searched for (an older release
    took it) is found nowhere. Never raises."""
    search = _compiled(pattern)
    return search is not None and search.search(text.encode("utf-8", "replace")) is not None


def any_found(patterns: tuple[str, ...], text: str) -> bool:
    """Whether one of them is found: as fast as looking for one, where all together are not too
    large. Never raises."""
    together = _together(patterns)
    if together is None:
        return any(found(pattern, text) for pattern in patterns)
    return together.search(text.encode("utf-8", "replace")) is not None


@lru_cache(_KEPT)
def _together(patterns: tuple[str, ...]) -> Any:
    """All of them as one; None where that is too large, or none of them can be searched for."""
    joined = "|".join(f"(?:{each})" for each in patterns if _compiled(each) is not None)
    try:
        together = re2.compile(joined.encode(), _options)
    except re2.error:
        return None
    return together if joined and together.programsize <= _TOGETHER else None


@lru_cache(_KEPT)
def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(check(pattern).encode(), _options)
    except ValueError:
        return None


def _why(error: re2.error) -> str:
    said = error.args[0].decode("utf-8", "replace") if error.args else ""
    if "too large" in said or "repetition size" in said:
        return "is too large with its repetitions written out"
    for mark, name in _LACKS:
        if mark in said:
            return f"has {name}, which is not supported; patterns are RE2's"
    return f"is no pattern: {said}"
