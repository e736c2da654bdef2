"""The programs and queries in the documents run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.embedded import embedded
from postroad.runtime.provision import provision
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.road import Failure, Intent, MailUnrouted, Outcome, WindowRecorded
from tests.architecture.documents import ANALYSTS
from tests.unit.router.mails import MAIL_ID, RAW

ANN, BEN = "a1" * 12, "b2" * 12
FIRST = WindowRecorded(
    mail_id=MAIL_ID, list="team", chunk="0", intent=Intent(start=0, end=2, people=(ANN, BEN))
)
REFUSED = Failure(index=1, code=550, text="no such user", kind="failed")
SECOND = WindowRecorded(
    mail_id=MAIL_ID,
    list="team",
    chunk="0",
    relay="smtp",
    outcome=Outcome(start=0, end=2, failures=(REFUSED,)),
    finished=True,
)
HAPPENED: tuple[tuple[str, Event], ...] = (
    (
        subjects.routed("unrouted", "none", MAIL_ID),
        MailUnrouted(mail_id=MAIL_ID, raw=RAW, reason="no list"),
    ),
    (subjects.delivery("team", MAIL_ID, "0"), FIRST),
    (subjects.delivery("team", MAIL_ID, "0"), SECOND),
)


def run(program: str, home: Path) -> str:
    """Run a program of a document in this folder; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.broker
async def test_programs_of_the_guides_run(tmp_path: Path) -> None:
    """Whoever copies a program out of a guide gets what the guide promises."""
    (tmp_path / "postroad.toml").write_text('[site]\ndomain = "lists.example.org"\n')
    *_, read_stream = ANALYSTS.fences("python")
    async with (
        embedded(tmp_path / "state") as server,
        await Broker.connect(server.reach.url, name="test") as broker,
    ):
        await provision(broker)
        for subject, event in HAPPENED:
            await broker.publish(subject, codec.encode(envelope([event], correlation=new_id())))
        assert '"t":"mail_unrouted"' in run(read_stream, tmp_path)
