"""Mail to command addresses (`mail.routed.command.>`): done once, answered once.

First it is asked whether the mail is dealt with (`mail.routed.done`); then its commands are
carried out, then the answer is queued, then it is recorded as done. Each step can be repeated:
see `turn` for the commands, and the letters have ids made from the mail's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from postroad.mail.commandwords import list_names
from postroad.mail.parts import first_text
from postroad.runtime.blobs import get_raw
from postroad.runtime.clock import envelope, now
from postroad.runtime.consume import Delivery
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from schemas import codec, subjects
from schemas.road import AsOf, CommandDone, CommandRouted
from services.membership.directory import Listed
from services.membership.received import Received
from services.membership.requests import intent, reply
from services.membership.requests.deeds import Office
from services.membership.requests.outbox import Outbox
from services.membership.requests.reply import Bundle, Reply
from services.membership.requests.turn import Turn

ACTOR = "service:membership"
LARGEST = 4 << 20  # octets of a mail that is read for commands; of a larger one its Subject is
OLDEST = timedelta(days=14)  # what waited longer is nobody's wish any more


class Desk:
    """Handles `mail.routed.command.>`."""

    def __init__(self, office: Office, received: Received, outbox: Outbox) -> None:
        self.office = office
        self.broker = office.broker
        self.feed = office.roster.feed
        self.contacts = office.questions.contacts
        self.received = received
        self.outbox = outbox

    async def handle(self, event: CommandRouted, delivery: Delivery) -> None:
        """Deal with one mail. Done before: nothing happens."""
        done = subjects.routed("done", event.list, event.mail_id)
        if await self.broker.last("ROUTED", done) is not None:
            return
        came, notice = await self._deal(event, delivery)
        crashpoint("membership.before_command_done")
        record = CommandDone(
            mail_id=event.mail_id,
            list=event.list,
            command=event.command,
            outcome=came.outcome,
            reason=came.reason,
            person=came.person,
            notice=notice,
        )
        message = envelope(
            [record],
            correlation=event.mail_id,
            causation=delivery.envelope().id,
            actor=ACTOR,
        )
        with contextlib.suppress(Conflict):  # another instance was faster, and did the same
            await self.broker.publish(done, codec.encode(message), expect=0)

    async def _deal(self, event: CommandRouted, delivery: Delivery) -> tuple[Reply, str]:
        """What came of the mail, and the id of the first letter that says so."""
        at = datetime.fromtimestamp(delivery.ns / 1e9, UTC)
        if now() - at > OLDEST:
            return _ignored("it waited too long to be answered"), ""
        # an older release did not say where the mail is
        mail = await self.received.mail(event.received) if event.received else None
        listed = await self._listed(event)
        if mail is None or listed is None:
            return _ignored("its record, or its list, is gone"), ""
        text = ""
        if intent.needs_text(event) and event.raw.size <= LARGEST:
            text = first_text(await get_raw(self.broker, event.raw))
        names = list_names((listed.state.address, *listed.state.settings.acceptable_aliases))
        wanted = intent.request(event, mail.facts.subject, text, names)
        if reason := intent.deaf(mail, wanted):
            return _ignored(reason), ""
        author = intent.author(mail)
        if author and self.feed.lists.means_list(author):
            return _ignored("it is from an address of a list"), ""
        proved = bool(author) and self.received.proved(mail)
        turn = Turn(
            office=self.office,
            listed=listed,
            mail=mail,
            text=text,
            mail_id=event.mail_id,
            cause=delivery.envelope().id,
            at=at,
            author=author,
            proved=proved,
            doubted=not proved and bool(author) and await self.office.people.find(author) is None,
            foreign=event.list == subjects.NO_LIST,
        )
        return await self._tell(turn, await turn.run(wanted), delivery.seq)

    async def _tell(self, turn: Turn, replies: Sequence[Reply], post: int) -> tuple[Reply, str]:
        """Queue the letters; what came of the mail as a whole, and the id of the first."""
        came, quiet = reply.decisive(replies), turn.unanswerable
        notices = [
            notice
            for number, bundle in enumerate(reply.bundles(replies))
            if (notice := await self._write(turn, bundle, number, post))
        ]
        if came.outcome == "answered" and not notices:
            came = _ignored(quiet) if quiet else _LIMITED
        return came, notices[0] if notices else ""

    async def _write(self, turn: Turn, bundle: Bundle, number: int, post: int) -> str:
        """Queue a letter, if it may be; its id."""
        if not (bundle.owed or await self._may_write(turn, bundle.to)):
            return ""
        return await self.outbox.write(
            turn.listed,
            bundle,
            cause=turn.mail_id,
            number=number,
            at=turn.at,
            answering=turn.mail.facts.message_id,
            post=post,
        )

    async def _may_write(self, turn: Turn, to: str) -> bool:
        """Whether this mail may be answered there, within all limits. What one address may have no
        more is not counted as a stranger's, or one name would use up what there is for all."""
        proved = turn.proved or to != turn.author  # by a token that only they have
        if turn.unanswerable:
            return False
        if to == turn.author and turn.doubted:
            could = await self.contacts.could_answer(to, turn.limited_as, proved=proved)
            if not (could and await turn.may_be_heard()):
                return False
        return await self.contacts.may_answer(to, turn.limited_as, at=turn.at, proved=proved)

    async def _listed(self, event: CommandRouted) -> Listed | None:
        """The list; where the address named none, the one that the token is of."""
        slug = event.list
        if slug == subjects.NO_LIST:
            state = await self.office.questions.confirmations.look(event.token)
            question = state.asked or state.verdict
            slug = question.list if question else ""
        await self.feed.reached(AsOf(), lists=event.settings)
        listed = self.feed.lists.get(slug)
        if listed is None and slug == event.list:
            raise Retry(f"the list {slug} is not known yet")
        if listed and event.domain not in ("", listed.state.domain):
            return None  # a domain's mail reaches no list of another
        return listed


_LIMITED = Reply("limited", "enough answers in a day, to its author or to all who may be forged")


def _ignored(reason: str) -> Reply:
    return Reply("ignored", reason=reason)
