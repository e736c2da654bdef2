"""Posts ready to be copied, kept so that the chunks of one post share the work."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from postroad.mail.tokens import TokenMaker
from postroad.runtime import blobs
from postroad.runtime.broker import Broker
from schemas.road import ChunkQueued
from services.sender.compose import Prepared, prepare

CACHE_BYTES = 64 << 20


class Posts:
    """The posts of the chunks in hand, the least recently used let go first."""

    def __init__(self, broker: Broker, tokens: TokenMaker) -> None:
        self._broker = broker
        self._tokens = tokens
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._octets = 0  # of all that is kept
        self._making: dict[str, asyncio.Task[Prepared]] = {}

    async def get(self, chunk: ChunkQueued) -> Prepared:
        """The post of a chunk. Raises Retry, Reject (see `get_raw`)."""
        ref = chunk.copy.raw
        key = f"{chunk.list}.{chunk.mail_id}.{ref.part}"  # a mail may be a post and owner mail
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(chunk))
            task.add_done_callback(lambda _: self._making.pop(key, None))
        post = await asyncio.shield(task)
        if key not in self._kept:  # nor kept by another chunk that waited for the same task
            self._kept[key] = post
            self._octets += post.size
        while len(self._kept) > 1 and self._octets > CACHE_BYTES:
            self._octets -= self._kept.popitem(last=False)[1].size
        return post

    async def _make(self, chunk: ChunkQueued) -> Prepared:
        raw = await blobs.get_raw(self._broker, chunk.copy.raw)
        return prepare(raw, chunk.copy, chunk.copy.raw.mail_id, self._tokens)
