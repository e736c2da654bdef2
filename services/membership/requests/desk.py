"""Mail to command addresses (`mail.routed.command.>`): done once, answered once.

First it is asked whether the mail is dealt with (`mail.routed.done`); then its commands are
carried out, then the answer is queued, then it is recorded as done. Each step can be repeated:
see `turn` for the commands, and the letters have ids made from the mail's.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from postroad.mail import automatic
from postroad.mail.authentication import authenticated
from postroad.mail.commandwords import list_names
from postroad.mail.parts import first_text
from postroad.mail.tokens import TokenMaker
from postroad.runtime.blobs import get_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.config import Config
from postroad.runtime.consume import Delivery
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from schemas import codec, subjects
from schemas.road import AsOf, CommandDone, CommandRouted, MailReceived
from services.membership.directory import Listed
from services.membership.people import People
from services.membership.requests import intent, reply
from services.membership.requests.outbox import Outbox
from services.membership.requests.questions import Questions
from services.membership.requests.reply import Bundle, Reply
from services.membership.requests.turn import Office, Turn
from services.membership.roster import Roster

ACTOR = "service:membership"
LARGEST = 4 << 20  # octets of a mail that is read for commands; of a larger one its Subject is
OLDEST = timedelta(days=14)  # what waited longer is nobody's wish any more


class Desk:
    """Handles `mail.routed.command.>`."""

    def __init__(
        self,
        broker: Broker,
        config: Config,
        roster: Roster,
        people: People,
        questions: Questions,
        outbox: Outbox,
    ) -> None:
        self.broker = broker
        self.servers = {source.name: source.authserv_id for source in config.source}
        self.roster = roster
        self.outbox = outbox
        self.office = Office(broker, roster, people, questions, TokenMaker(config.site_key()))

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
        if datetime.now(UTC) - at > OLDEST:
            return _ignored("it waited too long to be answered"), ""
        mail = await self._received(event)
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
        if author and self.roster.feed.lists.means_list(author):
            return _ignored("it is from an address of a list"), ""
        turn = Turn(
            office=self.office,
            listed=listed,
            mail=mail,
            text=text,
            mail_id=event.mail_id,
            cause=delivery.envelope().id,
            at=at,
            author=author,
            proved=bool(author) and authenticated(mail.facts, self._server(mail)),
            foreign=event.list == subjects.NO_LIST,
        )
        replies = await turn.run(wanted)
        came = reply.decisive(replies)
        quiet = automatic.unanswerable(mail.facts, mail.envelope_from)
        notices = [
            notice
            for number, bundle in enumerate(reply.bundles(replies))
            if (notice := await self._write(turn, delivery, bundle, number, quiet=quiet))
        ]
        if came.outcome == "answered" and not notices:
            came = _ignored(quiet) if quiet else Reply("limited", reason="three answers in a day")
        return came, notices[0] if notices else ""

    async def _write(
        self, turn: Turn, delivery: Delivery, bundle: Bundle, number: int, *, quiet: str
    ) -> str:
        """Queue a letter, if it may be; its id."""
        contacts = self.office.questions.contacts
        if not bundle.owed and (
            quiet or not await contacts.may_answer(bundle.to, turn.limited_as, at=turn.at)
        ):
            return ""
        return await self.outbox.write(
            turn.listed,
            bundle,
            cause=turn.mail_id,
            number=number,
            at=turn.at,
            answering=turn.mail.facts.message_id,
            post=delivery.seq,
        )

    async def _received(self, event: CommandRouted) -> MailReceived | None:
        """What is known of the mail; None where it is gone, or was routed by a release that did
        not say where it is."""
        stored = await self.broker.last("RECEIVED", event.received) if event.received else None
        for each in stored.envelope().events if stored else ():
            if isinstance(each, MailReceived):
                return each
        return None

    async def _listed(self, event: CommandRouted) -> Listed | None:
        """The list; where the address named none, the one that the token is of."""
        feed = self.roster.feed
        slug = event.list
        if slug == subjects.NO_LIST:
            state = await self.office.questions.confirmations.look(event.token)
            slug = state.asked.list if state.asked else ""
        await feed.reached(AsOf(), lists=event.settings)
        listed = feed.lists.get(slug)
        if listed is None and slug == event.list:
            raise Retry(f"the list {slug} is not known yet")
        return listed

    def _server(self, mail: MailReceived) -> str:
        """Whose Authentication-Results to believe in mail from this source."""
        return self.servers.get(mail.origin.source, "")


def _ignored(reason: str) -> Reply:
    return Reply("ignored", reason=reason)
