"""Everything in DEADLETTER that is parked, or was, with what became of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from postroad.cli.parking.words import Letter
from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.parked import ALL, STREAM, parked_in, resolution
from postroad.runtime.stored import Stored
from schemas.codec import UnknownEvent

_ID = re.compile(r"[0-9a-f]{6,32}")


async def letters(broker: Broker, subject: str = ALL, *, whole: bool = False) -> list[Letter]:
    """What was parked, the oldest first, each with the last that was said of it. Unless they are to
    be `whole`, what is resolved comes without its bytes. Raises BrokerUnavailable."""
    found: dict[str, Letter] = {}
    async for stored in broker.scan(STREAM, subject):
        before = found.get(stored.subject)
        resolved = resolution(stored)
        if resolved is None:
            found[stored.subject] = _parked(stored, before)
        elif before is not None:
            event = before.parked
            if event is not None and not whole:
                event = msgspec.structs.replace(event, data=b"", trace="")
            found[stored.subject] = msgspec.structs.replace(
                before,
                parked=event,
                last=stored.seq,
                resolved=resolved,
                resolved_at=stored.time,
                by=stored.envelope().actor,
            )
    return sorted(found.values(), key=lambda letter: letter.seq)


def chosen(found: Sequence[Letter], words: Sequence[str]) -> list[Letter]:
    """Those that these sequences and ids mean, each once. Raises UsageError for what is neither,
    PostroadError for what means none, or several."""
    return list({letter.seq: letter for letter in (_one(found, word) for word in words)}.values())


def _one(found: Sequence[Letter], word: str) -> Letter:
    text = word.strip().lower()
    named = []
    if text.isdecimal():
        named = [each for each in found if int(text) in (each.seq, *dict(each.before))]
    if not named and _ID.fullmatch(text):
        named = [each for each in found if _called(each, text)]
    if len(named) == 1:
        return named[0]
    if named:
        raise PostroadError(f"{word} means {len(named)} parked messages; give more digits")
    if text.isdecimal() or _ID.fullmatch(text):
        raise PostroadError(
            f"nothing is parked under {word}; `postroad deadletter ls --resolved` shows what was"
        )
    raise UsageError(
        f"{word!r} is no parked message: give its number or id from `postroad deadletter ls`"
    )


def _called(letter: Letter, start: str) -> bool:
    return any(id_.startswith(start) for id_ in (letter.id, *dict(letter.before).values()))


def _parked(stored: Stored, before: Letter | None) -> Letter:
    try:
        id_ = stored.envelope().id
    except UnknownEvent:
        id_ = ""
    return Letter(
        seq=stored.seq,
        id=id_,
        subject=stored.subject,
        at=stored.time,
        last=stored.seq,
        before=(*before.before, (before.seq, before.id)) if before is not None else (),
        parked=parked_in(stored),
    )
