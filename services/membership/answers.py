"""Mail that somebody waits for an answer to: commands, posts that were stopped or let through."""

from __future__ import annotations

from postroad.runtime.consume import Delivery
from postroad.runtime.errors import Reject
from schemas.road import CommandRouted, HeldAccepted, MailStopped
from services.membership.letters.held import PostNotices
from services.membership.moderation.always import AlwaysAccepted
from services.membership.moderation.notices import HeldNotices
from services.membership.requests.desk import Desk


class Answers:
    """Handles what the durable `answers` brings."""

    def __init__(
        self, desk: Desk, notices: PostNotices, always: AlwaysAccepted, held: HeldNotices
    ) -> None:
        self.desk = desk
        self.notices = notices
        self.always = always
        self.held = held

    async def handle(self, delivery: Delivery) -> None:
        """Deal with one mail. Done before: nothing happens."""
        for event in delivery.envelope().events:
            if not isinstance(event, CommandRouted | HeldAccepted | MailStopped):
                raise Reject(f"a {type(event).__name__} is answered by nobody")
            if not delivery.subject.endswith(f".{event.list}.{event.mail_id}"):
                raise Reject("the mail is of another subject")
            if isinstance(event, CommandRouted):
                await self.desk.handle(event, delivery)
            elif isinstance(event, HeldAccepted):
                await self.always.handle(event, delivery)
            else:
                if event.verdict == "held":
                    self.held.poke()
                await self.notices.handle(event, delivery)
