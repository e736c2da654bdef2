"""The sender alone: chunks put on the stream by the test, sink or provider at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from postroad.runtime import blobs
from postroad.runtime.clock import envelope
from schemas import codec, subjects
from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy, WindowRecorded
from tests.e2e import tables
from tests.e2e.system import System, mail, smtp_relay, until
from tests.peers.checker import Post, check
from tests.peers.provider import Provider
from tests.peers.providerrules import Rules
from tests.peers.sink import Script, Sink

LIST = "team-example-org"


@dataclass
class Chunks:
    """A running sender, and what to give it."""

    road: System

    async def post(self, number: int, data: bytes = b"") -> RawRef:
        """Store a mail with the Message-ID <number@posts>, or this one."""
        data = data or mail(number)
        head = data.index(b"\r\n\r\n") + 4
        return await blobs.put_raw(self.road.broker, f"{number:032x}", 0, data, head)

    async def queue(
        self,
        ref: RawRef,
        chunk: int,
        size: int,
        *,
        personal: bool = True,
        lane: str = "bulk",
        domains: Sequence[str] = ("example.net",),
        **copy: Any,
    ) -> list[str]:
        """Queue a chunk of `size` people, in these `domains` by turns; returns their addresses.
        `copy` are other values for fields of its Copy."""
        people = [f"{chunk:012x}{n:012x}" for n in range(size)]
        addresses = sorted(
            (f"p{chunk}-{n}@{domains[n % len(domains)]}" for n in range(size)),
            key=lambda address: address.rpartition("@")[2],
        )
        event = ChunkQueued(
            mail_id=ref.mail_id,
            list=LIST,
            chunk=str(chunk),
            first=chunk * size,
            people=tuple(people),
            addresses=tuple(addresses),
            copy=Copy(
                raw=ref,
                personal=personal,
                list=LIST,
                list_address="team@example.org",
                bounces=("team-bounces+", "@example.org"),
                leave=("team-leave+", "@example.org"),
                post=7,
            ),
        )
        event = msgspec.structs.replace(event, copy=msgspec.structs.replace(event.copy, **copy))
        subject = subjects.send("now" if lane == "now" else "bulk", LIST, ref.mail_id, str(chunk))
        message = envelope([event], correlation=ref.mail_id, actor="test")
        await self.road.broker.publish(subject, codec.encode(message), expect=0)
        return addresses

    async def ledger(self) -> list[WindowRecorded]:
        """Every entry of every ledger, in order."""
        return [
            event
            async for stored in self.road.broker.scan("DELIVERY", "delivery.>")
            for event in stored.envelope().events
            if isinstance(event, WindowRecorded)
        ]

    async def hurry(self) -> None:
        """Have all that is scheduled fall due now."""
        broker = self.road.broker
        async for stored in broker.scan("SEND", "mail.retry.>"):
            kept = ("Nats-Schedule-Target", "Postroad-Tried")
            headers = {name: stored.headers[name] for name in kept if name in stored.headers}
            headers["Nats-Schedule"] = "@at 2026-01-01T00:00:00Z"
            await broker.publish(stored.subject, stored.data, expect=stored.seq, headers=headers)

    async def marked(self) -> Counter[str]:
        """Who may have a second copy by the ledger, and how often."""
        addresses = {
            (event.mail_id, event.chunk): event.addresses
            async for stored in self.road.broker.scan("SEND", "mail.send.>")
            for event in stored.envelope().events
            if isinstance(event, ChunkQueued)
        }
        return Counter(
            addresses[entry.mail_id, entry.chunk][index]
            for entry in await self.ledger()
            if entry.outcome is not None
            for index in entry.outcome.doubtful
        )

    async def tables_agree(self) -> None:
        """The analytics say what `post show` says, and what the sinks have."""
        await tables.agree(self.road.broker, self.recipients)

    def recipients(self) -> set[str]:
        """Who has a copy."""
        raise NotImplementedError

    async def finished(self, chunks: int) -> None:
        """Wait until so many chunks (retries count) are finished and acknowledged, and nobody waits
        for another try."""

        async def all_done() -> bool:
            done = {entry.chunk for entry in await self.ledger() if entry.finished}
            return len(done) >= chunks and await self.road.done()

        await until(all_done, f"{chunks} chunks are finished")


@dataclass
class Sending(Chunks):
    """A running sender and its sink."""

    sink: Sink

    def recipients(self) -> set[str]:
        """Who has a copy."""
        return {who for record in self.sink.records() for who in record.recipients}


@dataclass
class Routing(Chunks):
    """A running sender and the sinks it sends to, by the names of its relays."""

    sinks: Mapping[str, Sink]

    def recipients(self) -> set[str]:
        """Who has a copy."""
        return set(self.got())

    def got(self, *names: str) -> list[str]:
        """Who has a copy, once for each, by these relays or by all of them."""
        return [
            recipient
            for name in names or self.sinks
            for record in self.sinks[name].records()
            for recipient in record.recipients
        ]

    async def arrived(self, everyone: Sequence[str]) -> None:
        """Wait until all have a copy and the sender is idle; nobody may have two."""

        async def all_came() -> bool:
            return len(self.got()) >= len(everyone) and await self.road.idle()

        await until(all_came, "every copy arrived")
        assert sorted(self.got()) == sorted(everyone)

    async def facts(self, relay: str) -> tuple[bool, str]:
        """Whether a relay is well, and what is said of it."""
        report = await self.road.report("sender")
        (fact,) = (f for f in report.facts if (f.kind, f.name) == ("relay", relay))
        return fact.ok, fact.detail


@dataclass
class Providing(Chunks):
    """A running sender and the provider it sends through."""

    provider: Provider

    def recipients(self) -> set[str]:
        """Who has a copy."""
        return {who for record in self.provider.records() for who in record.recipients}

    async def relay(self) -> tuple[bool, str]:
        """Whether the relay is well, and what is said of it."""
        report = (await self.road.reports()).get("sender")
        for fact in report.facts if report else ():
            if fact.kind == "relay":
                return fact.ok, fact.detail
        return True, ""

    async def told(self, words: str) -> None:
        """Wait until the relay is not well, for a reason with these words."""

        async def is_told() -> bool:
            ok, detail = await self.relay()
            return not ok and words in detail

        await until(is_told, f"the status says {words!r}")

    async def well(self) -> None:
        """Wait until the relay is well."""

        async def is_well() -> bool:
            return (await self.relay())[0]

        await until(is_well, "the relay is well")

    async def alarmed(self, words: str, times: int = 1) -> list[str]:
        """Wait until somebody was told these words so often; every line that was told."""
        told = self.road.home / "told"

        async def is_told() -> bool:
            return told.exists() and told.read_text().count(words) >= times

        await until(is_told, f"somebody is told {words!r}")
        return await asyncio.to_thread(lambda: told.read_text().splitlines())

    def exact(self, *recipients: list[str]) -> None:
        """Everybody has the posts 1, 2, ... once."""
        posts = [Post(f"<{n}@posts>", frozenset(who)) for n, who in enumerate(recipients, 1)]
        report = check(self.provider.records(), posts)
        assert report.exact, report

    async def change(self, old: str, new: str) -> None:
        """The settings are changed and the sender is started again."""
        await self.road.kill("sender")
        text = self.road.config.read_text()
        assert old in text
        self.road.config.write_text(text.replace(old, new))
        await self.road.run("sender")

    async def nobody_failed(self) -> None:
        """No recipient was given up, and none was blamed."""
        found = [f for e in await self.ledger() if e.outcome for f in e.outcome.failures]
        assert not [f for f in found if f.kind == "failed" or f.scope == "recipient"], found


@contextlib.asynccontextmanager
async def providing(
    home: Path,
    rules: Rules,
    *,
    relay: Mapping[str, str] = {},
    profile: str = "",
    **provider: Any,
) -> AsyncIterator[Providing]:
    """A sender and the server of a provider, by its profile (else that of `rules`); `relay` are
    settings that win over it, `provider` those of `Provider.start`. Alarms go to a file."""
    async with Provider.start(rules, **provider) as server:
        extra = {"profile": f'"{profile or rules.name}"', **relay}
        if rules.login and "oauth2" not in extra:
            secret = home / "password"
            secret.write_text(f"{server.password}\n")
            secret.chmod(0o600)
            extra = {"password_file": f'"{secret}"', **extra}
        if rules.login:
            extra = {"user": f'"{server.account}"', **extra}
        text = f'[alarm]\ncommand = "tee -a {home}/told"\n' + smtp_relay(server.port, **extra)
        async with System.start(home, text, services=("sender",)) as road:
            yield Providing(road, server)


@contextlib.asynccontextmanager
async def sending(
    home: Path, script: Script | None = None, relay: Mapping[str, str] = {}
) -> AsyncIterator[Sending]:
    """A sender with the default of 4 lanes and windows of 16, and the sink it sends to."""
    async with Sink.start(script) as sink:
        settings = smtp_relay(sink.port, **relay)
        async with System.start(home, settings, services=("sender",)) as road:
            yield Sending(road, sink)


@contextlib.asynccontextmanager
async def routing(
    home: Path,
    relays: Mapping[str, Mapping[str, str]],
    *,
    scripts: Mapping[str, Script] = {},
    more: str = "",
) -> AsyncIterator[Routing]:
    """A sender with these relays, a sink for each; `relays` are their settings, `more` follows
    them."""
    async with contextlib.AsyncExitStack() as stack:
        sinks, settings = {}, ""
        for name, extra in relays.items():
            sinks[name] = await stack.enter_async_context(Sink.start(scripts.get(name)))
            settings += smtp_relay(sinks[name].port, **extra).replace('"out"', f'"{name}"')
        road = await stack.enter_async_context(
            System.start(home, settings + more, services=("sender",))
        )
        yield Routing(road, sinks)
