"""The demo step by step: a list, its members, a post, the copies, what the records say of it."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import aiosmtplib
import msgspec

from postroad.cli.ask import ask
from postroad.cli.demo import copies, inbox, joining
from postroad.cli.demo.contact import Contact
from postroad.cli.demo.copies import Copy
from postroad.cli.demo.installation import Installation
from postroad.cli.demo.letter import letter
from postroad.cli.demo.scene import AUTHOR, JOIN, LIST, LIST_NAME, MEMBERS, NEWCOMER
from postroad.cli.demo.screen import Screen
from postroad.cli.mails import list_addresses, mail_id
from postroad.cli.output import counted
from postroad.cli.post import tell
from postroad.cli.road import road
from postroad.cli.spanreader import read
from postroad.cli.story import Story
from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError
from postroad.sandbox import Sandbox
from schemas.commands import CreateList, ShowList, Subscribe
from schemas.spans import Span

T = TypeVar("T")

COPY_SECONDS = 30.0  # for the last copy to arrive; on an idle machine 0.1
RECORD_SECONDS = 10.0  # for the ledger and the trace after that; spans come every half second
POLL_SECONDS = 0.02
PATH = ("ingest", "router", "membership", "sender")
WINDOW = "sender.window"  # the span of one SMTP transaction, or of several pipelined


class Report(msgspec.Struct, kw_only=True):
    """What came of the demo; the first five are a contract. `seconds` from the post's acceptance
    by SMTP until its last copy was seen by IMAP, None where one is missing; `trace` is the id of
    the mail and of its trace; `joined` is who came onto the list by mail; `problems` is empty when
    all is well; `home` is the folder, where it stays; `contact` is how to reach a demo that is kept
    running."""

    expected: int = len(MEMBERS)
    delivered: int = 0
    duplicates: int = 0
    seconds: float | None = None
    trace: str = ""
    joined: str = ""
    copies: tuple[Copy, ...] = ()
    problems: list[str] = []
    home: str = ""
    contact: Contact | None = None


class Journey:
    """One run over a running installation. `report`, `story` and `spans` fill as it goes."""

    def __init__(
        self, here: Installation, sandbox: Sandbox, passwords: Mapping[str, str], screen: Screen
    ) -> None:
        self.here = here
        self.sandbox = sandbox
        self.passwords = passwords
        self.screen = screen
        self.report = Report()
        self.story: Story | None = None
        self.spans: list[Span] = []

    async def run(self) -> None:
        """Go all the way. What is wrong with the copies or the records goes into the report;
        raises PostroadError or Retry where it cannot go on."""
        with self.screen.step("services", "starting the broker and the services") as step:
            found = await self.here.healthy()
            names = ", ".join(stage.stage for stage in found.stages)
            step.says = f"NATS {found.broker.version}, {names}: {found.state}"
        async with road(self.here.config) as broker:
            await self._make_list(broker)
            await self._join(broker)
            post = letter(datetime.now(UTC))
            await self._post(post)
            await self._arrive()
            self.report.trace = await mail_id(broker, copies.message_id(post))
            await self._ledger(broker)
            await self._trace(broker)
        await self._compare(post)

    async def _make_list(self, broker: Broker) -> None:
        with self.screen.step("list", "creating the list") as step:
            chosen = {"display_name": LIST_NAME}
            await ask(broker, "list_create", CreateList(address=LIST, settings=chosen))
            step.says = f"{LIST_NAME} <{LIST}>"
        with self.screen.step("members", "adding the members") as step:
            added = {address: name for address, name in MEMBERS.items() if address != NEWCOMER}
            for address, name in added.items():
                request = Subscribe(list=LIST, address=address, display_name=name)
                await ask(broker, "subscribe", request)
            step.says = ", ".join(added)

    async def _join(self, broker: Broker) -> None:
        """The newcomer writes to -join and answers what comes back."""
        with self.screen.step("join", "joining by mail") as step:
            await self._send(joining.request(datetime.now(UTC)), NEWCOMER, JOIN)
            question = await self._notice(1, "asked for a confirmation")
            address, answer = joining.reply(question, datetime.now(UTC))
            await self._send(answer, NEWCOMER, address)
            welcome = await self._notice(2, "welcomed")
            step.says = (
                f'{NEWCOMER} to {JOIN}: asked "{joining.subject(question)}", '
                f'replied, got "{joining.subject(welcome)}"; '
                f"the list now has {await self._members(broker)} members"
            )
            self.report.joined = NEWCOMER

    async def _members(self, broker: Broker) -> int:
        (row,) = (await ask(broker, "list_show", ShowList(list=LIST))).lists
        return row.members

    async def _notice(self, number: int, what: str) -> bytes:
        """The newcomer's latest mail once there are this many. Raises PostroadError."""

        async def look() -> list[bytes]:
            return await self._mails(NEWCOMER)

        found = await _seen(look, lambda mails: len(mails) >= number, COPY_SECONDS)
        if len(found) < number:
            raise PostroadError(f"{NEWCOMER} was not {what} within {COPY_SECONDS:g} s")
        return found[-1]

    async def _post(self, post: bytes) -> None:
        with self.screen.step("post", "posting") as step:
            await self._send(post, AUTHOR, LIST)
            step.says = f"{AUTHOR} to {LIST}, {len(post):,} octets, with a picture"

    async def _send(self, mail: bytes, sender: str, recipient: str) -> None:
        try:
            await aiosmtplib.send(
                mail,
                sender=sender,
                recipients=[recipient],
                mail_options=["BODY=8BITMIME"],
                hostname=self.sandbox.host,
                port=self.sandbox.smtp_port,
                local_hostname="localhost",
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise PostroadError(f"the mail of {sender} was not taken by SMTP: {error}") from error

    async def _arrive(self) -> None:
        began = asyncio.get_running_loop().time()
        with self.screen.step("copies", "waiting for the copies") as step:
            missing = await _seen(self._without, lambda without: not without, COPY_SECONDS)
            if missing:
                step.failed = True
                step.says = f"none for {', '.join(missing)} after {COPY_SECONDS:g} s"
                return
            self.report.seconds = asyncio.get_running_loop().time() - began
            step.says = (
                f"{len(MEMBERS)} of {len(MEMBERS)} seen by IMAP, "
                f"the last {self.report.seconds:.3f} s after the post"
            )

    async def _ledger(self, broker: Broker) -> None:
        addresses = await list_addresses(broker)

        async def look() -> Story:
            return await tell(broker, self.report.trace, addresses, self.here.config)

        with self.screen.step("ledger", "reading the ledger") as step:
            self.story = story = await _seen(look, _finished, RECORD_SECONDS)
            for fate in story.lists:
                step.says = (
                    f"{counted(fate.recipients, 'recipient')}: {fate.accepted} accepted, "
                    f"{fate.failed} failed, {fate.waiting} waiting"
                )
            if not _finished(story) or [fate.accepted for fate in story.lists] != [len(MEMBERS)]:
                step.failed = True
                self.report.problems.append(f"the ledger says: {step.says or 'nothing'}")

    async def _trace(self, broker: Broker) -> None:
        windows = sum(fate.windows for fate in self.story.lists) if self.story else 0

        async def look() -> list[Span]:
            return (await read(broker, self.report.trace)).spans

        def gaps(found: list[Span]) -> list[str]:
            return list(trace_gaps(found, windows))

        with self.screen.step("trace", "waiting for the last spans") as step:
            self.spans = await _seen(look, lambda found: not gaps(found), RECORD_SECONDS)
            missing = gaps(self.spans)
            step.failed = bool(missing)
            step.says = "; ".join(missing) or (
                f"{len(self.spans)} spans, from the mailbox to the relay: "
                f"{counted(windows, 'SMTP window')}"
            )
            self.report.problems += missing

    async def _compare(self, post: bytes) -> None:
        with self.screen.step("checks", "comparing") as step:
            found = {
                member: [copies.examine(member, mail, post) for mail in await self._posts(member)]
                for member in MEMBERS
            }
            report = self.report
            report.copies = tuple(copy for own in found.values() for copy in own)
            report.delivered = sum(bool(own) for own in found.values())
            report.duplicates = len(report.copies) - report.delivered
            wrong = list(copies.problems(found, post, report.trace))
            report.problems += wrong
            step.failed = bool(wrong)
            step.says = "; ".join(wrong) or (
                "one copy each: same body and Message-ID, list headers, own envelope sender"
            )

    async def _without(self) -> list[str]:
        """Members who have no post."""
        return [member for member in MEMBERS if not await self._posts(member)]

    async def _posts(self, member: str) -> list[bytes]:
        """What lies in a member's mailbox besides notices."""
        return [mail for mail in await self._mails(member) if not joining.is_notice(mail)]

    async def _mails(self, member: str) -> list[bytes]:
        host, port = self.sandbox.host, self.sandbox.imap_port
        try:
            return await asyncio.to_thread(inbox.mails, host, port, member, self.passwords[member])
        except (imaplib.IMAP4.error, OSError) as error:
            raise PostroadError(f"the mailbox of {member} cannot be read: {error}") from error


def trace_gaps(found: Sequence[Span], windows: int) -> Iterator[str]:
    """What a trace lacks that leads from ingest by way of every service to this many windows."""
    known = {span.span for span in found}
    roots = [span for span in found if span.parent not in known]
    if [span.service for span in roots] != ["ingest"]:
        yield f"the trace has {len(roots)} beginnings instead of one, at ingest"
    if missing := [name for name in PATH if name not in {span.service for span in found}]:
        yield f"the trace has no span of {', '.join(missing)}"
    sent = sum(span.name == WINDOW for span in found)
    if sent != windows:
        yield f"the trace has {sent} of {windows} SMTP windows"


def _finished(story: Story) -> bool:
    return bool(story.lists) and all(f.recipients and not f.waiting for f in story.lists)


async def _seen(look: Callable[[], Awaitable[T]], enough: Callable[[T], bool], seconds: float) -> T:
    """What `look` sees, as soon as it is enough, or when the time is over."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = await look()
        if enough(found) or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(POLL_SECONDS)
