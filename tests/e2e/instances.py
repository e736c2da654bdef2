"""Several Postroads that write to each other by LMTP, and one sink for everybody else.

async with instances(tmp_path, "a.example", "b.example") as (sink, (a, b)):
    await a.road.make_list("team@a.example", ["anna@example.net", "team@b.example"])
    await a.post(mail(1, to="team@a.example"))
    await quiet(a, b)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.road import MailStopped, PostRouted
from tests.e2e.sockets import Socket, source
from tests.e2e.system import System, smtp_relay, until
from tests.peers.process import free_port
from tests.peers.sink import Sink


@dataclass
class Instance:
    """One Postroad, with the domain of its lists."""

    domain: str
    road: System
    door: Socket

    async def post(self, data: bytes, to: Sequence[str], sender: str = "anna@example.net") -> None:
        """Hand over a mail by LMTP to these addresses."""
        async with self.door.client() as client:
            reply = await client.send(data, to, sender)
            for _ in to[1:]:
                await client.reply()
            assert reply.startswith("250 "), reply

    async def decided(self, kind: str = "*") -> list[Any]:
        """The decisions on posts, in order: PostRouted and MailStopped."""
        return [
            event
            async for stored in self.road.broker.scan("ROUTED", f"mail.routed.{kind}.>")
            for event in stored.envelope().events
            if isinstance(event, PostRouted | MailStopped)
        ]

    async def stopped(self) -> list[tuple[str, str]]:
        """Verdict and deciding rule of everything that was stopped, in order."""
        events = await self.decided()
        return [(e.verdict, e.hits[0].rule) for e in events if isinstance(e, MailStopped)]


@contextlib.asynccontextmanager
async def instances(
    home: Path,
    *domains: str,
    kind: str = "lmtp",
    more: Mapping[str, str] = {},
    relay: Mapping[str, str] = {},
) -> AsyncIterator[tuple[Sink, list[Instance]]]:
    """One Postroad for each domain, each with a relay of kind lmtp to every other; `relay` are
    further settings of all their relays, `more` of their sources, which are of this `kind`."""
    ports = {domain: free_port() for domain in domains}
    async with contextlib.AsyncExitStack() as stack:
        sink = await stack.enter_async_context(Sink.start(keep=True))

        async def start(domain: str) -> Instance:
            place = home / domain
            place.mkdir()
            settings = source(kind, ports[domain], **{"verdict": '"later"', **more})
            settings += smtp_relay(sink.port, **relay)
            for other in domains:
                if other != domain:
                    settings += _cable(other, ports[other], relay)
            road = System.start(place, settings, domain=domain)
            running = await stack.enter_async_context(road)
            return Instance(
                domain,
                running,
                Socket(running, ports[domain], "LHLO" if kind == "lmtp" else "EHLO"),
            )

        yield sink, [await start(domain) for domain in domains]


def _cable(domain: str, port: int, more: Mapping[str, str]) -> str:
    lines = {
        "name": f'"to-{domain.partition(".")[0]}"',
        "kind": '"lmtp"',
        "host": '"127.0.0.1"',
        "port": str(port),
        "tls": '"none"',
        "domains": f'["{domain}"]',
        **more,
    }
    return "[[relay]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())


async def quiet(*here: Instance) -> None:
    """Wait until nobody has anything left to do, and nothing is on its way between them."""

    async def all_idle() -> bool:
        before = await _received(here)
        idle = [await each.road.idle() for each in here]
        return all(idle) and await _received(here) == before

    await until(all_idle, "everything went its way")


async def _received(here: Sequence[Instance]) -> list[int]:
    infos = await asyncio.gather(
        *(each.road.broker.api(f"STREAM.INFO.{name}") for each in here for name in _WATCHED)
    )
    return [info["state"]["last_seq"] for info in infos]


_WATCHED = ("RECEIVED", "ROUTED", "SEND", "DELIVERY")
