"""The content filter as the router uses it: what is left of a mail, and where that is stored."""

from __future__ import annotations

import msgspec

from postroad.mail.edits import edit
from postroad.runtime.blobs import RawMail, put_changed
from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from schemas.lists import ListSettings
from schemas.road import PostRouted
from services.router.content.job import Criteria, Left, joined
from services.router.content.workers import Workers

_MARK = edit("set", "X-Content-Filtered-By", "Postroad")


class ContentFilter:
    """For lists with `filter_content`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._workers = Workers()

    async def look(self, raw: RawMail, settings: ListSettings) -> Left:
        """What members get of a mail. Raises Retry, Reject (see `get_raw`)."""
        return await self._workers.filtered(await raw.whole(), Criteria.of(settings))

    async def apply(self, post: PostRouted, raw: RawMail, left: Left) -> PostRouted:
        """The post with what is left of its mail for a body, stored in RAW. Who is killed after
        that finds the same bytes there when the mail comes again. Raises Retry, Reject."""
        data = joined(await raw.whole(), left.pieces)
        ref = await put_changed(self._broker, raw.ref.mail_id, data, left.head)
        crashpoint("router.after_changed_body")
        return msgspec.structs.replace(post, raw=ref, edits=(*post.edits, _MARK))

    async def aclose(self) -> None:
        """End the workers."""
        await self._workers.aclose()
