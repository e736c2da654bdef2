"""What stands, what of it is told, and when. Pure.

A thing is told of when it has lasted for its `after`, once; again where its reason changes, at
most every `again` seconds; and once more when it is well. What cannot be seen stays as it is.

Who is told are ways: the command, the webhook, each handler. What a way took is kept, so each is
owed what it has not heard, until it takes it or there is no reason any more; and only who heard of
a thing is told that it is well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
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
    """Something that is wrong `since` a time. `told` is when it was raised last (0: not yet), and
    `said` what people are told; `heard` is what each way took of that. Where it is well, `over`
    says since when, and `heard` who is still to be told so. Times are seconds since the epoch."""

    alarm: str
    name: str
    kind: str
    text: str
    service: str = ""
    since: float
    told: float = 0.0
    said: str = ""
    heard: dict[str, str] = {}
    over: float = 0.0

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
    before: Mapping[Key, Standing],
    found: Iterable[Found],
    well: Collection[Key],
    now: float,
    ways: Collection[str] = (),
) -> Decision:
    """What is to be told. `well` are the things that are known to be well; what is neither found
    nor well could not be seen, and stays as it is. `ways` are those that there are."""
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
        gone = before[key]
        if gone.told:
            cleared.append(gone)
        if gone.heard.keys() & {*ways}:
            standing[key] = msgspec.structs.replace(gone, told=0.0, over=gone.over or now)
        else:
            del standing[key]  # there is nobody to be told that it is well
    return Decision(standing, tuple(raised), tuple(cleared))


def owed(standing: Iterable[Standing], ways: Collection[str]) -> Iterator[tuple[Standing, str]]:
    """What is to be told, and by which of the `ways`: that it is well where `over`, or `said`."""
    for each in standing:
        for way in ways:
            if way in each.heard if each.over else each.told and each.heard.get(way) != each.said:
                yield each, way


def taken(
    standing: Mapping[Key, Standing], told: Standing, way: str, now: float
) -> dict[Key, Standing]:
    """What stands once this way took what it was told, which may be another thing by now. Who took
    what is well meanwhile is owed the all-clear."""
    known = standing.get(told.key)
    if told.over:
        if known is None:
            return {**standing}
        heard = {name: text for name, text in known.heard.items() if name != way}
        if known.over and not heard:
            return {key: each for key, each in standing.items() if key != told.key}
    else:
        known = known or msgspec.structs.replace(told, told=0.0, over=now, heard={})
        heard = {**known.heard, way: told.said}
    return {**standing, told.key: msgspec.structs.replace(known, heard=heard)}


def _known(before: Standing | None, found: Found, now: float) -> Standing:
    if before is not None and not before.over:
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
        heard=before.heard if before is not None else {},
    )


def _due(known: Standing, found: Found, now: float) -> bool:
    if not known.told:
        return now - known.since >= found.after
    # a clock that was set back must not silence anybody
    return found.text != known.said and not 0 <= now - known.told < found.again
