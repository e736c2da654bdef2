"""Whether a held mail gives a moderator's password that counts today, at whatever list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from postroad.mail import approval
from postroad.mail.headers import decoded_fields
from postroad.mail.parts import OCTETS, first_lines
from postroad.runtime.blobs import CHUNK
from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.mail import RawRef
from services.membership.directory import Directory

TRIED = 20  # passwords of one mail


async def told_password(broker: Broker, raw: RawRef, lists: Directory, own: str) -> tuple[str, ...]:
    """The addresses of the open lists of which a mail gives the password, that of the slug `own`
    first; empty where there is none (any more). Takes 0.1 s of a core for each list that has one,
    and each password that the mail gives."""
    data = await _start(broker, raw)
    given = approval.given(decoded_fields(data), first_lines(data, approval.LINES))
    found = [
        (known.slug != own, known.address)
        for known in list(lists.known.values())
        if known.open and await _is_given(known.settings.moderator_password, given[:TRIED])
    ]
    return tuple(address for _, address in sorted(found))


async def _is_given(kept: str, given: Iterable[str]) -> bool:
    if not kept:
        return False
    return any([await asyncio.to_thread(approval.is_right, each, kept) for each in given if each])


async def _start(broker: Broker, raw: RawRef) -> bytes:
    """As much as is looked at to find a text, as far as it is still there."""
    names = [
        subjects.raw(raw.mail_id, raw.part, n) for n in range(min(raw.chunks, OCTETS // CHUNK))
    ]
    found = [await broker.last("RAW", name) for name in names]
    return b"".join(stored.data for stored in found if stored)
