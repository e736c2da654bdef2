"""Held mail, decided at the command line: while Postroad runs, and while it does not."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.system import mail, world

TEAM = "team@example.org"
MEMBERS = ["m1@d1.example.net", "m2@d2.example.net"]


async def test_held_mail_waits_for_a_verdict_and_each_way_out_works(tmp_path: Path) -> None:
    """A stranger's mails are listed, shown, and decided on, several at once; only what was accepted
    goes out, once to everybody; a second verdict says what the first was."""
    async with world(tmp_path) as here:
        await here.road.make_list(TEAM, MEMBERS, default_nonmember_action="hold")
        for number in range(4):
            here.post(mail(number, author="zoe@far.example"))
        await here.road.settled(4)
        rows = (await here.road.cli("held", "ls", "--list", TEAM, "--json")).json
        assert (await here.road.cli("held", "ls", TEAM, "--json")).json == rows
        assert (await here.road.cli("held", "ls", "--limit", "3", "--json")).json == rows[:3]
        cut = (await here.road.cli("held", "ls", "--limit", "3")).out
        assert "more waits: give a higher --limit" in cut
        assert "more waits" not in (await here.road.cli("held", "ls", "--limit", "4")).out
        ids = {row["subject"]: row["id"] for row in rows}
        assert sorted(ids) == ["post 0", "post 1", "post 2", "post 3"]
        shown = (await here.road.cli("held", "show", ids["post 0"])).out
        assert "nonmember-moderation: its author is not a member" in shown
        assert "    Dear all, 0:" in shown
        assert "is told of no verdict: From is not proved" in shown
        first = await here.road.cli("held", "accept", ids["post 0"], "<1@posts>", "--json")
        assert first.code == 0, first.err
        assert [row["verdict"] for row in first.json] == ["accepted", "accepted"]
        done = await here.road.cli("held", "reject", ids["post 2"], "--reason", "No files")
        assert done.code == 0
        untold = "nobody is told: From is not proved"
        assert done.out == f"{ids['post 2'][:16]} on {TEAM}: rejected; {untold}\n"
        story = (await here.road.cli("post", "show", ids["post 2"])).out
        assert f"{TEAM}: no letter has gone to its author" in story
        mixed = await here.road.cli("held", "discard", ids["post 0"], ids["post 3"])
        assert mixed.code == 1
        assert mixed.out == f"{ids['post 3'][:16]} on {TEAM}: discarded\n"
        assert "this mail was accepted by " in mixed.err
        unknown = await here.road.cli("held", "accept", "abcdef123456")
        assert unknown.code == 1
        assert (await here.road.cli("held", "accept", "what")).code == 2
        records = await here.sink.wait_for(4)
        assert sorted(record.recipients[0] for record in records) == sorted(MEMBERS * 2)
        assert (await here.road.cli("held", "ls")).out == "nothing waits for a verdict\n"
        story = (await here.road.cli("post", "show", ids["post 0"])).out
        assert "accepted: by " in story
        held = (await here.road.cli("post", "ls", "--held")).out
        assert "(discarded since)" in held
        await here.road.settled(4)
        assert not here.sink.violations()
