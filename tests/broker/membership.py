"""Membership as its tests see it: the real service on a real broker, asked over NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.config import Config, Domain, Site, Web
from postroad.runtime.service import Context, running
from schemas import addresses, codec, commands, mass, subjects, templates, whose
from schemas.commands import Answer, Author, Command, Subscribe
from schemas.mail import RawRef
from schemas.mass import ImportMembers, ImportRow
from schemas.road import AsOf, ChunkQueued, FanoutDone, OwnerMailRouted, PostRouted
from services.membership.service import SERVICE
from tests.peers.process import until

LIST = "team@lists.example.org"
SLUG = "team-lists-example-org"
ENDPOINTS = {
    commands.WhoIs: "whois",
    commands.CreateList: "list_create",
    commands.ConfigureList: "list_set",
    commands.ShowList: "list_show",
    commands.ListLists: "list_ls",
    commands.CloseList: "list_close",
    commands.Subscribe: "subscribe",
    commands.Unsubscribe: "unsubscribe",
    commands.ChangeMember: "member_set",
    addresses.ChangeAddress: "member_address",
    mass.ImportMembers: "import",
    commands.RosterPage: "roster",
    commands.ListHistory: "list_history",
    commands.PersonConsent: "consent",
    mass.UndoChange: "undo",
    commands.PastPage: "roster_past",
    commands.MemberBounces: "member_bounces",
    commands.MemberHistory: "member_history",
    commands.EraseMember: "member_erase",
    whose.WhoseAddress: "whose",
    whose.WhereReached: "reached",
    commands.RetryFailed: "retry",
    commands.ListHeld: "held_ls",
    commands.ShowHeld: "held_show",
    commands.DecideHeld: "held_decide",
    templates.ListLetters: "letter_ls",
    templates.SetLetter: "letter_set",
    templates.PreviewLetter: "letter_preview",
    commands.ListRequests: "request_ls",
    commands.DecideRequest: "request_decide",
}


def settings(state_dir: Path, *, owner: str = "", web: Web | None = None) -> Config:
    """Settings of a site whose lists live in lists.example.org."""
    return Config(
        path=state_dir / "postroad.toml",
        site=Site(
            domain="lists.example.org", base_url="https://lists.example.org", state_dir=state_dir
        ),
        domain=(Domain(name="lists.example.org", owner=owner),),
        web=web,
    )


@dataclass
class Membership:
    """A running membership service, and what its tests do with it."""

    broker: Broker
    context: Context

    async def raw(self, request: Command) -> bytes:
        """What is answered, as bytes."""
        subject = subjects.command(ENDPOINTS[type(request)])
        return await self.broker.request(subject, msgspec.json.encode(request), timeout=30)

    async def ask(self, request: Command) -> Answer:
        """The answer to any command but whois."""
        return msgspec.json.decode(await self.raw(request), type=Answer)

    async def whois(self, address: str, slug: str = SLUG) -> Author:
        """Who this is on the list."""
        request = commands.WhoIs(list=slug, address=address)
        return msgspec.json.decode(await self.raw(request), type=Author)

    async def create(self, address: str = LIST, **typed: str) -> None:
        """A new list."""
        answer = await self.ask(commands.CreateList(address=address, settings=typed))
        assert not answer.refused

    async def add(self, *addresses: str, **options: str) -> None:
        """Subscribe these to the list."""
        for address in addresses:
            answer = await self.ask(
                msgspec.convert({"list": LIST, "address": address, **options}, Subscribe)
            )
            assert not answer.refused

    async def import_(self, rows: Iterable[ImportRow]) -> Answer:
        """Import these rows into the list."""
        return await self.ask(ImportMembers(list=LIST, rows=tuple(rows)))

    async def folded(self, as_of: AsOf, *, seconds: float = 60) -> None:
        """Wait until the service has folded this much."""

        async def is_folded() -> bool:
            now = await self.as_of()
            return now.people >= as_of.people and now.membership >= as_of.membership

        await until(is_folded, seconds, every=0.002)

    async def as_of(self) -> AsOf:
        """What the service has folded, as the router would learn it."""
        return (await self.whois("nobody@elsewhere.example")).as_of


def many(start: int, end: int) -> list[ImportRow]:
    """Rows of an import: member<n>@d<n % 7>.example, on line n + 2."""
    return [ImportRow(line=n + 2, address=f"member{n}@d{n % 7}.example") for n in range(start, end)]


@asynccontextmanager
async def membership(broker: Broker, config: Config) -> AsyncIterator[Membership]:
    """Run the service for the length of the block."""
    async with running("membership", config, broker) as context:
        service = asyncio.ensure_future(SERVICE.run(context))
        try:
            while not context.health.ready:
                await asyncio.wait({service}, timeout=0.01)
                if service.done():
                    service.result()
            yield Membership(broker, context)
        finally:
            context.stopping.set()
            await service


async def route(broker: Broker, event: PostRouted | OwnerMailRouted) -> int:
    """Store what the router decided; returns its sequence."""
    kind: subjects.Kind = "post" if isinstance(event, PostRouted) else "owner"
    data = codec.encode(envelope([event], correlation=event.mail_id, actor="service:router"))
    return await broker.publish(subjects.routed(kind, event.list, event.mail_id), data, expect=0)


def raw(mail_id: str) -> RawRef:
    """Where a mail's bytes would be."""
    return RawRef(mail_id=mail_id, chunks=1, size=100, sha256="0" * 64, head=50)


def post(as_of: AsOf, *, personal: bool = True, slug: str = SLUG) -> PostRouted:
    """A new post to the list."""
    mail_id = new_id()
    return PostRouted(mail_id=mail_id, list=slug, raw=raw(mail_id), personal=personal, as_of=as_of)


async def done(
    broker: Broker, mail_id: str, slug: str = SLUG, *, seconds: float = 60
) -> FanoutDone:
    """Wait until a fan-out is complete."""
    following = broker.follow("ROUTED", subjects.routed("done", slug, mail_id))
    assert isinstance(following, AsyncGenerator)
    async with asyncio.timeout(seconds), aclosing(following):
        (stored,) = await anext(following)
    (event,) = stored.envelope().events
    assert isinstance(event, FanoutDone)
    return event


async def queued(broker: Broker, mail_id: str, slug: str = SLUG) -> list[tuple[str, ChunkQueued]]:
    """Every chunk of a mail in the order they were stored, with its lane."""
    found: list[tuple[str, ChunkQueued]] = []
    async for stored in broker.scan("SEND", f"mail.send.*.{slug}.{mail_id}.*"):
        (event,) = stored.envelope().events
        assert isinstance(event, ChunkQueued)
        found.append((stored.subject.split(".")[2], event))
    return found


def everybody(chunks: Sequence[tuple[str, ChunkQueued]]) -> list[str]:
    """All addresses, in order of their recipient numbers."""
    return [address for _, chunk in chunks for address in chunk.addresses]
