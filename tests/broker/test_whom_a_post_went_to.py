"""The set that a post was fanned out to, of more members than a chunk holds."""

from __future__ import annotations

from pathlib import Path

from postroad.cli import past
from postroad.runtime.broker import Broker
from schemas.commands import ChangeMember, Unsubscribe
from tests.broker.membership import (
    LIST,
    SLUG,
    done,
    everybody,
    many,
    membership,
    post,
    queued,
    route,
    settings,
)


async def test_the_set_of_a_large_post_is_that_of_its_chunks(
    broker: Broker, tmp_path: Path
) -> None:
    """Whoever stands in one of the chunks, and nobody else; who left between routing and fan-out
    is told as left out, and who joined since is not told at all."""
    leaver, silent = "member7@d0.example", "member8@d1.example"
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.import_(many(0, 300))
        await service.ask(ChangeMember(list=LIST, address=silent, delivery_mode="none"))
        routed = post(await service.as_of())
        await service.ask(Unsubscribe(list=LIST, address=leaver))
        await service.import_(many(300, 310))
        await route(broker, routed)
        await done(broker, routed.mail_id)
        chunks = await queued(broker, routed.mail_id)
        assert len(chunks) > 1
        found = await past.post(broker, SLUG, routed.mail_id)
        told = [one async for one in past.of_post(broker, LIST, found, lambda *_: None)]
    sent = [member.row.address for member in told if not member.why]
    assert sorted(sent) == sorted(everybody(chunks))
    left_out = {member.row.address: member.why for member in told if member.why}
    assert left_out.keys() == {leaver, silent}
    assert left_out[silent] == "delivery_mode=none"
    assert left_out[leaver].startswith("left")
