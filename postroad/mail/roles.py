"""What a domain gets besides the mail of its lists: mail to the people that run it, and strays.

A list that has one of these names keeps its mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from postroad.mail.addresses import match, normalise

# RFC 2142 sections 4 and 5, RFC 5321 section 4.5.1, and where Sympa and Mailman are reached
ROLES = frozenset({"postmaster", "abuse", "listmaster", "mailman"})


def roles(
    addresses: Iterable[str], lists: Mapping[str, str], domains: Sequence[str]
) -> tuple[str, ...]:
    """The domains, of those given (lower case), whose people a mail to these addresses is for.
    `lists` maps addresses to slugs."""
    ours = _ours(addresses, lists, domains)
    found = (domain for local, domain in ours if local.partition("+")[0] in ROLES)
    return tuple(dict.fromkeys(found))


def strays(
    addresses: Iterable[str], lists: Mapping[str, str], domains: Sequence[str]
) -> tuple[str, ...]:
    """The domains, of those given, that these addresses are in without being a list's there."""
    return tuple(dict.fromkeys(domain for _, domain in _ours(addresses, lists, domains)))


def _ours(
    addresses: Iterable[str], lists: Mapping[str, str], domains: Sequence[str]
) -> Iterable[tuple[str, str]]:
    """Local part and domain of what is in these domains and of no list."""
    for address in addresses:
        try:
            local, _, domain = normalise(address).rpartition("@")
        except ValueError:
            continue
        if domain in domains and match(address, lists) is None:
            yield local, domain
