"""Somebody's copy failed for good, and the operator has it sent once more."""

from __future__ import annotations

from pathlib import Path

from tests.e2e import tables
from tests.e2e.system import mail, until, world
from tests.peers.sink import Rule, Script

MEMBERS = ["anna@example.net", "bob@one.example", "cleo@two.example", "dan@one.example"]


async def test_those_who_failed_get_it_once_more_and_nobody_else(tmp_path: Path) -> None:
    """They are told to the operator first, with the reason. Who left since, is elsewhere, or is
    being tried again already, is left out; giving the command again sends nothing again."""
    unknown = "550 5.1.1 no such user"
    script = Script(
        rules=(
            Rule(at="rcpt", match="^(bob|dan)@", per="subject", times=1, reply=unknown),
            Rule(at="rcpt", match="^cleo@", reply=unknown),
        )
    )
    async with world(tmp_path, script=script) as here:
        road = here.road
        await road.make_list("team@example.org", MEMBERS)
        here.post(mail(1))
        await road.settled(1)
        (row,) = (await road.cli("post", "ls", "--json")).json
        shown = await road.cli("post", "show", row["id"])
        assert "1 accepted, 3 failed" in shown.out
        assert "the mailbox does not exist" in shown.out
        assert f"postroad retry {row['id'][:16]} --failed" in shown.out
        retry = ("retry", row["id"], "--failed")

        asked = await road.cli(*retry)
        assert asked.code == 2, asked.out
        assert "3 can be sent again: the mailbox does not exist" in asked.out
        assert "nothing was sent" in asked.out
        assert "add --yes" in asked.err
        previewed = await road.cli(*retry, "--json")
        assert (previewed.code, previewed.json["queued"]) == (2, 0)
        assert previewed.json["lists"][0]["ready"] == 3

        assert (await road.cli("member", "remove", "team@example.org", MEMBERS[3])).code == 0
        done = await road.cli(*retry, "--domain", "one.example", "--yes", "--json")
        assert done.json["queued"] == 1
        assert done.json["lists"][0]["gone"] == 1

        async def arrived() -> bool:
            sent = [who for record in here.sink.records() for who in record.recipients]
            return sorted(sent) == MEMBERS[:2]

        await until(arrived, "bob has his copy")
        await road.settled(1)
        again = await road.cli(*retry, "--domain", "one.example", "--yes", "--json")
        assert again.json["queued"] == 0
        await tables.agree(road.broker)
        assert again.code == 0
        for words in (("--yes",), ("--json",), ()):
            nobody = await road.cli(*retry, "--domain", "Müller.example", *words)
            assert nobody.code == 1
            assert nobody.err == (
                "postroad: nobody at xn--mller-kva.example failed to get it; who failed is at: "
                "one.example (1), two.example (1)\n"
            )
        assert (await road.cli(*retry, "--domain", "two.example", "--yes", "--json")).json[
            "queued"
        ] == 1
        await road.settled(1)
        shown = await road.cli("post", "show", row["id"])
        assert "2 accepted, 2 failed" in shown.out
        assert await arrived()
        await tables.agree(road.broker)


async def test_what_cannot_be_tried_again_is_said_in_a_line(tmp_path: Path) -> None:
    """Without --failed, for a mail that was no post, and where nobody failed."""
    async with world(tmp_path) as here:
        road = here.road
        await road.make_list("team@example.org", MEMBERS[:1], default_nonmember_action="hold")
        here.post(mail(1))
        here.post(mail(2, author="stranger@elsewhere.example"))
        await road.settled(2)
        rows = {row["kind"]: row for row in (await road.cli("post", "ls", "--json")).json}
        bare = await road.cli("retry", rows["post"]["id"])
        assert (bare.code, "--failed" in bare.err) == (2, True)
        retry = ("retry", rows["post"]["id"], "--failed")
        odd = await road.cli(*retry, "--domain", "one example")
        assert (odd.code, "--domain one example: " in odd.err) == (2, True)
        nobody = await road.cli(*retry, "--yes")
        assert (nobody.code, "nothing to send again" in nobody.out) == (0, True)
        held = await road.cli("retry", rows["held"]["id"], "--failed", "--yes")
        assert (held.code, "was posted to no list" in held.err) == (1, True)
