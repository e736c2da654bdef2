"""Held mail is decided on while Postroad is stopped; what was accepted goes out when it starts."""

from __future__ import annotations

import smtplib
from operator import itemgetter
from pathlib import Path

import pytest

from postroad.runtime.condition import Status
from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e
TEAM = "team@lists.example.org"


def post(ours: Installation, number: int) -> None:
    """A mail of a stranger comes in."""
    mail = (
        f"From: Zoe <zoe@far.example>\r\nTo: {TEAM}\r\nSubject: post {number}\r\n"
        f"Message-ID: <{number}@zoe>\r\n\r\nHello.\r\n"
    )
    with smtplib.SMTP("127.0.0.1", ours.sandbox["smtp_port"]) as client:
        client.sendmail("zoe@far.example", [TEAM], mail)


def copies(found: Status) -> int:
    """How many copies the sender has sent."""
    (sender,) = (stage for stage in found.stages if stage.stage == "sender")
    return sum(instance.counts.get("copies", 0) for instance in sender.instances)


def test_a_verdict_is_kept_until_postroad_runs_again(tmp_path: Path) -> None:
    """Two mails wait, as the status says; with everything stopped they are listed and decided on,
    no process stays, and the next start sends the one that was accepted, once."""
    with Installation.at(tmp_path, settings="") as ours:
        ours.json("list", "create", TEAM)
        ours.json("member", "add", TEAM, "ann@example.net", "bob@example.net", "--confirmed")
        with ours.up():
            post(ours, 1)
            post(ours, 2)
            ours.until(lambda found: found.held == 2, "two mails wait")
            assert "2 mails wait for a verdict" in ours.run("status").stdout
        first, second = sorted(ours.json("held", "ls"), key=itemgetter("subject"))
        assert (first["subject"], second["subject"]) == ("post 1", "post 2")
        assert ours.json("held", "accept", first["id"])[0]["verdict"] == "accepted"
        assert ours.json("held", "discard", second["id"])[0]["verdict"] == "discarded"
        assert ours.run("held", "accept", second["id"]).returncode == 1
        assert ours.gone()
        with ours.up():
            ours.until(lambda found: copies(found) == 2, "two copies")
            ours.until(lambda found: found.held == 0, "nothing waits")
            story = ours.json("post", "show", first["id"])
            (fate,) = story["lists"]
            assert (fate["kind"], fate["verdict"], fate["accepted"]) == ("post", "accepted", 2)
            ours.shows("sender.window", "trace", first["id"])
            spans = ours.json("trace", first["id"])["spans"]
            assert {"router", "membership", "sender"} <= {span["service"] for span in spans}
