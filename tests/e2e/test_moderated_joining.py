"""A list whose owners decide who joins, from the mail to -join to the first post."""

from __future__ import annotations

from pathlib import Path

from schemas.commands import Subscribe
from tests.e2e.system import mail, world
from tests.e2e.test_commands_by_mail import ZOE, got, reply, write
from tests.e2e.test_held_mail_decided_by_reply import letter

TEAM, OLGA = "team@example.org", "olga@owners.example"


async def test_joined_by_an_owners_reply(tmp_path: Path) -> None:
    """Zoe asks, confirms and waits; the owner sees her at the command line, and lets her in by
    replying; she is welcomed and gets the next post, and a second verdict is refused."""
    async with world(tmp_path, keep=True) as here:
        policy = {"subscription_policy": "confirm_then_moderate"}
        await here.road.make_list(TEAM, ["m1@d1.example.net"], **policy)
        await here.road.ask("subscribe", Subscribe(list=TEAM, address=OLGA, role="owner"))
        here.post(write("team-join@example.org"))
        here.post(reply(await letter(here, ZOE)))
        asked = await letter(here, OLGA)
        assert asked["Subject"] == "Somebody wants to join Team"
        (row,) = (await here.road.cli("request", "ls", TEAM, "--json")).json
        assert (row["address"], row["action"]) == (ZOE, "join")
        here.post(reply(asked, "accept\n", From=OLGA))
        assert (await letter(here, ZOE, 3))["Subject"] == "Welcome to Team"
        await here.road.settled(3)
        here.post(mail(1))
        await here.road.settled(4)
        assert "[Team] post 1" in [each["Subject"] for each in got(here, ZOE)]
        assert (await here.road.cli("request", "ls")).out == "nobody waits for a verdict\n"
        late = await here.road.cli("request", "discard", row["id"])
        assert late.code == 1
        assert "was accepted by a moderator by mail" in late.err
