"""What surrounds the router: somebody who knows authors, lists, mail, and a running router."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.msg import Msg

from postroad.mail.headers import scan
from postroad.mail.identity import body_digest
from postroad.mail.reports import returned
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.config import Config, Domain, Site, Source
from postroad.runtime.service import Context, running
from schemas import codec, subjects
from schemas.commands import Author, WhoIs
from schemas.envelope import Envelope, Event
from schemas.lists import ListCreated, ListSettings
from schemas.mail import RawRef
from schemas.road import AsOf, MailReceived, Origin
from services.router.service import run
from tests.peers.process import until

PATIENCE = 60.0  # seconds until a test gives up waiting
ANN = Author(person="a1" * 12, roles=("member",), as_of=AsOf(membership=3, people=2))
AUTHORS = {"ann@example.org": ANN}
TEAM, NEWS = "team@lists.example.org", "news@lists.example.org"


@contextlib.asynccontextmanager
async def membership(
    broker: Broker, authors: Mapping[str, Author], *, knows: bool = True
) -> AsyncIterator[list[WhoIs]]:
    """Answer who an author is, by address, on every list; what was asked is yielded. Where it
    `knows` nothing it answers as NATS micro does when it fails: with an error and no body."""
    asked: list[WhoIs] = []

    async def answer(message: Msg) -> None:
        question = msgspec.json.decode(message.data, type=WhoIs)
        asked.append(question)
        author = authors.get(question.address, Author())
        await message.respond(msgspec.json.encode(author) if knows else b"")

    subscription = await broker.nc.subscribe(subjects.command("whois"), cb=answer)
    yield asked
    await subscription.unsubscribe()


@contextlib.asynccontextmanager
async def routing(
    broker: Broker, *, state_dir: Path = Path("-"), owner: str = "", **source: Any
) -> AsyncIterator[Context]:
    """A router at work in this process, with one source named `office`; the key of its site's
    tokens lies in `state_dir`. `owner` is that of the lists' domain."""
    told = {"user": "box", "password_file": Path("-"), **source}
    office = Source(name="office", host="imap.example.org", **told)
    site = Site(domain="lists.example.org", state_dir=state_dir)
    domain = (Domain(name="lists.example.org", owner=owner),) if owner else ()
    config = Config(path=Path("-"), site=site, source=(office,), domain=domain)
    async with running("router", config, broker) as context:
        task = asyncio.create_task(run(context))
        yield context
        context.stopping.set()
        await task


async def store(broker: Broker, subject: str, *events: Event, mail_id: str = "") -> int:
    """Put events into a stream; returns their sequence."""
    message = envelope(events, correlation=mail_id or new_id(), actor="test")
    return await broker.publish(subject, codec.encode(message))


async def a_list(broker: Broker, address: str, **settings: Any) -> str:
    """Create a list, which takes mail in Bcc; returns its slug, here the part before the @."""
    slug = address.partition("@")[0]
    made = msgspec.convert({"require_explicit_destination": False, **settings}, ListSettings)
    await store(
        broker, subjects.lists(slug), ListCreated(slug=slug, address=address, settings=made)
    )
    return slug


async def a_mail(
    broker: Broker, *to: str, author: str = "ann@example.org", source: str = "office"
) -> str:
    """A mail from `author` to these addresses is received; returns its id."""
    mail_id = new_id()
    head = f"From: {author}\r\nTo: {', '.join(to)}\r\nSubject: {mail_id}\r\n\r\n{mail_id}".encode()
    facts, body = scan(head)
    event = MailReceived(
        mail_id=mail_id,
        origin=Origin(source=source),
        raw=RawRef(mail_id=mail_id, chunks=1, size=len(head), sha256="ab" * 32, head=body),
        facts=facts,
        body_sha256=body_digest(head, body),
    )
    await store(broker, subjects.received(source, mail_id), event, mail_id=mail_id)
    return mail_id


async def a_letter(broker: Broker, *lines: str, mail_id: str = "") -> str:
    """A mail of these lines is received, as ingest tells of it; returns its id."""
    mail_id = mail_id or new_id()
    data = "\r\n".join(lines).encode()
    facts, body = scan(data, ("Delivered-To",))
    event = MailReceived(
        mail_id=mail_id,
        origin=Origin(source="office"),
        raw=RawRef(mail_id=mail_id, chunks=1, size=len(data), sha256="ab" * 32, head=body),
        facts=facts,
        body_sha256=body_digest(data, body),
        returned=returned(data, facts),
    )
    await store(broker, subjects.received("office", mail_id), event, mail_id=mail_id)
    return mail_id


async def routed(broker: Broker, count: int) -> dict[str, Envelope]:
    """The first `count` decisions by subject (without `mail.routed.`), as soon as they exist."""
    found: dict[str, Envelope] = {}
    async with asyncio.timeout(PATIENCE):
        async for batch in broker.follow("ROUTED", "mail.routed.>"):
            for stored in batch:
                found[stored.subject.removeprefix("mail.routed.")] = stored.envelope()
            if len(found) >= count:
                break
    return found


async def all_handled(broker: Broker) -> None:
    """Wait until the router has dealt with everything there is."""

    async def handled() -> bool:
        info = await broker.api("CONSUMER.INFO.RECEIVED.router")
        return bool(info["num_pending"] == info["num_ack_pending"] == 0)

    await until(handled)


async def decisions(broker: Broker) -> int:
    """How many decisions are stored."""
    info = await broker.api("STREAM.INFO.ROUTED")
    return int(info["state"]["messages"])
