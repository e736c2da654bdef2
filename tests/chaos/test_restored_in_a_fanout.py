"""A backup that is made while copies go out, a machine that dies, and another that goes on."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.installation import Installation, Up
from tests.e2e.system import pause

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"
MEMBERS, RATE = (3000, 300) if FULL else (1000, 200)
TEAM = "team@lists.example.org"


def installation(home: Path, *, rate: str = "") -> Installation:
    """Settings with a Maildir to read and another to write."""
    for name in ("new", "cur", "tmp"):
        (home / "mail" / name).mkdir(parents=True)
    config = home / "postroad.toml"
    config.write_text(
        '[site]\ndomain = "lists.example.org"\nstate_dir = "state"\n'
        'erasures_file = "erasures"\n'
        f'[[source]]\nname = "in"\nkind = "maildir"\npath = "{home}/mail"\n'
        'recipient_headers = ["Delivered-To"]\n'
        f'[[relay]]\nname = "out"\nkind = "file"\npath = "{home}/sent"\n{rate}'
    )
    return Installation(home, config, {})


def deliver(home: Path, name: str, sender: str, subject: str) -> None:
    """A mail to the list comes into the Maildir."""
    draft = home / "mail" / "tmp" / name
    draft.write_text(
        f"Delivered-To: {TEAM}\nFrom: {sender}\nTo: {TEAM}\nSubject: {subject}\n"
        f"Message-ID: <{name}@example.org>\nDate: Sun, 22 Nov 2026 03:00:00 +0000\n\nhello\n"
    )
    draft.rename(home / "mail" / "new" / name)


def copies(home: Path, *, before: float = float("inf")) -> Counter[str]:
    """Who has how many copies, of those that were written before a time."""
    found: Counter[str] = Counter()
    for file in (home / "sent" / "new").glob("*"):
        if file.stat().st_mtime < before:
            lines = file.read_text(errors="replace").splitlines()
            found.update(
                line.partition(": ")[2] for line in lines[:10] if line.startswith("Delivered-To: ")
            )
    return found


def wait(holds: object, what: str, seconds: float = 90.0) -> None:
    """Until it holds."""
    assert callable(holds)
    began = time.monotonic()
    while not holds():
        waited = time.monotonic() - began
        assert waited < seconds, what
        time.sleep(pause(waited))


def killed(ours: Installation, up: Up) -> None:
    """The machine is gone."""
    up.process.send_signal(signal.SIGKILL)
    for pid in ours.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(300)
def test_what_the_backup_knows_to_be_sent_is_not_sent_again(tmp_path: Path) -> None:
    """Restored elsewhere, everybody gets the post; a second copy only who got the first while the
    backup was made or behind it. Held mail is held, who was erased since is erased, sums agree."""
    people = [f"m{number}@example.net" for number in range(MEMBERS)]
    old = installation(tmp_path / "old", rate=f'rate = "{RATE}/s"\n')
    (old.home / "people.csv").write_text("email\n" + "\n".join(people) + "\n")
    vault = str(tmp_path / "backups")
    old.run("list", "create", TEAM)
    assert old.run("member", "import", TEAM, str(old.home / "people.csv")).returncode == 0
    with old.up() as up:
        deliver(old.home, "held", "stranger@example.com", "let me in")
        deliver(old.home, "post", people[0], "to all")
        wait(lambda: copies(old.home).total() >= RATE, "copies go out")
        began = time.time()
        made = old.json("backup", vault)
        took = time.time() - began
        assert old.run("member", "erase", people[5], "--yes").returncode == 0
        killed(old, up)
    sent = copies(old.home)
    assert sent.total() < MEMBERS, "it was over before the backup was"

    new = installation(tmp_path / "new")
    back = new.json("restore", vault, "--yes", "--erasures", str(old.home / "erasures"))
    recorded = {each["stream"]: each["sum"] for each in made["sums"]}
    assert {each["name"]: each["sum"] for each in back["streams"]} == recorded
    assert back["erased"] == 1
    assert back["waiting"][0]["subject"] == "to all"
    assert new.run("restore", vault, "--yes").returncode == 2
    with new.up(only=()):
        status = new.status()
        assert any("paused: restored" in problem for problem in status["problems"])
        wait(lambda: len(new.json("held", "ls")) == 1, "the held mail is held")
        assert copies(new.home).total() == 0
        assert new.run("resume", "--yes").returncode == 0
        left = {*people} - {*sent} - {people[5]}
        wait(lambda: left <= {*copies(new.home)}, "everybody has the post")
        wait(lambda: new.run("verify").returncode == 0, "the analytics agree")
    again = copies(new.home)
    known = copies(old.home, before=began)
    twice = {*again} & {*sent}
    assert len({*again} & {*known}) <= 64, "more than windows that were open"
    assert len(twice) <= RATE * (took + 10)
    assert max(again.values()) == 1
    assert people[5] not in again
    print(f"{len(sent)} sent, {len(again)} behind the restore, {len(twice)} twice; {took:.1f} s")
