"""The content filter as the router uses it: what is left of a mail, and where that is stored."""

from __future__ import annotations

import msgspec

from postroad.mail.edits import edit
from postroad.mail.wrapping import wrapped
from postroad.runtime.blobs import RawMail, put_changed
from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from schemas.lists import ListSettings
from schemas.road import MailReceived, PostRouted
from services.router.content.job import Criteria, Job, Left, joined
from services.router.content.workers import Workers

_MARK = edit("set", "X-Content-Filtered-By", "Postroad")


class ContentFilter:
    """For lists with `filter_content`, and for mail that gives a moderator's password."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._workers = Workers()

    @staticmethod
    def job(
        mail: MailReceived, settings: ListSettings, *, passwords: bool = True, held: bool = False
    ) -> Job | None:
        """What is to be made of a post; None where it stays as it is. `passwords`: some list has
        one; else a mail that seems to give one is a mail like any other. Of one that is
        `held` in any case only the password matters, to whoever may let it through."""
        approval = passwords and (mail.facts.approval or mail.opening == "approval")
        filters = settings.filter_content and not held
        if not (approval or filters):
            return None
        return Job(Criteria.of(settings) if filters else None, approval)

    async def look(self, raw: RawMail, job: Job) -> Left:
        """What members get of a mail. Raises Retry, Reject (see `get_raw`)."""
        return await self._workers.left_of(await raw.whole(), job)

    async def apply(self, post: PostRouted, raw: RawMail, left: Left) -> PostRouted:
        """The post with what is left of its mail. Raises Retry, Reject (see `get_raw`)."""
        edits = (*post.edits, _MARK) if left.filtered else post.edits
        post = msgspec.structs.replace(post, edits=edits)
        return await self.store(post, joined(await raw.whole(), left.pieces), left.head)

    async def wrap(self, post: PostRouted, raw: RawMail) -> PostRouted:
        """The post with its mail as the only content of one of the list's. Raises as `apply`."""
        return await self.store(post, *wrapped(await raw.whole(), raw.ref.head))

    async def store(self, post: PostRouted, data: bytes, head: int) -> PostRouted:
        """The post with another body, which begins at `head`, stored in RAW. Who is killed after
        that finds the same octets there when the mail comes again. Raises Retry, Reject."""
        ref = await put_changed(self._broker, post.raw.mail_id, data, head)
        crashpoint("router.after_changed_body")
        return msgspec.structs.replace(post, raw=ref)

    async def aclose(self) -> None:
        """End the workers."""
        await self._workers.aclose()
