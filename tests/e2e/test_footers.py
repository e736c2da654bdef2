"""A list's footer stands below every post, with what is each member's own."""

from __future__ import annotations

import email
import re
from pathlib import Path

from tests.e2e.system import World, mail, world

MEMBERS = ["anna@example.net", "bob@one.example", "cleo@two.example"]
TEXT = "_" * 47 + "\n$display_name: $listname\nFor $user_email. To leave: $unsubscribe\n"


def copies(here: World) -> dict[str, bytes]:
    """What arrived, by recipient."""
    return {
        who: Path(record.file).read_bytes()
        for record in here.sink.records()
        for who in record.recipients
    }


async def test_three_members_see_their_own_footers(tmp_path: Path) -> None:
    """Each sees their address and a way to leave that is theirs: a mail there takes them, and
    nobody else, off the list. The author's text is as it was; a signed mail stays as it is."""
    async with world(tmp_path, keep=True) as here:
        road = here.road
        await road.make_list("team@example.org", MEMBERS)
        file = tmp_path / "footer.txt"
        file.write_text(TEXT)
        done = await road.cli("list", "set", "team@example.org", f"footer=@{file}")
        assert done.code == 0, done.err
        here.post(mail(1, body="Dear all\r\n.\r\n"))
        await here.sink.wait_for(3)
        found = copies(here)
        assert set(found) == set(MEMBERS)
        links: dict[str, str] = {}
        for who, data in found.items():
            body = data.partition(b"\r\n\r\n")[2].decode()
            pattern = (
                rf"Dear all\r\n\.\r\n\r\n_{{47}}\r\nTeam: team@example\.org\r\n"
                rf"For {re.escape(who)}\. To leave: mailto:(\S+)\r\n"
            )
            match = re.fullmatch(pattern, body)
            assert match, body
            links[who] = match[1]
            assert f"<mailto:{match[1]}>" in email.message_from_bytes(data)["List-Unsubscribe"]
        assert len(set(links.values())) == 3

        here.post(mail(2, to=links[MEMBERS[1]], author="somebody@else.example"))
        await road.settled(2)
        members = (await road.cli("member", "ls", "team@example.org", "--json")).json
        assert [member["address"] for member in members] == [MEMBERS[0], MEMBERS[2]]

        signed = mail(3, body="--b\r\n\r\nsigned\r\n--b--\r\n").replace(
            b"Subject:", b"Content-Type: multipart/signed; boundary=b\r\nSubject:"
        )
        here.post(signed)
        await road.settled(3)
        assert copies(here)[MEMBERS[0]].endswith(b"\r\n\r\n--b\r\n\r\nsigned\r\n--b--\r\n")


async def test_a_footer_is_set_shown_and_taken_off(tmp_path: Path) -> None:
    """What `list show` prints can be typed again; what cannot be is refused in one line."""
    async with world(tmp_path, services=("membership",)) as here:
        road = here.road
        await road.make_list("team@example.org", MEMBERS[:1])
        change = ("list", "set", "team@example.org")
        assert (await road.cli(*change, r"footer=-- \nTeam\n$leave_email")).code == 0
        shown = (await road.cli("list", "show", "team@example.org")).out
        (line,) = [line for line in shown.splitlines() if line.startswith("footer")]
        assert line.split(None, 1)[1].strip() == r"-- \nTeam\n$leave_email"
        wrong = await road.cli(*change, "footer=$list_name")
        assert (wrong.code, wrong.err.count("\n")) == (2, 1)
        assert "no merge field $list_name; did you mean $listname?" in wrong.err
        missing = await road.cli(*change, f"footer=@{tmp_path}/none.txt")
        assert (missing.code, "there is no file" in missing.err) == (2, True)
        assert (await road.cli(*change, "footer=")).code == 0
        settings = (await road.cli("list", "show", "team@example.org", "--json")).json["settings"]
        assert settings["footer"] == ""
