"""Finding mails: by id, by the beginning of an id, by Message-ID; the newest first."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.stored import Stored
from schemas.codec import UnknownEvent
from schemas.lists import ListCreated
from schemas.road import MailReceived

RECEIVED = "mail.received.>"
WINDOW = 1_000  # sequences looked at first; four times as many each time after
DEPTH = 200_000  # sequences looked at for a Message-ID or the beginning of an id
_WHOLE = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(r"[0-9a-f]{6,31}")


async def mail_id(broker: Broker, text: str) -> str:
    """The id of the mail that `text` means: an id, 6 or more of its first digits, or a
    Message-ID. Raises UsageError where it is none of them, PostroadError where there is no such
    mail, or more than one."""
    text = text.strip()
    if _WHOLE.fullmatch(text.lower()):
        return text.lower()
    if _PREFIX.fullmatch(text.lower()):
        start = text.lower()
        found = await newest(
            broker, "RECEIVED", RECEIVED, 1_000, lambda s: _id(s).startswith(start)
        )
    elif "@" in text:
        wanted = text.strip("<>")
        found = await newest(
            broker, "RECEIVED", RECEIVED, 1_000, lambda stored: _message_id(stored) == wanted
        )
    else:
        raise UsageError(
            f"{text!r} is no mail: give an id from `postroad post ls`, at least its first six "
            "digits, or a Message-ID"
        )
    ids = sorted({_id(stored) for stored in found})
    if not ids:
        raise PostroadError(f"there is no recent mail {text}; `postroad post ls` shows them")
    if len(ids) > 1:
        raise PostroadError(f"{text} means {len(ids)} mails: {', '.join(ids[:4])}; give a whole id")
    return ids[0]


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
    return stored.subject.rpartition(".")[2]


def _message_id(stored: Stored) -> str:
    try:
        events = stored.envelope().events
    except UnknownEvent:
        return ""
    return next((e.facts.message_id.strip("<>") for e in events if isinstance(e, MailReceived)), "")
