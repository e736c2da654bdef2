"""A thousand posts, ten days, somebody erased; then every stream is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.commands import EraseMember
from tests.e2e.rereading import read_all_again
from tests.e2e.system import World, mail, world
from tests.peers import faketime
from tests.peers.sink import Rule, Script

pytestmark = pytest.mark.chaos
MEMBERS = [f"m{n}@d{n % 3}.example.net" for n in range(6)]
GONE = "gone@d9.example.net"  # the relay refuses them
POSTS, DAYS = 1000, 10
TAKE = ("membership", "router", "sender")  # what the consumers bring


async def days_later(here: World) -> None:
    """Stop the services and start them with the clock ahead; the broker's stays where it is."""
    env = {
        "PYTHONNOUSERSITE": "1",  # a Python of its own, for the library is loaded at its start
        **faketime.ahead(f"+{DAYS}d"),
    }
    for name in TAKE:
        await here.road.stop(name)
    for name in TAKE:
        await here.road.run(name, env=env)
    await here.road.ready(TAKE)


async def transactions(here: World) -> int:
    """How many messages the relay took, once nobody has anything left to do."""
    await here.road.settled(0, 300)
    return len(here.sink.records())


@pytest.mark.timeout(900)
@faketime.needed
async def test_a_thousand_posts_are_read_again_and_nothing_is_sent(tmp_path: Path) -> None:
    """Posts, mail that was held and accepted, rejected, for owners and for nobody, a command and
    refused copies: with the clock ten days on and a member erased, every consumer begins at the
    beginning, and there are no new SMTP transactions."""
    refused = Rule(at="rcpt", match="^gone@", reply="550 5.1.1 No such user")
    async with world(tmp_path, script=Script(rules=(refused,))) as here:
        road = here.road
        await road.make_list("team@example.org", [*MEMBERS, GONE])
        await road.make_list("held@example.org", MEMBERS, default_nonmember_action="hold")
        await road.make_list("no@example.org", MEMBERS, default_nonmember_action="reject")
        for number in range(POSTS):
            here.post(mail(number))
        for number, to in enumerate(("held", "no", "team-owner", "team-join", "nobody"), POSTS):
            here.post(mail(number, to=f"{to}@example.org", author=f"who{number}@example.com"))
        await here.sink.wait_for(POSTS * len(MEMBERS), 300)
        await road.settled(POSTS + 5, 120)
        held = (await road.cli("held", "ls", "--json")).json
        assert (await road.cli("held", "accept", held[0]["id"])).code == 0
        await here.sink.wait_for(POSTS * len(MEMBERS) + len(MEMBERS), 60)
        await road.settled(POSTS + 5)
        await road.ask("member_erase", EraseMember(address=MEMBERS[0]))
        await days_later(here)
        here.sink.tell(Script())  # now it would take them
        before = await transactions(here)
        said = await read_all_again(here)
        assert await transactions(here) == before
        again = {each["consumer"]: each["messages"] for each in said}
        print(f"\n{before:,} transactions; read again: {again}")
        assert sum(again.values()) > 3 * POSTS
        assert not any(each["acts"] for each in said)
        assert before >= POSTS * len(MEMBERS) + len(MEMBERS)
        assert all(again[name] for name in again.keys() - {"bounces", "sender-bulk"})
