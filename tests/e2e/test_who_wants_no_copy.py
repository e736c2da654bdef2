"""Members who want no copy of what they wrote, or of what came to them anyway."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.system import mail, world

ANNA, BOB, CARA = "anna@example.net", "bob@example.net", "cara@example.net"
TEAM = "team@example.org"


async def test_members_choose_which_copies_they_get(tmp_path: Path) -> None:
    """With `receive_own_postings=false` an author gets no copy of an own post, and with
    `receive_list_copy=false` nobody gets one of what names them in To or Cc; every other post they
    get, and `member ls` shows who has chosen what."""
    async with world(tmp_path) as here:
        await here.road.make_list(TEAM, [ANNA, BOB, CARA])
        for address, option in ((ANNA, "receive_own_postings"), (BOB, "receive_list_copy")):
            done = await here.road.cli("member", "set", TEAM, address, f"{option}=false")
            assert done.code == 0, done.err
        here.post(mail(1, to=f"{TEAM}, Bob <{BOB.upper()}>"))
        await here.road.settled(1)
        here.post(mail(2, to=f"{TEAM}, {CARA}", author=BOB))
        await here.road.settled(2)
        assert sorted(
            (record.message_id, to) for record in here.sink.records() for to in record.recipients
        ) == [("<1@posts>", CARA), *(("<2@posts>", to) for to in (ANNA, BOB, CARA))]
        shown = await here.road.cli("member", "ls", TEAM, "--json")
        options = {
            row["address"]: (row["receive_own_postings"], row["receive_list_copy"])
            for row in shown.json
        }
        assert options == {ANNA: (False, True), BOB: (True, False), CARA: (True, True)}
