"""Spam, as members do not get it: by spamd, and by what a filter in front of us wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.system import mail, until, world
from tests.peers.spamd import GTUBE, Spamd

pytestmark = pytest.mark.e2e
READER = "reader@d1.example.net"


async def test_spam_reaches_no_member(tmp_path: Path) -> None:
    """It is held, or discarded where the list says so, members' too; other mail comes through, and
    so does all of it when spamd is away, which the status tells."""
    async with Spamd.start() as spamd, world(tmp_path, services=()) as here:
        env = {
            "POSTROAD_SPAMD__PORT": str(spamd.port),
            "POSTROAD_SITE__SPAM_HEADERS": "X-Spam-Status",
        }
        for name in ("membership", "router", "sender", "ingest"):
            await here.road.run(name, env=env)
        await here.road.ready()
        await here.road.make_list("team@example.org", [READER, "anna@example.net"])
        await here.road.make_list("news@example.org", [READER], spam_discard_threshold="900")
        await here.road.make_list("any@example.org", [READER], spam_action="defer")
        marked = b"X-Spam-Status: Yes, score=7.4 required=5.0\r\n"
        clean = b"X-Spam-Status: No, score=0.1 required=5.0\r\n"
        for post in (
            mail("gtube", body=GTUBE),
            mail("worse", to="news@example.org", body=GTUBE),
            mail("free", to="any@example.org", body=GTUBE),
            marked + mail("marked"),
            clean + marked + mail("forged"),
            mail("tea"),
        ):
            here.post(post)
        await here.road.settled(6)
        shown = await here.road.cli("post", "ls", "--json")
        kinds = {row["message_id"].partition("@")[0]: row["kind"] for row in shown.json}
        assert kinds == {
            "gtube": "held",
            "worse": "discarded",
            "free": "post",
            "marked": "held",
            "forged": "post",
            "tea": "post",
        }
        reasons = [row["reason"] for row in shown.json if row["message_id"].startswith("gtube")]
        assert "1000 points: GTUBE" in reasons[0]

        await spamd.daemon.kill()
        here.post(mail("late", body=GTUBE))
        await here.road.settled(7)

        async def told() -> bool:
            status = await here.road.cli("status", env=env)
            return status.code == 1 and "the spam filter (spamd) does not answer" in status.out

        await until(told, "the status tells of spamd")
        assert {to for record in here.sink.records() for to in record.recipients} >= {READER}
