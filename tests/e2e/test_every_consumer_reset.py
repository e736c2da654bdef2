"""An operator resets every consumer to the beginning: not one new SMTP transaction."""

from __future__ import annotations

from pathlib import Path

from schemas.commands import EraseMember
from tests.e2e.rereading import read_all_again
from tests.e2e.system import mail, world
from tests.peers.checker import Post, check

MEMBERS = [f"m{n}@d{n % 3}.example.net" for n in range(12)]
POSTS = 18


async def test_reading_the_streams_again_sends_nothing(tmp_path: Path) -> None:
    """Each stage has a key that outlives its input, so the whole road can be read again, with
    somebody erased, too: posts, a cross-post, mail that was for no list then, and a list that came
    later. The command says beforehand that nothing would happen."""
    async with world(tmp_path) as here:
        await here.road.make_list("team@example.org", MEMBERS)
        await here.road.make_list("crew@example.org", MEMBERS[:5], personalize="none")
        for number in range(POSTS):
            here.post(mail(number))
        here.post(mail(POSTS, to="team@example.org, crew@example.org"))
        here.post(mail(POSTS + 1, to="later@example.org"))
        await here.sink.wait_for((POSTS + 1) * 12 + 5)
        await here.road.settled(POSTS + 2)
        numbers = range(POSTS + 1)
        team = [Post(f"<{n}@posts>", frozenset(MEMBERS), "team.example.org") for n in numbers]
        crew = Post(f"<{POSTS}@posts>", frozenset(MEMBERS[:5]), "crew.example.org")
        assert check(here.sink.records(), [*team, crew]).exact
        await here.road.make_list("later@example.org", MEMBERS)
        await here.road.ask("member_erase", EraseMember(address=MEMBERS[0]))
        before = len(here.sink.records())
        said = await read_all_again(here)
        await here.road.settled(POSTS + 2)
        assert len(here.sink.records()) == before
        assert {each["consumer"]: each["messages"] for each in said if each["messages"]} == {
            "router": POSTS + 2,
            "fanout": POSTS + 2,
            "sender-now": POSTS + 2,
        }
        assert all(each["done"] == each["messages"] for each in said)
