"""A list: created, configured, closed. The aggregate of `lists.<slug>`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import get_args

import msgspec

from postroad.mail import mergefields
from postroad.mail.addresses import Form, SubAddress, match, parse_address, sub_address
from schemas import subjects
from schemas.envelope import Event
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListLetterSet, ListSettings
from services.membership import settings
from services.membership.entries import NOWHERE, Around
from services.membership.refused import Refused

MOST_LETTERS = 200  # own texts of one list
LONGEST_SLUG = 100  # characters; an address may have 254, a subject should stay readable


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What holds for one list. Without `address` it does not exist. `letters` are its own texts,
    as typed, by letter and language (empty for every one)."""

    slug: str = ""
    address: str = ""
    settings: ListSettings = ListSettings()
    letters: Mapping[tuple[str, str], str] = {}
    closed: bool = False

    @property
    def open(self) -> bool:
        """Whether it takes mail and commands."""
        return bool(self.address) and not self.closed

    @property
    def domain(self) -> str:
        """The domain it lives in."""
        return self.address.rpartition("@")[2]

    @property
    def name(self) -> str:
        """What people call it."""
        return self.settings.display_name or self.address.rpartition("@")[0]


initial = State()


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case ListCreated():
            return State(slug=event.slug, address=event.address, settings=event.settings)
        case ListConfigured():
            new = {name: change[1] for name, change in event.changes.items()}
            return msgspec.structs.replace(state, settings=_with(state.settings, new))
        case ListLetterSet():
            key = event.letter, event.language
            others = {each: text for each, text in state.letters.items() if each != key}
            letters = {**others, key: event.new} if event.new else others
            return msgspec.structs.replace(state, letters=letters)
        case ListClosed():
            return msgspec.structs.replace(state, closed=True)
        case _:
            return state


def decide_create(
    known: Mapping[str, State],
    *,
    address: str,
    typed: Mapping[str, str],
    around: Around = NOWHERE,
) -> ListCreated:
    """Create the list `address` (normalised) with settings as typed, among all lists ever
    `known` by slug. Raises Refused where the address is in use, also as one of those at which
    another list takes commands, is too long, or a setting is wrong."""
    taken = [state.address for state in known.values() if state.open]
    if address in taken:
        raise Refused("list_exists", f"the list {address} exists already")
    _refuse_twice_used(address, taken)
    given = settings.parse(typed, around=around)
    given.setdefault("display_name", address.partition("@")[0].capitalize())
    slug = next(slug for slug in slugs(address) if slug not in known)
    made = _with(ListSettings(), given)
    _refuse_too_long(address, made.sub_address)
    _refuse_shared_address(made)
    _refuse_to_itself(address, made)
    _refuse_answers_to_nobody(made)
    return ListCreated(slug=slug, address=address, settings=made)


def decide_configure(
    state: State, *, typed: Mapping[str, str], around: Around = NOWHERE
) -> tuple[Event, ...]:
    """Change settings as typed. Raises Refused for a closed list or a wrong setting."""
    if not state.open:
        raise Refused("closed", f"the list {state.address} is closed")
    wanted = settings.parse(typed, state.settings, around)
    made = _with(state.settings, wanted)
    if "sub_address" in wanted:
        _refuse_too_long(state.address, made.sub_address)
    if {"header", "footer", "personalize"} & set(wanted):
        _refuse_shared_address(made)
    _refuse_to_itself(state.address, made)
    _refuse_answers_to_nobody(made)
    changes: dict[str, tuple[object, object]] = {
        name: (getattr(state.settings, name), value)
        for name, value in wanted.items()
        if getattr(state.settings, name) != value
    }
    return (ListConfigured(changes=changes),) if changes else ()


def decide_letter(state: State, *, letter: str, language: str, text: str) -> tuple[Event, ...]:
    """Have a letter say this `text`, which fits it; an empty one brings back ours. Raises Refused
    for a closed list, or one that has too many."""
    if not state.open:
        raise Refused("closed", f"the list {state.address} is closed")
    old = state.letters.get((letter, language), "")
    if text == old:
        return ()
    if text and not old and len(state.letters) >= MOST_LETTERS:
        raise Refused("bad_setting", f"{state.address} has {MOST_LETTERS} own texts, the most")
    return (ListLetterSet(letter=letter, language=language, old=old, new=text),)


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


def _refuse_twice_used(address: str, taken: Iterable[str]) -> None:
    """Refused where one of two lists is what the other has for commands, bounces or its owners:
    mail to that would go to the list of that name."""
    local = address.rpartition("@")[0]
    for other in taken:
        if not other.startswith(local) and not local.startswith(other.rpartition("@")[0]):
            continue
        for one, of in ((address, other), (other, address)):
            hit = match(one, {of: "list"})
            if hit and hit.slug and hit.sub:
                raise Refused(
                    "list_exists",
                    f"{one} is an address of the list {of} (-{hit.sub}), so {address} cannot be "
                    f"a list beside {other}; choose another name",
                )


def _refuse_to_itself(address: str, made: ListSettings) -> None:
    """Refused where each post would come back to the list."""
    own = {address, *made.acceptable_aliases}
    if again := own.intersection(made.also_to):
        raise Refused("bad_setting", f"also_to: {min(again)} is the list itself")


def _refuse_too_long(address: str, form: Form) -> None:
    """Refused where a sub-address would have more before the @ than servers take. At a list
    without sub-addresses its owners' is read all the same."""
    if form == "none":
        longest = sub_address(address, "owner", "dash")
    else:
        longest = max((sub_address(address, sub, form) for sub in get_args(SubAddress)), key=len)
    if parse_address(longest) is None:
        raise Refused(
            "bad_address",
            f"the name of the list {address} is too long: its address {longest} would pass what "
            "mail servers take (64 octets before the @, 254 in all); choose a shorter one",
        )


def _refuse_answers_to_nobody(made: ListSettings) -> None:
    """Refused where answers are to go to an address that is not said."""
    if made.reply_goes_to_list.startswith("explicit_header") and not made.reply_to_address:
        raise Refused(
            "bad_setting",
            f"reply_goes_to_list={made.reply_goes_to_list}: set reply_to_address as well, "
            "the address that answers go to",
        )


def _refuse_shared_address(made: ListSettings) -> None:
    """Refused where the list's lines name each reader, and all readers share one copy. Their other
    field of a person has a form for all: `$unsubscribe` is then the address for leaving."""
    for name in ("header", "footer"):
        fields = mergefields.parse(getattr(made, name))[1::2]
        if made.personalize == "none" and "user_email" in fields:
            raise Refused(
                "bad_setting",
                f"{name}: $user_email is different for each member, and with mode=shared all get "
                f"the same copy; set mode=personal, or a {name} without it",
            )


def _with(old: ListSettings, new: Mapping[str, object]) -> ListSettings:
    """Settings with some replaced; values may be plain data, as they come from the wire,
    and a setting that only a newer release knows is passed over."""
    now = msgspec.structs.asdict(old)
    known = {name: value for name, value in new.items() if name in now}
    return msgspec.convert({**now, **known}, ListSettings)
