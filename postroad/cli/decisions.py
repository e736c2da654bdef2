"""What was decided on mails, one by one: the rows of `postroad post ls`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from postroad.cli.mails import RECEIVED, newest
from postroad.cli.output import short
from postroad.cli.timeline import author
from postroad.runtime.broker import Broker
from postroad.runtime.stored import Stored
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.envelope import Event
from schemas.road import (
    BounceRouted,
    CommandDone,
    CommandRouted,
    HeldAccepted,
    MailReceived,
    MailRefused,
    MailStopped,
    MailUnrouted,
)


class Decision(msgspec.Struct, kw_only=True):
    """One mail at one list. `time` is ISO 8601, `author` the address in From, `outcome` what came
    of a command or a held mail, and `detail` why; each is empty where there is none (yet)."""

    time: str
    id: str = ""
    kind: str = ""
    list: str = ""
    subject: str = ""
    message_id: str = ""
    reason: str = ""
    author: str = ""
    outcome: str = ""
    detail: str = ""

    @property
    def told(self) -> str:
        """The reason as a person reads it, with what came of a command."""
        if self.kind == "held" and self.outcome:
            return f"{self.reason} ({self.outcome} since)"
        if self.kind != "command":
            return self.reason
        outcome = self.outcome.replace("_", " ") or "not done yet"
        return f"{self.reason}: {outcome}{f' ({self.detail})' if self.detail else ''}"


async def decided(
    broker: Broker, kind: str, slug: str, limit: int, addresses: dict[str, str]
) -> list[Decision]:
    """The newest decisions of this kind on mail for this list (each may be `*`); `addresses` of
    lists by slug."""
    found = await newest(
        broker,
        "ROUTED",
        f"mail.routed.{kind}.{slug}.>",
        limit,
        lambda stored: not stored.subject.startswith("mail.routed.done."),
    )
    rows = [_row(stored, addresses) for stored in found]
    await _add_authors(broker, rows)
    held = {}
    for stored, row in zip(found, rows, strict=True):
        if row.kind == "held":
            *_, slug, mail = stored.subject.split(".")
            held[slug, mail] = row
    await _add_verdicts(broker, held)
    commands = {
        stored.subject.replace(".command.", ".done.", 1): row
        for stored, row in zip(found, rows, strict=True)
        if row.kind == "command"
    }
    for done in (await broker.last_many("ROUTED", commands)).values():
        for event in _events(done):
            if isinstance(event, CommandDone):
                row = commands[done.subject]
                row.outcome, row.detail = event.outcome, event.reason
    return rows


async def refused(broker: Broker, limit: int) -> list[Decision]:
    """The newest mails that were left on their server."""
    found = await newest(
        broker, "RECEIVED", RECEIVED, limit, lambda stored: b'"mail_refused"' in stored.data
    )
    return [_row(stored, {}) for stored in found]


async def _add_verdicts(broker: Broker, held: Mapping[tuple[str, str], Decision]) -> None:
    """Say what has become of mail that was held, by slug and id."""
    kinds = ("accepted", "rejected", "discarded")
    ends = [f"mail.routed.{kind}.{slug}.{mail}" for slug, mail in held for kind in kinds]
    for subject in await broker.last_many("ROUTED", ends):
        _, _, kind, slug, mail = subject.split(".")
        held[slug, mail].outcome = kind


async def _add_authors(broker: Broker, rows: list[Decision]) -> None:
    wanted = [subjects.received("*", mail) for mail in {row.id for row in rows if row.id}]
    authors = {
        event.mail_id: author(event.facts)
        for stored in (await broker.last_many("RECEIVED", wanted)).values()
        for event in _events(stored)
        if isinstance(event, MailReceived)
    }
    for row in rows:
        row.author = authors.get(row.id, "")


def _row(stored: Stored, addresses: dict[str, str]) -> Decision:
    row = Decision(time=stored.time.isoformat(), kind="unknown", reason="of another release")
    for event in _events(stored):
        slug = getattr(event, "list", "")
        row.id = getattr(event, "mail_id", "")
        row.kind = _kind(stored)
        row.list = addresses.get(slug, slug)
        if slug == subjects.NO_LIST:  # it is for the owner of a domain
            row.list = getattr(event, "domain", "")
        row.subject = getattr(event, "subject", "")
        row.message_id = getattr(event, "message_id", "")
        row.reason = _reason(event)
    return row


def _events(stored: Stored) -> Iterable[Event]:
    try:
        return stored.envelope().events
    except UnknownEvent:  # of a newer release
        return ()


def _kind(stored: Stored) -> str:
    tokens = stored.subject.split(".")
    return "refused" if tokens[1] == "received" else tokens[2]


def _reason(event: object) -> str:
    match event:
        case MailStopped():
            return "; ".join(f"{hit.rule}: {hit.reason}" for hit in event.hits)
        case MailUnrouted():
            return event.reason
        case MailRefused():
            return f"{event.reason.replace('_', ' ')}, {event.size:,} octets"
        case CommandRouted():
            return event.command
        case HeldAccepted():
            return "was let through" + (", its sender always" if event.always else "")
        case BounceRouted():
            return f"about {short(event.about)}" if event.about else ""
        case _:
            return ""
