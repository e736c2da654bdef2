"""The lists there are, folded from the LISTS stream: which address belongs to which. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from postroad.mail.addresses import sub_address
from postroad.mail.listheaders import list_id
from schemas.envelope import Event
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListSettings


class List(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One list as it stands. `seq` is the LISTS sequence of its latest event: the version of
    the settings a decision rests on."""

    slug: str
    address: str  # normalised
    settings: ListSettings = ListSettings()
    seq: int = 0
    closed: bool = False
    created: datetime | None = None

    @property
    def domain(self) -> str:
        """The domain it lives in."""
        return self.address.rpartition("@")[2]

    @property
    def owner_address(self) -> str:
        """Where its owners are reached; the dash form is read whatever `sub_address` is."""
        return sub_address(self.address, "owner", "dash")

    @property
    def names(self) -> tuple[str, ...]:
        """Every address that means this list; a `^pattern` among the aliases routes nothing."""
        aliases = self.settings.acceptable_aliases
        return (self.address, *(alias for alias in aliases if not alias.startswith("^")))


def evolve(
    known: List | None, slug: str, seq: int, events: Iterable[Event], at: datetime | None = None
) -> List | None:
    """The list `slug` after one message of its subject, of the time `at`; None while it does not
    exist."""
    for event in events:
        match event:
            case ListCreated():
                known = List(slug=slug, address=event.address, settings=event.settings, created=at)
            case ListConfigured() if known is not None:
                known = msgspec.structs.replace(
                    known, settings=_changed(known.settings, event.changes)
                )
            case ListClosed() if known is not None:
                known = msgspec.structs.replace(known, closed=True)
    return msgspec.structs.replace(known, seq=seq) if known is not None else None


def _changed(settings: ListSettings, changes: Mapping[str, tuple[object, object]]) -> ListSettings:
    """Settings with the new values, which come from the wire as plain data. A setting that only
    a newer release knows is passed over."""
    now = msgspec.structs.asdict(settings)
    new = {name: change[1] for name, change in changes.items() if name in now}
    return msgspec.convert({**now, **new}, ListSettings)


class Directory:
    """Every list by slug, and the addresses a source may reach. `seq` is how far it has folded."""

    def __init__(self) -> None:
        self.seq = 0
        self._lists: dict[str, List] = {}
        self._reach: dict[tuple[str, bool], dict[str, str]] = {}

    def __getitem__(self, slug: str) -> List:
        return self._lists[slug]

    def __contains__(self, slug: str) -> bool:
        return slug in self._lists

    def get(self, slug: str) -> List | None:
        """The list with this slug, if there is one."""
        return self._lists.get(slug)

    def fold(
        self, slug: str, seq: int, events: Iterable[Event], at: datetime | None = None
    ) -> None:
        """Take in one message of the LISTS stream."""
        known = evolve(self._lists.get(slug), slug, seq, events, at)
        if known is not None:
            self._lists[slug] = known
        self.seq = seq
        self._reach.clear()

    def reach(self, domain: str = "", *, closed: bool = False) -> Mapping[str, str]:
        """Address to slug of the lists in `domain` (empty: in every one), open or else closed.

        An address two lists claim belongs to the one it is the posting address of.
        """
        if (domain, closed) not in self._reach:
            found: dict[str, str] = {}
            wanted = [
                known
                for known in self._lists.values()
                if known.closed is closed and domain in ("", known.domain)
            ]
            for known in wanted:
                for alias in known.names[1:]:
                    found.setdefault(alias, known.slug)
            found.update((known.address, known.slug) for known in wanted)
            self._reach[domain, closed] = found
        return self._reach[domain, closed]

    def within(self, domain: str = "") -> tuple[List, ...]:
        """The open lists in `domain` (empty: in every one)."""
        return tuple(self._lists[slug] for slug in dict.fromkeys(self.reach(domain).values()))

    @property
    def any_password(self) -> bool:
        """Whether an open list has a moderator's password."""
        return any(known.settings.moderator_password for known in self._lists.values())

    def named(self, id_: str, domain: str = "") -> List | None:
        """The open list in `domain` with this List-Id (lower case)."""
        lists = self.reach(domain)
        at = id_.find(".")
        while at > 0:
            slug = lists.get(f"{id_[:at]}@{id_[at + 1 :]}")
            if slug is not None and list_id(self._lists[slug].address) == id_:
                return self._lists[slug]
            at = id_.find(".", at + 1)
        return None
