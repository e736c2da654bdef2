"""People leave, and come back, while a large post is on its way to the list."""

from __future__ import annotations

from pathlib import Path

from postroad.mail.tokens import TokenMaker
from postroad.runtime.config import Config
from schemas.road import ChunkQueued
from tests.e2e.system import World, mail, until, world
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

TEAM, SLUG = "team@example.org", "team-example-org"
MEMBERS = 2_500
AWHILE = 300  # copies that leave in the two seconds after which the sender must know
SLOW = Script(rules=(Rule(at="dot", match="@far", delay=0.01),))


async def chunks(here: World) -> list[ChunkQueued]:
    """Every chunk of the post."""
    return [
        event
        async for stored in here.road.broker.scan("SEND", f"mail.send.bulk.{SLUG}.>")
        for event in stored.envelope().events
        if isinstance(event, ChunkQueued)
    ]


async def test_no_copy_leaves_for_who_left_before_its_turn(tmp_path: Path) -> None:
    """A post to 2,500 is going out when one member presses Unsubscribe, another is removed, and a
    third leaves and comes back: the first two get no copy though it was queued, the first is told
    goodbye, the third and everybody else get theirs once; it is told so, and stays so when the
    sender's queues are read again."""
    people = [f"m{n}@far.example.net" for n in range(MEMBERS)]
    async with world(tmp_path, script=SLOW, relay={"connections": "1"}) as here:
        await here.road.make_list(TEAM, people)
        here.post(mail(1))
        await here.sink.wait_for(200)
        queued = await chunks(here)
        assert len(queued) == -(-MEMBERS // 128)
        leaver, removed, back = queued[-1].addresses[:3]
        tokens = TokenMaker(Config.load(here.road.config, {}).site_key())
        token = tokens.leave_token(SLUG, queued[-1].people[0])
        here.post(mail("bye", f"team-leave+{token}@example.org", author=leaver))
        for command in ("remove", removed), ("remove", back), ("add", back, "--confirmed"):
            done = await here.road.cli("member", command[0], TEAM, *command[1:])
            assert done.code == 0, done.err

        async def told() -> bool:
            return any(leaver in record.recipients for record in here.sink.records())

        await until(told, "goodbye is said")
        out = len(here.sink.records())
        await here.sink.wait_for(out + AWHILE)
        assert out + AWHILE < MEMBERS - 200, "the sink is not slow enough"
        here.sink.tell(Script())
        await here.sink.wait_for(MEMBERS - 1)
        await here.road.settled(2)
        for durable in ("sender-now", "sender-bulk"):
            await here.road.broker.api(f"CONSUMER.RESET.SEND.{durable}", {"seq": 1})
            await here.road.settled_again("SEND", durable)
        goodbye = [r for r in here.sink.records() if r.message_id != "<1@posts>"]
        assert [record.recipients for record in goodbye] == [(leaver,)]
        copies = [r for r in here.sink.records() if r.message_id == "<1@posts>"]
        expected = frozenset(people) - {leaver, removed}
        assert check(copies, [Post("<1@posts>", expected)]).exact

        shown = await here.road.cli("post", "show", copies[0].trace, "--json")
        (fate,) = shown.json["lists"]
        found = {name: fate[name] for name in ("recipients", "accepted", "left", "waiting")}
        assert found == {"recipients": MEMBERS, "accepted": MEMBERS - 2, "left": 2, "waiting": 0}
        assert not fate["failed"]
        assert not fate["possible_duplicates"]
