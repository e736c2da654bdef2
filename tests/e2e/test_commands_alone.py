"""Commands where no Postroad runs: each brings what it needs, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.e2e.system import Result, postroad
from tests.peers.nats import NatsServer

pytestmark = pytest.mark.e2e
TEAM = "team@lists.example.org"
CSV = (
    "Name;Email;Delivery_Mode\r\n"
    '"Ann; of the house";ann@example.net;\r\n'
    "Bob;bob@example.net;none\r\n"
    "Cid;no address;\r\n"
    "Dan;dan@example.net;weekly\r\n"
)


def test_a_list_is_made_and_filled_before_the_first_start(tmp_path: Path):
    """With the embedded broker a list can be created, imported into and shown while nothing runs;
    wrong lines are named and do not stop the others; no process stays. Without the site key nothing
    goes on with these people, and no key is made."""
    people = tmp_path / "people.csv"
    people.write_text(CSV, "utf-8-sig")
    with Installation.at(tmp_path, mail=False) as ours:
        assert ours.json("list", "create", TEAM, "mode=shared")["settings"]["personalize"] == "none"
        done = ours.run("member", "import", TEAM, str(people))
        assert done.returncode == 1
        assert done.stdout == "added 2, there already 0, bad 2\n"
        command, *wrong = done.stderr.splitlines()
        assert command.startswith(f"postroad: to undo this: postroad member undo {TEAM} ")
        assert [line.partition(":")[2].partition(":")[0] for line in wrong] == [
            " line 4",
            " line 5",
        ]
        rows = ours.json("member", "ls", TEAM)
        assert [(row["address"], row["display_name"], row["delivery_mode"]) for row in rows] == [
            ("ann@example.net", "Ann; of the house", "regular"),
            ("bob@example.net", "Bob", "none"),
        ]
        assert ours.gone()
        assert ours.status()["state"] == "down"
        (key := tmp_path / "state" / "site.key").unlink()
        for words in (("up",), ("member", "ls", TEAM)):
            done = ours.run(*words)
            assert (done.returncode, done.stdout) == (2, "")
            assert f"the site key {key} is missing" in done.stderr.splitlines()[-1]
        assert ours.gone()
        assert not key.exists()


def test_a_large_file_is_imported_in_several_requests(tmp_path: Path):
    """Every line counts once, in whichever request it went, and who stands in the file twice is
    added once; when the command ends, everybody is listed."""
    addresses = [f"member{number}@d{number % 7}.example.net" for number in range(2_500)]
    people = tmp_path / "people.csv"
    people.write_text("\n".join(["email", *addresses, addresses[0].replace(".net", ".NET")]) + "\n")
    with Installation.at(tmp_path, mail=False) as ours:
        ours.json("list", "create", TEAM)
        done = ours.run("member", "import", TEAM, str(people))
        assert done.stdout == "added 2500, there already 1, bad 0\n"
        assert [row["address"] for row in ours.json("member", "ls", TEAM)] == sorted(addresses)


async def test_two_commands_at_once_take_turns(tmp_path: Path):
    """A second command waits for the first to finish with the broker instead of failing."""
    with Installation.at(tmp_path, mail=False) as ours:
        names = [f"l{number}@lists.example.org" for number in range(3)]

        async def created(name: str) -> Result:
            return await postroad("list", "create", name, "--config", str(ours.config))

        outcomes = await asyncio.gather(*map(created, names))
        assert [each.code for each in outcomes] == [0, 0, 0], outcomes
        listed = await postroad("list", "ls", "--json", "--config", str(ours.config))
        assert [row["address"] for row in listed.json] == names


def test_mail_is_taken_once_for_cron(tmp_path: Path):
    """`run ingest --once` works while nothing runs: it drains the mailbox, exits 0 and leaves no
    process."""
    with Installation.at(tmp_path) as ours:
        done = ours.run("run", "ingest", "--once")
        assert done.returncode == 0, done.stderr
        assert ours.gone()


async def test_without_membership_on_an_external_broker(tmp_path: Path, nats: NatsServer):
    """Nothing is started on a broker that is not ours: the command says what is missing."""
    settings = f'[broker]\nurl = "{nats.url}"\nmonitor_url = "{nats.monitor_url}"\n'
    with Installation.at(tmp_path, mail=False, settings=settings) as ours:
        done = await asyncio.to_thread(ours.run, "list", "ls")
        assert done.returncode == 1
        assert done.stderr == (
            "postroad: membership does not answer; start Postroad with `postroad up`\n"
        )
        found = await asyncio.to_thread(ours.status)
        assert (found["state"], found["broker"]["kind"]) == ("down", "external")
