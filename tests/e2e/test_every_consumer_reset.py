"""An operator resets every consumer to the beginning: not one new SMTP transaction."""

from __future__ import annotations

from pathlib import Path

from schemas import subjects
from tests.e2e.system import mail, world
from tests.peers.checker import Post, check

MEMBERS = [f"m{n}@d{n % 3}.example.net" for n in range(40)]


async def test_reading_the_streams_again_sends_nothing(tmp_path: Path) -> None:
    """Each stage has a key that outlives its input, so the whole road can be read again: posts,
    a cross-post, mail that was for no list then, and a list that came later."""
    async with world(tmp_path) as here:
        await here.road.make_list("team@example.org", MEMBERS)
        await here.road.make_list("crew@example.org", MEMBERS[:10], personalize="none")
        for number in range(5):
            here.post(mail(number))
        here.post(mail(5, to="team@example.org, crew@example.org"))
        here.post(mail(6, to="later@example.org"))
        await here.sink.wait_for(6 * 40 + 10)
        await here.road.settled(7)
        team = [Post(f"<{n}@posts>", frozenset(MEMBERS), "team.example.org") for n in range(6)]
        crew = Post("<5@posts>", frozenset(MEMBERS[:10]), "crew.example.org")
        assert check(here.sink.records(), [*team, crew]).exact
        await here.road.make_list("later@example.org", MEMBERS)
        before = len(here.sink.records())
        for durable in subjects.DURABLES:
            await here.road.broker.api(
                f"CONSUMER.RESET.{durable.stream}.{durable.name}", {"seq": 1}
            )
        for durable in subjects.DURABLES:
            await here.road.settled_again(durable.stream, durable.name)
        await here.road.settled(7)
        assert len(here.sink.records()) == before
