"""Requests to membership about earlier moments, for `postroad replay` and `postroad simulate`.

Never stored, as those of schemas.commands. Moments are sequences of MEMBERSHIP.
"""

from __future__ import annotations

from msgspec import field

from schemas.commands import Answer, Change, Command
from schemas.membership import Moderation, Role


class PastFacts(Command, kw_only=True):
    """Endpoint `past_facts`: whose these addresses are, and how these persons, and theirs, stood
    on each list at each time; at most 1,000 in all."""

    addresses: tuple[str, ...] = ()  # normalised
    people: tuple[str, ...] = ()


class Life(Command, kw_only=True):
    """How a person stood on a list from `start` up to, and not including, `end` (0: until now)."""

    list: str  # slug
    person: str
    start: int
    end: int = 0
    roles: tuple[Role, ...] = ()
    moderation: Moderation = ""
    receive_own_postings: bool = True
    receive_list_copy: bool = True


class Known(Answer, kw_only=True):
    """Answer to `PastFacts`. `persons` are those of known addresses, `entries` what means each
    address in the settings of a list (`postroad.mail.senders`). `later` are persons whose `lives`
    did not fit; ask for them again."""

    persons: dict[str, str] = field(default_factory=dict)
    entries: dict[str, str] = field(default_factory=dict)
    lives: tuple[Life, ...] = ()
    later: tuple[str, ...] = ()


class PastAudience(Command, kw_only=True):
    """Endpoint `past_audience`: how many received posts of a list at `after`, and how that changed
    up to `upto`."""

    list: str  # slug
    after: int
    upto: int


class Audience(Answer, kw_only=True):
    """Answer to `PastAudience`: at `after` it was `count`, and by how much it changed at which
    sequences. Those behind `reached` are left out where it is not `upto`; ask again from there."""

    count: int = 0
    steps: tuple[tuple[int, int], ...] = ()
    reached: int = 0


class ProposeSettings(Command, kw_only=True):
    """Endpoint `propose`: what `list_set` would change. Nothing is."""

    list: str  # address or slug
    settings: dict[str, str] = field(default_factory=dict)


class Proposed(Answer, kw_only=True):
    """Answer to `ProposeSettings`: name to (old, new), by the slug of the list."""

    slug: str = ""
    address: str = ""
    changes: dict[str, tuple[object, object]] = field(default_factory=dict)


class Stopped(Command, kw_only=True):
    """A mail that went to nobody on a list. `decided` is the sequence of what was last decided on
    it there, 0 for nothing; `as_of` the moment whose members are to get it."""

    mail_id: str
    decided: int = 0
    as_of: int = 0


class LetThrough(Change, kw_only=True):
    """Endpoint `let_through`: let these mails through, at most 200, which rules stopped or which
    did not reach the list. What somebody has decided on stays so."""

    list: str  # slug
    mails: tuple[Stopped, ...] = ()


class MissingCopies(Change, kw_only=True):
    """Endpoint `missing`: who was to get a post, by the settings of now and the members of then,
    has no copy queued, and gets mail of the list now; with `go` they are queued."""

    list: str  # slug
    mail_id: str
    go: bool = False


class Done(Answer, kw_only=True):
    """Answer to both: how many mails were let through, or copies are `missing` and were `queued`;
    what was left, by mail id, and why."""

    done: tuple[str, ...] = ()
    left_alone: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()  # addresses
    queued: int = 0
