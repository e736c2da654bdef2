"""A list with an archive elsewhere: each post goes there as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.system import mail, world

pytestmark = pytest.mark.e2e


async def test_an_archive_gets_each_post_without_a_token(tmp_path: Path) -> None:
    """Whom a list names in `also_to` gets one copy of each post, with no token of anybody; members
    have theirs, and `post show` counts all."""
    async with world(tmp_path) as here:
        await here.road.make_list(
            "team@example.org", ["bob@example.net"], also_to="all@archive.example"
        )
        here.post(mail(1))
        records = {r.recipients: r for r in await here.sink.wait_for(2)}
        archived, own = records["all@archive.example",], records["bob@example.net",]
        assert archived.sender == "team-bounces@example.org"
        assert own.sender.startswith("team-bounces+")
        assert "mailto:team-leave@example.org" in archived.headers
        assert "mailto:team-leave+" in own.headers
        assert archived.body_sha256 == own.body_sha256
        await here.road.settled(1)
        assert len(here.sink.records()) == 2
        (post,) = (await here.road.cli("post", "ls", "--json")).json
        shown = (await here.road.cli("post", "show", post["id"])).out
        assert "2 recipients" in shown, shown
