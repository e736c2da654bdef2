"""Rules change, and past mail is run through them again: first only to look, then to send."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from schemas.commands import ConfigureList, DecideHeld, ListHeld, Subscribe, Unsubscribe
from tests.e2e.system import System, World, mail, until, world
from tests.peers.records import Record

TEAM = "team@example.org"
THERE = ["m1@d1.example.net", "m2@d2.example.net"]
GONE, NEW, ARCHIVE = "gone@d3.example.net", "new@d4.example.net", "archive@example.net"
ZOE = "zoe@far.example"
REPLAY = ("replay", "--list", TEAM, "--from", "1h", "--no-dns")
CHANGED = (
    *("default_nonmember_action=accept", "acceptable_aliases+=crew@example.org"),
    *(f"also_to={ARCHIVE}", "subject_prefix=[New]"),
)


async def test_replay_shows_the_difference_and_sends_it_once(tmp_path: Path) -> None:
    """A dry run stores and sends nothing. What is sent goes to those who were there then and are
    now, once each: also where membership is killed in the middle, and two replay at once."""
    async with world(tmp_path) as here:
        road = here.road
        await _past(here)
        before = Counter(_copies(here.sink.records()))
        await road.ask("unsubscribe", Unsubscribe(list=TEAM, address=GONE))
        await road.ask("subscribe", Subscribe(list=TEAM, address=NEW))
        assert (await road.cli("list", "set", TEAM, *CHANGED)).code == 0
        await road.settled(9)
        stored, sent = await _stored(road), len(here.sink.records())
        await _looked_at(road)
        unasked = await road.cli(*REPLAY)
        assert (unasked.code, "add --yes" in unasked.err) == (2, True)
        assert (await _stored(road), len(here.sink.records())) == (stored, sent)

        await road.stop("membership")
        await road.run("membership", crashpoint="membership.after_let_through:2")
        await road.ready()
        cut = asyncio.create_task(road.cli(*REPLAY, "--yes"))
        await road.died("membership")
        await road.run("membership")
        await road.ready()
        both = await asyncio.gather(*(road.cli(*REPLAY, "--yes", "--json") for _ in range(2)))
        assert all(each.code == 0 for each in both), [each.err for each in both]
        went = [(f"<{n}@posts>", who) for n in (3, 4, 5, 6, 8, 9) for who in (*THERE, ARCHIVE)]
        expected = before + Counter([*went, *((f"<{n}@posts>", ARCHIVE) for n in (0, 2))])

        async def arrived() -> bool:
            return Counter(_copies(here.sink.records())) == expected

        await until(arrived, "everybody has what they were to have")
        again = await road.cli(*REPLAY, "--yes", "--json")
        assert again.json["sent"] == {"posts": 0, "copies": 0, "left": []}
        assert (await cut).code == 1  # nobody answered it
        await road.settled(9)
        assert await arrived()


async def _past(here: World) -> None:
    """A post, and mail of a stranger: held, and two of it decided on; rejected; and for nobody."""
    road = here.road
    await road.make_list(TEAM, [*THERE, GONE], default_nonmember_action="hold")
    here.post(mail(0, author=THERE[0]))
    for number in range(1, 7):
        here.post(mail(number, author=ZOE))
    await road.settled(7)
    held = (await road.ask("held_ls", ListHeld())).held
    ids = {row.subject: row.id for row in held}
    await road.ask("held_decide", DecideHeld(mail_id=ids["post 1"], verdict="discard"))
    await road.ask("held_decide", DecideHeld(mail_id=ids["post 2"], verdict="accept"))
    reject = {"default_nonmember_action": "reject"}
    await road.ask("list_set", ConfigureList(list=TEAM, settings=reject))
    here.post(mail(8, author=ZOE))
    here.post(mail(9, to="crew@example.org"))
    await road.settled(9)


async def _looked_at(road: System) -> None:
    looked = await road.cli(*REPLAY, "--dry-run", "--only-diff", "--json")
    assert looked.code == 0, looked.err
    found = {each["subject"]: each for each in looked.json["differences"]}
    assert {name: (e["then"]["outcome"], e["now"]["outcome"]) for name, e in found.items()} == {
        "post 0": ("post", "post"),
        "post 1": ("discarded", "post"),
        "post 2": ("post", "post"),
        **{f"post {number}": ("held", "post") for number in range(3, 7)},
        "post 8": ("rejected", "post"),
        "post 9": ("unrouted", "post"),
    }
    assert looked.json["posts"] == 6
    assert found["post 1"]["kept"] == "a moderator has decided on it"
    assert found["post 0"]["more"] == [ARCHIVE]
    assert [each["name"] for each in found["post 0"]["fields"]] == ["Subject"]
    assert found["post 3"]["now"]["copies"] == 4


def _copies(records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    return ((each.message_id, who) for each in records for who in each.recipients)


async def _stored(road: System) -> dict[str, int]:
    """How far each stream is, but that of traces."""
    names = (await road.broker.api("STREAM.NAMES"))["streams"]
    infos = [await road.broker.api(f"STREAM.INFO.{name}") for name in names if name != "SPANS"]
    return {info["config"]["name"]: info["state"]["last_seq"] for info in infos}
