"""The projector dies and its file is damaged while posts go out: no mail waits, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.cli.projected import projected
from postroad.runtime.config import Config
from projections.warehouse import NAME
from tests.e2e.sockets import listening
from tests.e2e.system import ROAD, mail, smtp_relay, until
from tests.peers.sink import Sink

pytestmark = pytest.mark.e2e
LIST = "team@example.org"
MEMBERS = ("anna@example.net", "bert@example.com", "cleo@example.net")


async def test_no_mail_waits_for_the_projector(tmp_path: Path) -> None:
    """Posts go out while it is away. Back again, with a file that is no database any more, it moves
    that aside, folds everything anew and answers for every copy that the relay took."""
    services = (*ROAD, "projector")
    async with (
        Sink.start() as sink,
        listening(tmp_path, more=smtp_relay(sink.port), services=services, lists=()) as socket,
    ):
        road = socket.road
        await road.make_list(LIST, MEMBERS)

        async def posted(number: int, copies: int) -> None:
            async with socket.client() as writer:
                assert (await writer.send(mail(number))).startswith("250 ")
            await sink.wait_for(copies)

        async def answered(copies: int) -> None:
            async def counted() -> bool:
                async with projected(Config.load(road.config, {}), road.broker) as ask:
                    posts = await ask("posts_of", list=slug, limit=10)
                return bool(sum(post["accepted"] for post in posts) == copies)

            await until(counted, f"the projector knows of {copies} copies")

        created = await road.broker.last("LISTS", "lists.>")
        assert created is not None
        slug = created.subject.removeprefix("lists.")
        await posted(1, 3)
        await answered(3)
        await road.kill("projector")
        await posted(2, 6)
        (tmp_path / "state" / NAME).write_bytes(b"nothing that DuckDB knows" * 100)
        await road.run("projector")
        await road.ready(services)
        await answered(6)
        assert "projector.moved_aside" in road.log("projector")
        assert [*(tmp_path / "state").glob(f"{NAME}.corrupt-*")]
