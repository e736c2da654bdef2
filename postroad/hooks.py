"""What a package of yours adds to the router: rules, header edits, steps. docs/hooks.md tells how.

A hook is a function, named by an entry point in one of four groups:

    postroad.rewrites   (mail, octets) -> octets or None   another Subject and text, for all others
    postroad.steps      (mail) -> mapping or None     looks; what it finds stands in `mail.notes`
    postroad.rules      (mail) -> Hit or None         whether something is to become of the mail
    postroad.edits      (mail) -> Edits or None       what the header of its copies is to have

Those that `[site] hooks` names are active, in its order, on every post to every list. All of this
is stable: names and fields are added, none is changed or taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Verdict = Literal["accept", "hold", "reject", "discard"]

REWRITES, STEPS = "postroad.rewrites", "postroad.steps"
RULES, EDITS = "postroad.rules", "postroad.edits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One post before one list. Nothing in it can be changed.

    Addresses are in their normal form (lower case; of domains the ASCII form). `authors` is who
    From names, `sender` the envelope's, empty for the null sender and None where it is not known.
    `fields` are all header fields in order: name in lower case and decoded value, at most 1,000 of
    them and 2,000 characters of each. `lines` are the first 50 lines that the author wrote, without
    empty ones. `member`: its author is one of this list. `size` is in octets. `notes` are what the
    steps found, by the name of the hook and theirs: `spamcount.words`.
    """

    list: str
    message_id: str = ""
    authors: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    subject: str = ""
    sender: str | None = None
    member: bool = False
    size: int = 0
    fields: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def field(self, name: str) -> str:
        """The value of the first field of this name, whatever its case; empty for none."""
        wanted = name.lower()
        return next((value for each, value in self.fields if each == wanted), "")


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule applies. `reason` is for moderators and kept for long: name no address in it. Without
    a `verdict` it is only remarked on, and other rules decide."""

    reason: str
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the header of every copy: `set` a field in place of all of its name, `add` one,
    `remove` all of its name, `prefix` a Subject. The value is text on one line."""

    op: Literal["set", "add", "remove", "prefix"]
    name: str
    value: str = ""


Edits = Iterable[Edit]
