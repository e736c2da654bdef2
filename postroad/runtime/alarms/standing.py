"""What stands, what of it is told, and when. Pure.

A thing is told of when it has lasted for its `after`, once; again where its reason changes, at
most every `again` seconds; and once more when it is well. What cannot be seen stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec


class Key(NamedTuple):
    """Which alarm, and of what: `relay`, `out`."""

    alarm: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that is wrong now. `text` says what, and what helps, after the words for the
    thing itself (`kind` and `name`); `after` is how many seconds it must have lasted."""

    key: Key
    kind: str
    text: str
    service: str = ""
    after: float = 0.0
    again: float = 0.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong `since` a time. `told` is when somebody was told last (0: nobody
    yet), and `said` what. Times are seconds since the epoch."""

    alarm: str
    name: str
    kind: str
    text: str
    service: str = ""
    since: float
    told: float = 0.0
    said: str = ""

    @property
    def key(self) -> Key:
        """Which alarm, and of what."""
        return Key(self.alarm, self.name)


@dataclass(frozen=True, slots=True)
class Decision:
    """What stands now; of whom people are to be told that it is wrong, and that it is well."""

    standing: Mapping[Key, Standing]
    raised: tuple[Standing, ...] = ()
    cleared: tuple[Standing, ...] = ()


def decide(
    before: Mapping[Key, Standing], found: Iterable[Found], well: Collection[Key], now: float
) -> Decision:
    """What is to be told. `well` are the things that are known to be well; what is neither found
    nor well could not be seen, and stays as it is."""
    standing = dict(before)
    raised: list[Standing] = []
    cleared: list[Standing] = []
    for each in found:
        known = _known(before.get(each.key), each, now)
        if _due(known, each, now):
            known = msgspec.structs.replace(known, told=now, said=each.text)
            raised.append(known)
        standing[each.key] = known
    wrong = {each.key for each in raised} | {each.key for each in found}
    for key in before.keys() & {*well} - wrong:
        gone = standing.pop(key)
        if gone.told:
            cleared.append(gone)
    return Decision(standing, tuple(raised), tuple(cleared))


def _known(before: Standing | None, found: Found, now: float) -> Standing:
    if before is not None:
        return msgspec.structs.replace(
            before, text=found.text, service=found.service, since=min(before.since, now)
        )
    return Standing(
        alarm=found.key.alarm,
        name=found.key.name,
        kind=found.kind,
        text=found.text,
        service=found.service,
        since=now,
    )


def _due(known: Standing, found: Found, now: float) -> bool:
    if not known.told:
        return now - known.since >= found.after
    # a clock that was set back must not silence anybody
    return found.text != known.said and not 0 <= now - known.told < found.again
