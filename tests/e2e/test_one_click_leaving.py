"""A member presses Unsubscribe in a mail program that follows https links (RFC 8058)."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.sockets import listening
from tests.e2e.system import ROAD, mail, smtp_relay
from tests.peers.process import free_port
from tests.peers.sink import Sink

pytestmark = pytest.mark.e2e
MEMBERS = ("anna@example.net", "bert@example.com")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def test_the_link_of_a_copy_takes_its_member_off(tmp_path: Path) -> None:
    """Each copy has one https link and one mailto link of its member's own. Opened it changes
    nothing, posted to it takes just that member off, by the next post; they are told goodbye, and
    the web service ends in order."""
    port = free_port()
    more = f"[web]\nport = {port}\n"
    async with (
        Sink.start() as sink,
        listening(
            tmp_path, more=smtp_relay(sink.port) + more, services=(*ROAD, "web"), lists=()
        ) as socket,
        httpx.AsyncClient() as client,
    ):
        await socket.road.make_list("team@example.org", MEMBERS)

        async def posted(number: int, copies: int) -> dict[str, str]:
            async with socket.client() as writer:
                assert (await writer.send(mail(number))).startswith("250 ")
            records = await sink.wait_for(copies)
            found = [record for record in records if record.message_id == f"<{number}@posts>"]
            return {each.recipients[0]: each.headers.replace("\r", "") for each in found}

        copies = await posted(1, 2)
        links = {}
        for member, headers in copies.items():
            assert "\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n" in f"\n{headers}\n"
            found = re.search(
                r"^List-Unsubscribe:\s<(https://example\.org/u/\S+)>,\s+<mailto:team-leave\+(\w+)@",
                headers,
                re.MULTILINE,
            )
            assert found, headers
            assert found[1].endswith(f"-{found[2]}")
            links[member] = f"http://127.0.0.1:{port}{urlsplit(found[1]).path}"
        assert len({*links.values()}) == 2

        for link in links.values():
            assert 'method="post"' in (await client.get(link)).text
        assert (await client.post(links[MEMBERS[0]], data=ONE_CLICK)).status_code == 200
        await sink.wait_for(3)  # the goodbye
        assert [*await posted(2, 4)] == [MEMBERS[1]]
        assert [record.recipients for record in sink.records()].count(MEMBERS[:1]) == 2
        await socket.road.stop("web")
        for name in ("web", "membership"):
            assert not socket.road.log(name)
