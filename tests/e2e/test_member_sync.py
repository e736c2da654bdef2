"""The members of a list become those of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.system import System

pytestmark = pytest.mark.e2e
TEAM = "team@example.org"


async def test_a_file_is_previewed_guarded_and_carried_out(tmp_path: Path) -> None:
    """A dry run changes nothing, nobody is removed unasked, an empty file removes nobody, and what
    is done is what was shown; done again there is nothing to do, and undone all is as before."""
    async with System.start(tmp_path, "", services=("membership",)) as road:
        await road.make_list(TEAM, [f"m{n}@example.net" for n in range(4)])
        file = tmp_path / "people.txt"

        async def members() -> list[tuple[str, str]]:
            listed = (await road.cli("member", "ls", TEAM, "--json")).json
            return [(row["address"], row["delivery_mode"]) for row in listed]

        before = await members()
        file.write_text(
            "email,delivery_mode\nm0@example.net,none\nm1@example.net,\nNEW@b.example,\n"
        )
        dry = await road.cli("member", "sync", TEAM, str(file), "--dry-run")
        assert dry.out.splitlines() == [
            "add 1, change 1, remove 2 of 4 members",
            "+ NEW@b.example",
            "~ m0@example.net: delivery_mode regular → none",
            "- m2@example.net",
            "- m3@example.net",
        ]
        unasked = await road.cli("member", "sync", TEAM, str(file))
        assert (unasked.code, "--yes" in unasked.err) == (2, True)
        file.with_suffix(".one").write_text("m0@example.net\n")
        most = await road.cli("member", "sync", TEAM, str(file.with_suffix(".one")), "--yes")
        assert (most.code, "--force 3" in most.err) == (2, True)
        assert await members() == before
        done = await road.cli("member", "sync", TEAM, str(file), "--yes", "--json")
        assert (done.code, done.json["remove"]) == (0, ["m2@example.net", "m3@example.net"])
        after = [
            ("NEW@b.example", "regular"),
            ("m0@example.net", "none"),
            ("m1@example.net", "regular"),
        ]
        assert await members() == after
        again = await road.cli("member", "sync", TEAM, str(file), "--yes")
        assert again.out == "add 0, change 0, remove 0 of 3 members\n"
        taken_back = await road.cli("member", "undo", TEAM, done.json["command"], "--yes")
        assert taken_back.out.splitlines() == [
            "put back 4, leave alone 0",
            *["- NEW@b.example", "~ m0@example.net", "+ m2@example.net", "+ m3@example.net"],
            "put back 4 people",
        ]
        assert await members() == before


async def test_what_is_exported_is_imported_unchanged(tmp_path: Path) -> None:
    """Put onto another list, an export in either format is the same there, with since when; put
    onto its own list it changes nothing. A dry run says so before."""
    async with System.start(tmp_path, "", services=("membership",)) as road:
        await road.make_list(TEAM, ["plain@example.net"])
        first = tmp_path / "first.csv"
        first.write_text(
            "email,name,role,delivery_mode,moderation_action,receive_list_copy,since\n"
            'ann@example.net,"Ann, of the house",,none,hold,false,2003-05-01\n'
            "ann@example.net,,owner,,,,\nbob@example.net,Zoë,moderator,,,,\n"
        )
        assert (await road.cli("member", "import", TEAM, str(first))).code == 0
        for kind in ("csv", "json"):
            out = (await road.cli("member", "export", TEAM, "--format", kind)).out
            file = tmp_path / f"people.{kind}"
            file.write_text(out)
            again = await road.cli("member", "import", TEAM, str(file))
            assert again.out == "added 0, there already 3, bad 0\n"
            other = f"other-{kind}@example.org"
            await road.make_list(other, [])
            dry = await road.cli("member", "import", other, str(file), "--dry-run")
            assert dry.out == "would have added 3, there already 0, bad 0\n"
            assert (await road.cli("member", "import", other, str(file))).code == 0
            assert (await road.cli("member", "export", other, "--format", kind)).out == out


async def test_what_cannot_begin_says_so(tmp_path: Path) -> None:
    """No way to undo is told where there is no list or no heading; a command's id undoes what it
    did, and on its own list; a file of people to be asked has its wrong lines numbered."""
    async with System.start(tmp_path, "", services=("membership",)) as road:
        await road.make_list(TEAM, ["ann@example.net"])
        file = tmp_path / "people.txt"
        file.write_text("email\nann@example.net\nbob@\nzoe@example.net\n")
        no_list = await road.cli("member", "import", "not@example.org", str(file))
        assert (no_list.code, no_list.err.count("\n"), "no list" in no_list.err) == (1, 1, True)
        mistyped = await road.cli("member", "undo", TEAM, "0" * 32, "--yes")
        assert (mistyped.code, "changed nobody on team@example.org" in mistyped.err) == (1, True)
        for words in ("asked 1, there already 1, bad 1", "asked 0, there already 1, bad 1; 1 addr"):
            asked = await road.cli("member", "add", TEAM, "--file", str(file))
            assert (asked.code, asked.err.startswith("postroad: line 3: 'bob@'")) == (1, True)
            assert asked.out.startswith(words)
        file.write_text("name\nann\n")
        bare = await road.cli("member", "import", TEAM, str(file))
        assert bare.err.startswith(f"postroad: {file}: the first line names no column")
