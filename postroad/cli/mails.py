"""Finding mails: by id, by the beginning of an id, by Message-ID; the newest first."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence

from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.stored import Stored
from schemas.codec import UnknownEvent
from schemas.lists import ListCreated
from schemas.road import MailReceived

RECEIVED = "mail.received.>"
WINDOW = 1_000  # sequences looked at first; four times as many each time after
NAMED = 5  # mails of one id or Message-ID that are named
DEPTH = 200_000  # sequences looked at for a Message-ID or the beginning of an id
_WHOLE = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(r"[0-9a-f]{6,31}")


async def mail_id(broker: Broker, text: str, *, kind: str = "post") -> str:
    """The id of the mail that `text` means: an id, 6 or more of its first digits, or a
    Message-ID. Of several with one Message-ID it is the one that was decided to be of this `kind`.
    Raises UsageError where it is none of them, PostroadError where there is no such mail, or more
    than one."""
    text = text.strip()
    if _WHOLE.fullmatch(text.lower()):
        return text.lower()
    matches: Callable[[Stored], bool]
    if _PREFIX.fullmatch(text.lower()):
        start = text.lower()
        matches = lambda stored: _id(stored).startswith(start)  # noqa: E731  one of two
    elif "@" in text:
        wanted = text.strip("<>")
        matches = lambda stored: _message_id(stored) == wanted  # noqa: E731
    else:
        raise UsageError(
            f"{text!r} is no mail: give an id from `postroad post ls`, at least its first six "
            "digits, or a Message-ID"
        )
    found = await newest(broker, "RECEIVED", RECEIVED, 1_000, matches)
    if not found:  # deleted at its age: what was decided on it is kept for longer
        found = await newest(broker, "ROUTED", "mail.routed.>", 1_000, matches)
    ids = sorted({_id(stored) for stored in found})
    if not ids:
        raise PostroadError(f"there is no recent mail {text}; `postroad post ls` shows them")
    return ids[0] if len(ids) == 1 else await one_of(broker, text, ids, kind)


async def one_of(
    broker: Broker, text: str, ids: Sequence[str], kind: str = "post", *, more: bool = False
) -> str:
    """Which of several mails `text` means: of those with one Message-ID, that of this `kind`. Else
    PostroadError says what was decided on each, and that there are `more`."""
    decided = {id_: await _decided(broker, id_) for id_ in ids[:NAMED]}
    if "@" in text and not more:
        rest = [await broker.last("ROUTED", f"mail.routed.{kind}.*.{id_}") for id_ in ids[NAMED:]]
        found = [id_ for id_, what in decided.items() if any(k == kind for k, _ in what)]
        found += [id_ for id_, there in zip(ids[NAMED:], rest, strict=True) if there is not None]
        if len(found) == 1:
            return found[0]
    told = [f"{id_} ({await _words(broker, id_, what)})" for id_, what in decided.items()]
    many = "several" if more else len(ids)
    others = " and more" if more or len(ids) > NAMED else ""
    raise PostroadError(f"{text} means {many} mails: {', '.join(told)}{others}; give a whole id")


async def _decided(broker: Broker, id_: str) -> list[tuple[str, str]]:
    """Kind and slug of each decision on a mail."""
    subject = f"mail.routed.*.*.{id_}"
    found = [stored async for stored in broker.scan("ROUTED", subject)]
    return [(each[2], each[3]) for each in (stored.subject.split(".") for stored in found)]


async def _words(broker: Broker, id_: str, decided: Sequence[tuple[str, str]]) -> str:
    """What was decided on a mail, list by list; a letter of ours never came in."""
    last = {slug: kind for kind, slug in decided if kind != "done"}
    if last:
        return ", ".join(f"{kind}, {slug}" for slug, kind in last.items())
    came = await broker.last("RECEIVED", f"mail.received.*.{id_}")
    return "a letter" if came is None else "not decided on yet"


async def newest(
    broker: Broker,
    stream: str,
    subject_filter: str,
    most: int,
    matches: Callable[[Stored], bool] = lambda _: True,
) -> list[Stored]:
    """The latest messages that match, at most `most`, the newest first.

    Streams are read forwards only, so this reads windows of them, backwards and ever larger.
    """
    last = await broker.last(stream, subject_filter)
    end, width = (last.seq if last is not None else 0), max(WINDOW, 2 * most)
    begin = max(0, end - DEPTH)
    found: list[Stored] = []
    while end > begin and len(found) < most:
        start = max(begin + 1, end - width + 1)
        window: deque[Stored] = deque(maxlen=most - len(found))
        async for stored in broker.scan(stream, subject_filter, start):
            if stored.seq > end:
                break
            if matches(stored):
                window.append(stored)
        found.extend(reversed(window))
        end, width = start - 1, width * 4
    return found


async def list_addresses(broker: Broker) -> dict[str, str]:
    """Every list there ever was: slug to address."""
    addresses = {}
    async for stored in broker.scan("LISTS", "lists.>"):
        for event in stored.envelope().events:
            if isinstance(event, ListCreated):
                addresses[event.slug] = event.address
    return addresses


def _id(stored: Stored) -> str:
    return stored.subject.rpartition(".")[2].partition("-")[0]


def _message_id(stored: Stored) -> str:
    try:
        events = stored.envelope().events
    except UnknownEvent:
        return ""
    found = [
        each.facts.message_id if isinstance(each, MailReceived) else getattr(each, "message_id", "")
        for each in events
    ]
    return next((each.strip("<>") for each in found), "")
