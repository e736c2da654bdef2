"""Authors are told what became of a post that did not go out: held, or rejected, then or later."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from postroad.mail.mendable import mendable
from postroad.runtime.clock import now
from postroad.runtime.consume import Delivery
from schemas import subjects
from schemas.mail import HeaderFacts
from schemas.road import AsOf, MailReceived, MailStopped
from services.membership.directory import Listed
from services.membership.feed import Feed
from services.membership.letters.letter import Letter, notice_id
from services.membership.letters.posting import Letterbox
from services.membership.received import Received
from services.membership.requests.contacts import Contacts

NEWS = timedelta(days=3)  # later it is none; and SEND, which knows who was told, is kept longer

log = structlog.get_logger()


class PostNotices:
    """Handles `mail.routed.held.>` and `mail.routed.rejected.>`."""

    def __init__(
        self, feed: Feed, received: Received, letterbox: Letterbox, contacts: Contacts
    ) -> None:
        self.feed = feed
        self.received = received
        self.letterbox = letterbox
        self.contacts = contacts

    async def handle(self, event: MailStopped, delivery: Delivery) -> None:
        """Tell the author of one post, once. Raises Retry while the list is not known yet."""
        silence = await self._tell(event, delivery)
        log.debug("notice.decided", mail_id=event.mail_id, list=event.list, silence=silence)

    async def _tell(self, event: MailStopped, delivery: Delivery) -> str:
        """Why the author is not told, or an empty string."""
        if now() - delivery.envelope().ts > NEWS:
            return "it is too long ago"
        # the event has no source; its own id may be numbered (`<mail_id>-2`), that of its bytes not
        mail = await self.received.mail(subjects.received("*", event.raw.mail_id))
        if mail and _told(event, mail, delivery.envelope().ts):
            return "whoever brought the mail was told at once"
        await self.feed.reached(AsOf(), lists=event.settings)
        if reason := self.received.silence(event.hits, mail, self.feed.lists):
            return reason
        listed = self.feed.lists.get(event.list)
        if mail is None or listed is None or not listed.state.open:
            return "the list is closed"
        # one mail and list have one, however many addresses of the list the mail named
        about = "verdict" if event.held else "post"
        notice = notice_id(event.raw.mail_id, event.list, about)
        letter = _letter(event, mail.facts, listed, notice, delivery.envelope().ts)
        if not await self.contacts.may_answer(letter.to, counted_as(event), proved=True):
            return "the author was written to often enough today"
        await self.letterbox.send(
            letter,
            notice=notice,
            list_slug=event.list,
            cause=event.mail_id,
            post=delivery.seq,
        )
        return ""


def counted_as(event: MailStopped) -> str:
    """The cause that its letters count under: one mail at one list, held and then rejected."""
    return f"{event.raw.mail_id}.{event.list}"


def _told(event: MailStopped, mail: MailReceived, at: datetime) -> bool:
    """Whether ingest heard of this rejection while a client waited for its answer. Within the last
    second that is not certain: better told twice than not at all."""
    arrived = mail.origin.arrived
    if not mail.waits or arrived is None or event.verdict != "rejected" or event.held:
        return False
    return at - arrived < timedelta(seconds=mail.waits - 1)


def _letter(
    event: MailStopped, facts: HeaderFacts, listed: Listed, notice: str, at: datetime
) -> Letter:
    state = listed.state
    said = event.hits[0].reason if event.held else mendable(event, state.settings)
    letter = Letter.of_list(
        *(state, notice),
        text=_text(event, said),
        to=facts.from_[0].address,
        date=at,
        fields={"subject": facts.subject, "reason": said},
    )
    return replace(letter, answering=facts.message_id)


def _text(event: MailStopped, said: str) -> str:
    """The text; `said` is what the rule, or the moderator who decided, has to say."""
    if event.held:
        return "post_declined moderator_says" if said else "post_declined"
    rule = event.hits[0].rule if event.hits else ""
    held = event.verdict == "held"
    if rule == "nonmember-moderation":
        return "not_a_member" if held else "members_only"
    if rule == "administrivia":
        return "command_to_everybody"
    text = "post_waiting" if held else "post_rejected"
    return f"{text} rule_says" if said else text
