"""Every list there ever was, by slug, and the open ones by address. Folded from LISTS. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import reduce

import msgspec

from postroad.mail.addresses import match, normalise
from schemas.envelope import Envelope
from services.membership import lists
from services.membership.refused import Refused


class Listed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A list as it stands; `seq` is the LISTS sequence of its last event."""

    state: lists.State
    since: datetime
    seq: int


class Directory:
    """The lists."""

    def __init__(self) -> None:
        self.known: dict[str, lists.State] = {}
        self._listed: dict[str, Listed] = {}
        self._open: dict[str, str] = {}  # address to slug

    def fold(self, slug: str, seq: int, envelope: Envelope) -> None:
        """Take in one message of `lists.<slug>`."""
        before = self._listed.get(slug)
        state = reduce(lists.evolve, envelope.events, before.state if before else lists.initial)
        since = before.since if before else envelope.ts
        self._listed[slug] = Listed(state=state, since=since, seq=seq)
        self.known[slug] = state
        if state.open:
            self._open[state.address] = slug
        elif self._open.get(state.address) == slug:
            del self._open[state.address]

    def get(self, slug: str) -> Listed | None:
        """A list by slug, open or closed."""
        return self._listed.get(slug)

    def find(self, name: str) -> Listed:
        """The list of this slug or address, an open one before a closed one.

        Raises Refused ("unknown_list").
        """
        address = _normal(name.strip())
        found = self._listed.get(self._open.get(address, address))
        if found is None:
            closed = [one for one in self._listed.values() if one.state.address == address]
            if not closed:
                told = f"there is no list {name.strip()!r}; `postroad list ls` shows them"
                raise Refused("unknown_list", told)
            found = max(closed, key=lambda one: one.seq)
        return found

    def find_open(self, name: str) -> Listed:
        """The same, but closed lists are refused as well ("closed")."""
        found = self.find(name)
        if not found.state.open:
            raise Refused("closed", f"the list {found.state.address} is closed")
        return found

    @property
    def addresses(self) -> Collection[str]:
        """Of all open lists."""
        return self._open.keys()

    def at(self, address: str) -> str:
        """The slug of the open list with this address (normalised), empty where there is none."""
        return self._open.get(address, "")

    def means_list(self, address: str) -> bool:
        """Whether mail to this address comes back to one of our open lists."""
        return match(address, self._open) is not None

    def reserved(self, slug: str, address: str) -> bool:
        """Whether nobody can be on the list `slug` with this address: mail to it goes to that list
        itself, or is a command to any."""
        found = match(address, self._open)
        return found is not None and (found.slug == slug or found.sub not in ("", "owner"))

    def page(self, after: str, limit: int) -> Iterator[Listed]:
        """Open lists in order of address."""
        addresses = sorted(address for address in self._open if address > after)[:limit]
        return (self._listed[self._open[address]] for address in addresses)


def _normal(name: str) -> str:
    """A slug or an address as the directory knows it; anything else only in lower case."""
    with contextlib.suppress(ValueError):
        return normalise(name)
    return name.lower()
