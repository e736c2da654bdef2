"""Bounces as people see them: what the server said, its code, and the mail behind each."""

from __future__ import annotations

import pytest

from postroad.cli.bounces import show
from schemas.bounces import BounceRow

LONG = BounceRow(
    address="somebody.with.a.long.name@students.university.example",
    delivery_status="by_bounces",
    score=5.5,
    warnings=2,
    time="2026-03-02T08:00:00+00:00",
    kind="hard",
    points=1.0,
    status="5.1.1",
    why="the mailbox does not exist",
    said="550 5.1.1 (address): Recipient address rejected: " + "no such user here, " * 8 + "sorry",
    server="mx1.frontend.students.university.example",
    post="0195799f5f007d1e8b1c3a52d7e9f016",
    subject="[Team] " + "Minutes of the meeting of Tuesday " * 4,
)


def printed(capsys: pytest.CaptureFixture[str], *rows: BounceRow, one: bool = False) -> str:
    """What stands there, without line breaks; no line is wider than 100 columns."""
    show(rows, one=one)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("one", [True, False])
def test_why_which_mail_and_how_they_stand_are_all_there(
    capsys: pytest.CaptureFixture[str], one: bool
) -> None:
    """The words, the code, who reports it and the post, in 100 columns."""
    text = printed(capsys, LONG, one=one)
    for part in ("by_bounces", "2 warnings", "does not exist", "550 5.1.1", "0195799f5f007d1e"):
        assert part in text, part
    for word in ("Recipient", "sorry", "reported", "Minutes"):
        assert word in text, word


def test_an_incident_and_a_probe_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a provider that fails how many it refused; of a probe when it went out."""
    rows = [
        BounceRow(
            address=f"member{number}@big.example",
            delivery_status="enabled",
            score=1,
            probed="2026-03-02T08:00:00+00:00",
            time=LONG.time,
            kind="soft",
            incident=True,
        )
        for number in range(12)
    ]
    text = printed(capsys, *rows)
    assert "incident: big.example refused the mail of 12 members at once" in text
    assert "enabled, probed 2026-03-02" in text
    assert "soft, incident" in text
