"""Which lists there are and who an author is, as far as a Postroad can be asked; else the defaults,
and why."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import msgspec

from postroad.cli.frame import Call
from postroad.cli.road import road, streams
from postroad.mail.addresses import parse_address
from postroad.runtime.attach import COMMAND
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config, Source
from postroad.runtime.errors import PostroadError, Reject, Retry, SettingsError, UsageError
from postroad.runtime.health import Health
from postroad.runtime.service import Context
from postroad.runtime.telemetry import Telemetry
from projections.lists import Directory, List
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.commands import Author, WhoIs
from schemas.mail import Mailbox

DEFAULT_LIST = "list@example.org"
STRANGER = "the author is taken for a stranger"

_encode = msgspec.json.Encoder().encode
_author = msgspec.json.Decoder(Author)


class Knowledge:
    """What a Postroad says. `notes` are sentences about what could not be asked."""

    def __init__(self, config: Config | None, notes: list[str], broker: Broker | None) -> None:
        self.config = config
        self.notes = notes
        self.directory = Directory()
        self._broker = broker

    @property
    def context(self) -> Context | None:
        """What asking others about a mail needs."""
        if self._broker is None or self.config is None:
            return None
        telemetry = Telemetry(COMMAND)  # a question of ours is in no trace
        return Context(
            config=self.config, broker=self._broker, telemetry=telemetry, health=Health(COMMAND)
        )

    async def learn(self) -> None:
        """Fold the lists there are. Raises Retry."""
        if self._broker is None:
            return
        async for stored in self._broker.scan("LISTS", "lists.>"):
            with contextlib.suppress(UnknownEvent):
                slug = stored.subject.removeprefix("lists.")
                self.directory.fold(slug, stored.seq, stored.envelope().events, stored.time)

    def source(self, name: str) -> Source:
        """The source of this name, or the only one there is; else one that is trusted in nothing
        and reaches every list. Raises UsageError."""
        sources = self.config.source if self.config else ()
        for each in sources:
            if each.name == name or (not name and len(sources) == 1):
                return each
        if name:
            known = ", ".join(each.name for each in sources) or "none"
            raise UsageError(f"there is no [[source]] {name!r}; there are: {known}")
        return Source(name="", host="", user="")

    def named(self, address: str) -> List:
        """The list of this address, or one with default settings. Raises UsageError."""
        found = parse_address(address.strip())
        if found is None:
            raise UsageError(f"{address!r} is no address of a list")
        slug = self.directory.reach().get(found.key)
        if slug is not None:
            return self.directory[slug]
        if self._broker is not None:
            self.notes.append("there is no such list: the rules are asked with default settings")
        return List(slug="list", address=found.key)

    async def author(self, known: List, authors: tuple[Mailbox, ...]) -> Author:
        """What membership says of the author of a mail at this list."""
        if self._broker is None or not known.seq:
            return Author()
        address = authors[0].address if len(authors) == 1 else ""
        try:
            question = _encode(WhoIs(list=known.slug, address=address))
            answer = await self._broker.request(subjects.command("whois"), question)
            return _author.decode(answer)
        except (Retry, msgspec.DecodeError):
            note = f"membership does not answer: {STRANGER}"
            if note not in self.notes:
                self.notes.append(note)
            return Author()


@contextlib.asynccontextmanager
async def knowledge(call: Call) -> AsyncIterator[Knowledge]:
    """What can be known, for the length of the block; never fails for want of a Postroad. Raises
    SettingsError where a settings file is named that is wrong."""
    try:
        config = call.config
    except SettingsError as error:
        if call.file is not None:
            raise
        why = str(error).splitlines()[0].partition(";")[0].rstrip(":")
        yield Knowledge(None, [_without(why)], None)
        return
    async with contextlib.AsyncExitStack() as stack:
        broker, notes = None, []
        if config.broker.embedded and not config.site.state_dir.exists():
            notes.append(_without("nothing has run here yet"))
        else:
            broker, why = await _connected(config, stack)
            if broker is None:
                notes.append(_without(why))
        known = Knowledge(config, notes, broker)
        try:
            await known.learn()
        except (Retry, Reject) as error:
            known = Knowledge(config, [_without(error.reason)], None)
        yield known


async def _connected(config: Config, stack: contextlib.AsyncExitStack) -> tuple[Broker | None, str]:
    """A broker with membership, else one without; else why there is none."""
    why = ""
    for way in (road, streams):
        try:
            return await stack.enter_async_context(way(config)), ""
        except (PostroadError, Retry, Reject, OSError) as error:
            why = getattr(error, "reason", "") or str(error)
    return None, why


def _without(why: str) -> str:
    return f"{why}; the rules are asked with default settings, and {STRANGER}"
