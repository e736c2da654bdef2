"""Message bytes in the RAW stream: at most 256 KiB a chunk, a mail in one atomic batch."""

from __future__ import annotations

import contextlib
import hashlib
from itertools import count
from typing import NoReturn

from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import BATCH_LIMIT, Broker, Message
from postroad.runtime.errors import Conflict, Reject, Retry
from schemas import subjects
from schemas.mail import RawRef

CHUNK = 256 << 10  # octets; four fit the default max_payload of 1 MB
LARGEST = CHUNK * BATCH_LIMIT


async def put_raw(broker: Broker, mail_id: str, part: int, data: bytes, head: int) -> RawRef:
    """Store bytes and say where; `head` is the offset of the body.

    Storing the same mail again is no error: its id comes from the mail. Raises Reject above
    250 MiB, BrokerUnavailable.
    """
    if len(data) > LARGEST:
        raise Reject(f"a mail of {len(data)} octets is larger than {LARGEST}")
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)] or [b""]
    ref = RawRef(
        mail_id=mail_id,
        part=part,
        chunks=len(chunks),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        head=head,
    )
    messages = [
        Message(subjects.raw(mail_id, part, index), chunk, expect=0)
        for index, chunk in enumerate(chunks)
    ]
    try:
        await broker.publish_batch(messages)
    except Conflict:  # stored by an earlier try, unless it is something else
        try:
            await get_raw(broker, ref)
        except Reject:
            raise Taken(f"mail {mail_id} is already stored with other bytes") from None
    return ref


class Taken(Reject):
    """Other bytes are stored there."""


class Gone(Reject):
    """They are not there any more: all was done with the mail, and it had its age."""


async def put_changed(broker: Broker, mail_id: str, data: bytes, head: int) -> RawRef:
    """Store what was made of a mail: as its part 1, or the next where that is something else, made
    for another list or under other settings. The same bytes are stored once. Raises as `put_raw`.
    """
    for part in count(1):
        with contextlib.suppress(Taken):
            return await put_raw(broker, mail_id, part, data, head)
    raise AssertionError  # there is always another number


async def get_raw(broker: Broker, ref: RawRef) -> bytes:
    """The bytes of a reference. Raises Retry where they are not (yet) there, Reject where they
    are damaged."""
    if ref.chunks == 1:
        only = await broker.last("RAW", subjects.raw(ref.mail_id, ref.part, 0))
        data = only.data if only is not None else None
    else:
        # chunks of one batch lie together, so one read brings a page of them
        found = {
            stored.subject: stored.data
            async for stored in broker.scan("RAW", f"raw.{ref.mail_id}.{ref.part}.*")
        }
        names = [subjects.raw(ref.mail_id, ref.part, index) for index in range(ref.chunks)]
        data = b"".join(found[name] for name in names) if len(found) >= ref.chunks else None
    if data is None:
        await _insist(broker, ref)
    return _intact(data, ref)


def _intact(data: bytes, ref: RawRef) -> bytes:
    """The data, which is that of the reference. Raises Reject where it is not."""
    if len(data) != ref.size or hashlib.sha256(data).hexdigest() != ref.sha256:
        raise Reject(f"the bytes of mail {ref.mail_id} are damaged in RAW")
    return data


class RawMail:
    """The bytes of one mail, read when they are first asked for."""

    def __init__(self, broker: Broker, ref: RawRef) -> None:
        self.broker = broker
        self.ref = ref
        self._start: bytes | None = None

    async def start(self) -> bytes:
        """Its first 256 KiB, or all of it. Raises as `get_raw` does."""
        if self._start is None:
            first = await self.broker.last("RAW", subjects.raw(self.ref.mail_id, self.ref.part, 0))
            self._start = first.data if first else await _insist(self.broker, self.ref)
        return self._start

    async def whole(self) -> bytes:
        """All of it, which is kept only where it is small. Raises as `get_raw` does."""
        if self.ref.chunks > 1:
            return await get_raw(self.broker, self.ref)
        return _intact(await self.start(), self.ref)


async def _insist(broker: Broker, ref: RawRef) -> NoReturn:
    """Bytes are stored before anybody is told of them, so that they are not there is final,
    unless a replica that lags behind said so: ask the leader."""
    for index in range(ref.chunks):
        try:
            name = subjects.raw(ref.mail_id, ref.part, index)
            await broker.api("STREAM.MSG.GET.RAW", {"last_by_subj": name})
        except ApiError:
            raise Gone(f"the bytes of mail {ref.mail_id} are gone from RAW") from None
    raise Retry(f"the bytes of mail {ref.mail_id} are not everywhere in RAW yet", 1.0)
