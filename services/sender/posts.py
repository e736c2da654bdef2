"""Posts ready to be copied, kept so that the chunks of one post share the work."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence

import structlog

from postroad.mail.dkim import Key
from postroad.mail.tokens import TokenMaker
from postroad.runtime import blobs
from postroad.runtime.broker import Broker
from postroad.runtime.config import Domain, Relay
from postroad.runtime.signingkeys import signing_keys
from schemas.road import ChunkQueued
from services.sender.compose import Prepared, Terms, prepare
from services.sender.signing import Signer

log = structlog.get_logger()

CACHE_BYTES = 64 << 20


def terms(relay: Relay, domains: Collection[str]) -> Terms:
    """What this relay takes; `domains` are ours."""
    return Terms(
        takes=relay.from_address or relay.from_,
        domains=frozenset(domains),
        envelope=relay.envelope_address,
        null_sender=relay.null_sender,
        keeps_message_id=relay.keeps_message_id,
    )


class Posts:
    """The posts of the chunks in hand, the least recently used let go first.

    Keys are read once: SettingsError where one will not do, restart after a change.
    """

    def __init__(self, broker: Broker, tokens: TokenMaker, domains: Sequence[Domain]) -> None:
        self._broker = broker
        self._tokens = tokens
        self._domains = frozenset(domain.name for domain in domains)  # ours
        self._seals = {domain.name: domain.arc for domain in domains}
        self._keys = {
            domain.name: tuple(Key(domain.name, *each) for each in signing_keys(domain))
            for domain in domains
        }
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._octets = 0  # of all that is kept
        self._making: dict[str, asyncio.Task[Prepared]] = {}

    async def get(self, chunk: ChunkQueued, relay: Relay) -> Prepared:
        """The post of a chunk as this relay takes it. Raises Retry, Reject (see `get_raw`)."""
        copy = chunk.copy  # a mail may be a post and owner mail: each has its number
        form = "personal" if copy.personal else "shared"  # an archive's copy beside the members'
        key = f"{copy.list}.{chunk.mail_id}.{copy.raw.part}.{copy.post}.{form}.{relay.name}"
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(chunk, relay))
            task.add_done_callback(lambda _: self._making.pop(key, None))
        post = await asyncio.shield(task)
        if key not in self._kept:  # nor kept by another chunk that waited for the same task
            self._kept[key] = post
            self._octets += post.size
        while len(self._kept) > 1 and self._octets > CACHE_BYTES:
            self._octets -= self._kept.popitem(last=False)[1].size
        return post

    async def _make(self, chunk: ChunkQueued, relay: Relay) -> Prepared:
        copy = chunk.copy
        raw = await blobs.get_raw(self._broker, copy.raw)
        taken = terms(relay, self._domains)
        domain = copy.list_address.rpartition("@")[2]
        keys = self._keys.get(domain, ())
        signer = Signer(keys, int(time.time()), self._seals[domain]) if keys else None
        post = prepare(raw, copy, copy.raw.mail_id, self._tokens, taken, signer)
        if post.unsigned:
            log.warning("post.unsigned", mail_id=chunk.mail_id, reason=post.unsigned)
        return post
