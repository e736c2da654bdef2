"""Mail of strangers down the whole road: who proved to be the author is answered, nobody else."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.system import mail, world

MEMBERS = ["m1@d1.example.net", "m2@d2.example.net"]
FORGED = 12
PROOF = "mx.our.example; dkim=pass header.d=far.example"


def stranger(number: int, *results: str) -> bytes:
    """A mail to the list from somebody who is not on it, as their server and ours left it."""
    fields = "".join(f"Authentication-Results: {each}\r\n" for each in results)
    return fields.encode() + mail(number, author=f"stranger{number}@far.example")


async def test_only_a_proved_stranger_is_written_to(tmp_path: Path) -> None:
    """Of many strangers the one whose server signed for them reads how to join, in a mail that
    cannot bounce; to those whose names were forged nothing is sent at all."""
    source = {"authserv_id": '"mx.our.example"'}
    async with world(tmp_path, source=source, keep=True) as here:
        await here.road.make_list(
            "team@example.org", MEMBERS, display_name="Team", default_nonmember_action="hold"
        )
        for number in range(0, FORGED, 2):
            here.post(stranger(number, "mx.evil.example; dkim=pass header.d=far.example"))
            here.post(stranger(number + 1, "mx.our.example; dkim=none", PROOF))
        here.post(stranger(FORGED, PROOF))
        await here.road.settled(FORGED + 1)
        (record,) = await here.sink.wait_for(1)
        assert record.recipients == (f"stranger{FORGED}@far.example",)
        assert record.sender == ""
        head = record.headers.split("\r\n")
        assert "Subject: Your mail to Team is waiting" in head
        assert "From: Team <team-owner@example.org>" in head
        assert "Auto-Submitted: auto-replied" in head
        assert "List-Id: Team <team.example.org>" in head
        assert f"In-Reply-To: <{FORGED}@posts>" in head
        assert not here.sink.violations()
