"""A post that a mail server hands over by LMTP, and what comes back of it."""

from __future__ import annotations

from pathlib import Path

from schemas.road import BounceRouted
from tests.e2e.sockets import listening
from tests.e2e.system import ROAD, mail, smtp_relay, until
from tests.peers.sink import Sink

MEMBERS = ("anna@example.net", "bert@example.com")


async def test_a_post_by_lmtp_reaches_members_and_its_bounce_comes_back(tmp_path: Path) -> None:
    """One mail to two lists goes to the members of both; a delivery report to the address of one
    member's copy, with the null sender that reports have, is about that post and that member."""
    async with (
        Sink.start() as sink,
        listening(tmp_path, more=smtp_relay(sink.port), services=ROAD, lists=()) as socket,
    ):
        await socket.road.make_list("team@example.org", MEMBERS)
        await socket.road.make_list("news@example.org", MEMBERS[:1])
        async with socket.client() as client:
            to = ("team@example.org", "news@example.org")
            assert (await client.send(mail(1), to)).startswith("250 ")
            assert (await client.reply()).startswith("250 ")
            records = await sink.wait_for(3)
            (post,) = await socket.received()
            assert {record.trace for record in records} == {post.mail_id}
            (copy,) = (record for record in records if record.recipients == MEMBERS[1:])
            assert copy.sender.startswith("team-bounces+")

            report = mail(2, to=copy.sender, author="mailer-daemon@example.com")
            assert (await client.send(report, [copy.sender], sender="")).startswith("250 ")

        async def routed() -> list[BounceRouted]:
            return [
                event
                async for stored in socket.road.broker.scan("ROUTED", "mail.routed.bounce.>")
                for event in stored.envelope().events
                if isinstance(event, BounceRouted)
            ]

        async def there() -> bool:
            return bool(await routed())

        await until(there, "the bounce is routed")
        (bounce,) = await routed()
        assert (bounce.about, bounce.number >= 0) == (post.mail_id, True)
