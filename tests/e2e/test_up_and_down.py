"""`postroad up`: everything comes up, everything can be asked, everything goes down again."""

from __future__ import annotations

import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroad.runtime.condition import Status
from tests.e2e.installation import COMMAND, Installation, Up
from tests.e2e.system import ROAD
from tests.peers.process import free_port

pytestmark = pytest.mark.e2e
TEAM = "team@lists.example.org"
MAIL = (
    "From: Ann <ann@example.net>\r\nTo: team@lists.example.org\r\nSubject: Hello\r\n"
    "Message-ID: <hello@example.net>\r\n\r\nHello all.\r\n"
)


ORDER = ("ingest", "router", "membership", "sender")  # in which services end


def post(ours: Installation, recipient: str) -> None:
    """Send MAIL by SMTP."""
    with smtplib.SMTP("127.0.0.1", ours.sandbox["smtp_port"]) as client:
        client.sendmail("ann@example.net", [recipient], MAIL)


def idle(found: Status) -> bool:
    """Whether no mail waits at any stage."""
    return not any(stage.lag or stage.pending for stage in found.stages)


def counted(found: Status, stage: str, what: str) -> int:
    """How often it has happened in a service."""
    (instances,) = (one.instances for one in found.stages if one.stage == stage)
    return sum(instance.counts.get(what, 0) for instance in instances)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Up]]:
    """One installation that runs, web and all, with a list of two members."""
    home, settings = tmp_path_factory.mktemp("up"), f"[web]\nport = {free_port()}\n"
    with Installation.at(home, settings=settings) as ours, ours.up(only=()) as up:
        ours.json("list", "create", TEAM)
        ours.json("member", "add", TEAM, "ann@example.net", "bob@example.net", "--confirmed")
        yield ours, up


@pytest.fixture
def ours(running: tuple[Installation, Up]) -> Installation:
    """The installation that runs."""
    return running[0]


def test_a_running_system_is_healthy(ours: Installation):
    """With its source and relay at work, status is healthy, exit code 0, and names every part."""
    ours.until(lambda found: found.state == "healthy", "healthy")
    found = ours.status()
    stages = [stage["stage"] for stage in found["stages"]]
    assert stages == [
        "ingest",
        "router",
        "membership",
        "sender",
        "projector",
        "janitor",
        "monitor",
        "web",
    ]
    assert all(len(stage["instances"]) == 1 for stage in found["stages"])
    assert [peer["name"] for peer in found["sources"] + found["relays"]] == ["home", "out"]
    assert found["problems"] == []
    shown = ours.run("status").stdout
    assert "Postroad is healthy" in shown
    (row,) = (line.split() for line in shown.splitlines() if line.startswith("sender "))
    assert any(int(word) in ours.processes("sender") for word in row if word.isdecimal())
    assert max(map(len, shown.splitlines())) <= 100


def test_commands_reach_the_membership_that_runs(ours: Installation):
    """Members come, change and go while the system runs, and `member ls` shows it at once."""
    cid = "cid@example.net"
    added = ours.json("member", "add", TEAM, cid, "--confirmed")
    assert added == [{"address": cid, "changed": True, "refused": ""}]
    ours.json("member", "set", TEAM, cid, "delivery_mode=none")
    rows = {row["address"]: row for row in ours.json("member", "ls", TEAM)}
    assert rows[cid]["delivery_mode"] == "none"
    assert rows[cid]["delivery_status"] == "enabled"
    assert rows[cid]["since"].startswith("20")
    ours.json("member", "remove", TEAM, cid)
    assert cid not in {row["address"] for row in ours.json("member", "ls", TEAM)}


def test_roles_are_named_and_refusals_name_whom(ours: Installation):
    """Who becomes an owner is said to; a welcome that owners do not get is said not to be sent;
    and whoever is refused is named, alone as among others."""
    cid, dan = "cid@example.net", "dan@example.net"
    words = ("member", "add", TEAM, cid, "--role", "owner", "--confirmed")
    added = ours.run(*words, "--welcome")
    assert added.stdout == f"{cid}: added as owner\n"
    assert "--welcome does nothing with --role owner" in added.stderr
    assert ours.run(*words).stdout == f"{cid}: there already as owner\n"
    removed = ours.run("member", "remove", TEAM, cid, "--role", "owner")
    assert removed.stdout == f"{cid}: removed as owner\n"
    assert ours.run("member", "add", TEAM, dan).returncode == 0
    again = ours.run("member", "add", TEAM, dan)
    assert again.returncode == 1
    assert again.stderr.startswith(f"postroad: {dan}: this address was asked in the last 24 hours")


def test_a_post_has_a_timeline_and_a_trace(ours: Installation):
    """A mail posted by SMTP can be found by its Message-ID, with what became of every copy, and
    its trace leads from the mailbox to the SMTP window."""
    before = counted(ours.until(idle, "idle"), "sender", "copies")
    post(ours, TEAM)
    ours.until(lambda found: counted(found, "sender", "copies") == before + 2, "two copies out")
    (row,) = ours.json("post", "ls", "--list", TEAM)
    assert (row["kind"], row["message_id"]) == ("post", "hello@example.net")
    story = ours.json("post", "show", "hello@example.net")
    assert story["id"] == row["id"]
    (fate,) = story["lists"]
    assert (fate["recipients"], fate["accepted"], fate["waiting"]) == (2, 2, 0)
    shown = ours.shows("sender.window", "trace", story["id"][:16])
    assert "ingest.receive" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_mail_for_no_list_stays_visible(ours: Installation):
    """Mail for an address that is no list is found by `post ls --unrouted`, with the remedy."""
    before = counted(ours.until(idle, "idle"), "ingest", "received")
    post(ours, "nobody@lists.example.org")
    ours.until(lambda found: counted(found, "ingest", "received") > before, "it is received")
    ours.until(idle, "it is decided on")
    (row,) = ours.json("post", "ls", "--unrouted")
    assert row["kind"] == "unrouted"
    shown = ours.run("post", "ls").stdout
    assert f"from {row['author']}" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert "postroad list create" in row["reason"]


def test_a_second_up_is_refused(ours: Installation):
    """Two supervisors on one state_dir would fight over the broker: the second says so."""
    second = ours.run("up")
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert ours.status()["state"] == "healthy"


def test_what_membership_refuses_is_one_line(ours: Installation):
    """A list that exists, a malformed address, an unknown setting, an unknown list: one line and
    an exit code each, and no traceback."""
    cases = {
        ("list", "create", TEAM): (1, "exists already"),
        ("member", "add", TEAM, "nonsense", "--confirmed"): (2, "nonsense"),
        ("list", "set", TEAM, "colour=red"): (2, "colour"),
        ("member", "ls", "other@lists.example.org"): (1, "other@lists.example.org"),
        ("member", "add", TEAM, "dan@example.net", "--welcome"): (2, "--confirmed"),
        ("post", "show", "no@where"): (1, "no recent mail"),
    }
    for arguments, (code, words) in cases.items():
        done = ours.run(*arguments)
        assert done.returncode == code, arguments
        assert words in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


def test_no_secret_on_a_command_line(ours: Installation):
    """Whoever lists the processes of the machine learns no password."""
    secret = (ours.home / "state" / "broker" / "access.json").read_bytes()
    for pid in ours.processes():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert not any(len(word) > 8 and word in secret for word in words)
        assert not any(b"sesame" in word for word in words)


def test_sigterm_drains_and_ends_everything(tmp_path: Path):
    """SIGTERM lets every service finish, ingest first, ends with 0 and leaves no process behind."""
    with Installation.at(tmp_path, mail=False) as ours, ours.up() as up:
        assert up.stop() == 0
        assert ours.gone()
        assert ours.status()["state"] == "down"
    stopped = [line for line in up.lines if "service.stopped" in line]
    order = [name for line in stopped for name in ORDER if f'"service": "{name}"' in line]
    assert order == list(ORDER)


def test_only_what_was_named_runs(tmp_path: Path):
    """With --only the other services are not started, nor missed where no mail waits for them."""
    with Installation.at(tmp_path, mail=False) as ours, ours.up(only=("membership",)) as up:
        up.says("Postroad is running: 1 service;")
        found = ours.status()
        alive = [stage["stage"] for stage in found["stages"] if stage["state"] != "down"]
        assert alive == ["membership"]
        assert {stage["stage"] for stage in found["stages"]} == set(ROAD)
    refused = ours.run("up", "--only", "wbe")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--only wbe: no service that would run; there are: membership, router" in refused.stderr


def test_wrong_settings_start_nothing(tmp_path: Path):
    """A misspelt key or a missing secret file: clear lines, exit code 2, no process, no state."""
    with Installation.at(tmp_path, mail=False) as ours:
        (ours.home / "password").unlink()
        done = ours.run("up")
        assert done.returncode == 2
        assert str(ours.home / "password") in done.stderr
        assert not (ours.home / "state").exists()
    (tmp_path / "wrong.toml").write_text('[site]\ndomian = "lists.example.org"\n')
    argv = [*COMMAND, "up", "--config", str(tmp_path / "wrong.toml")]
    wrong = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert 'unknown key "domian"; did you mean "domain"?' in wrong.stderr.replace("'", '"')
