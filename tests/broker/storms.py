"""Many who confirm at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from postroad.runtime.broker import Broker
from schemas.road import CommandDone
from tests.broker.membership import membership
from tests.broker.requests import ANNA, Post, mail_of, settings
from tests.e2e.system import until


async def confirmed_at_once(broker: Broker, place: Path, askers: int, times: int) -> Counter[str]:
    """So many people are asked whether to join, and each confirms so many times, all of it at
    once: what came of the confirmations. Everybody is on the list in the end, by one event."""
    post = Post(broker)
    addresses = [ANNA, *(f"member{n}@d{n % 7}.example" for n in range(1, askers))]
    async with membership(broker, settings(place)) as service:
        await service.create()
        joins = [post.write("join", mail_of(author=one)) for one in addresses]
        await _dealt_with(broker, await asyncio.gather(*joins))
        tokens = {letter.to: letter.token for letter in await post.letters()}
        assert set(tokens) == set(addresses)
        confirms = [
            post.write("confirm", mail_of(author=one), token=tokens[one])
            for one in addresses
            for _ in range(times)
        ]
        outcomes = await _dealt_with(broker, await asyncio.gather(*confirms))
        for address in addresses[:20]:
            assert (await service.whois(address)).roles == ("member",)
    for stream in ("PEOPLE", "MEMBERSHIP"):
        assert (await broker.api(f"STREAM.INFO.{stream}"))["state"]["messages"] == askers
    return Counter(outcomes)


async def _dealt_with(broker: Broker, mails: list[str]) -> list[str]:
    """What came of each of these mails, once all are answered."""
    done: dict[str, str] = {}

    async def all_done() -> bool:
        async for stored in broker.scan("ROUTED", "mail.routed.done.>"):
            (event,) = stored.events()
            if isinstance(event, CommandDone):
                done[event.mail_id] = event.outcome
        return set(mails) <= set(done)

    await until(all_done, "every mail is answered", patience=240)
    return [done[mail] for mail in mails]
