"""A list: created, configured, closed. The aggregate of `lists.<slug>`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count

import msgspec

from schemas import subjects
from schemas.envelope import Event
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListSettings
from services.membership import settings
from services.membership.refused import Refused

LONGEST_SLUG = 100  # characters; an address may have 254, a subject should stay readable


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What holds for one list. Without `address` it does not exist."""

    slug: str = ""
    address: str = ""
    settings: ListSettings = ListSettings()
    closed: bool = False

    @property
    def open(self) -> bool:
        """Whether it takes mail and commands."""
        return bool(self.address) and not self.closed


initial = State()


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case ListCreated():
            return State(slug=event.slug, address=event.address, settings=event.settings)
        case ListConfigured():
            new = {name: change[1] for name, change in event.changes.items()}
            return msgspec.structs.replace(state, settings=_with(state.settings, new))
        case ListClosed():
            return msgspec.structs.replace(state, closed=True)
        case _:
            return state


def decide_create(
    known: Mapping[str, State], *, address: str, typed: Mapping[str, str]
) -> ListCreated:
    """Create the list `address` (normalised) with settings as typed, among all lists ever
    `known` by slug. Raises Refused where the address is in use or a setting is wrong."""
    if any(state.open and state.address == address for state in known.values()):
        raise Refused("list_exists", f"the list {address} exists already")
    given = settings.parse(typed)
    given.setdefault("display_name", address.partition("@")[0].capitalize())
    slug = next(slug for slug in slugs(address) if slug not in known)
    return ListCreated(slug=slug, address=address, settings=_with(ListSettings(), given))


def decide_configure(state: State, *, typed: Mapping[str, str]) -> tuple[Event, ...]:
    """Change settings as typed. Raises Refused for a closed list or a wrong setting."""
    if not state.open:
        raise Refused("closed", f"the list {state.address} is closed")
    wanted = settings.parse(typed)
    changes: dict[str, tuple[object, object]] = {
        name: (getattr(state.settings, name), value)
        for name, value in wanted.items()
        if getattr(state.settings, name) != value
    }
    return (ListConfigured(changes=changes),) if changes else ()


def decide_close(state: State, *, reason: str = "") -> tuple[Event, ...]:
    """Take no more mail."""
    return (ListClosed(reason=reason),) if state.open else ()


def slugs(address: str) -> Iterator[str]:
    """Names for the list `address` in subjects, best first: `team-lists-example-org`, then the
    same with -2, -3, ... `none` is reserved for mail that is for no list."""
    words = re.sub(r"[^a-z0-9]+", "-", address.lower()).strip("-")[:LONGEST_SLUG].strip("-")
    base = words or "list"
    if base != subjects.NO_LIST:
        yield base
    yield from (f"{base}-{number}" for number in count(2))


def _with(old: ListSettings, new: Mapping[str, object]) -> ListSettings:
    """Settings with some replaced; values may be plain data, as they come from the wire,
    and a setting that only a newer release knows is passed over."""
    now = msgspec.structs.asdict(old)
    known = {name: value for name, value in new.items() if name in now}
    return msgspec.convert({**now, **known}, ListSettings)
