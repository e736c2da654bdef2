r"""Senders as owners name them in the settings of a list: entries, and whom they mean.

#0f3a...        one address, by its key (`postroad.mail.tokens.address_key`): settings are kept
                for ever, addresses are not
^.*\.example$    a pattern (`postroad.mail.patterns`) that is found in the address
@evil.example   everybody at this domain
@a@b.example    the members of the list a@b.example
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from postroad.mail import patterns

# As different as addresses are: a pattern that is found in all of these is found in everybody's.
_ANYBODY = (
    "q@x.example",
    "7.0@9-8.co.uk",
    "!#$%&'*+/=?^_`{|}~-@zz.zz",
    "0@a.rather.long.chain.of.names.org",
    f"{'abcdefghijklm' * 4}@wherever.museum",
)


def of_key(key: str) -> str:
    """The entry of one address."""
    return f"#{key}"


def named(entries: tuple[str, ...], address: str, known: Collection[str] = ()) -> str:
    """The first entry that means this address (normalised); empty where none does. `known` are
    the entries that do and of which only membership can tell: keys and lists."""
    domain = f"@{address.rpartition('@')[2]}"
    by_pattern = patterns.any_found(_patterns(entries), address)
    for entry in entries:
        if entry.startswith("^"):
            if by_pattern and patterns.found(entry, address):
                return entry
        elif entry in known or entry == domain:
            return entry
    return ""


def means_everybody(pattern: str) -> bool:
    """Whether a pattern for addresses tells nobody from anybody else."""
    return patterns.found_in_all(pattern, _ANYBODY)


@lru_cache(1_000)
def _patterns(entries: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(entry for entry in entries if entry.startswith("^"))
