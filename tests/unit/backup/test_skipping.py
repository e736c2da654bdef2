"""Copies that are not sent behind a restore: what their ledgers say."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from postroad.cli.restoring.skipping import closed
from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy, Intent, Outcome, WindowRecorded
from services.membership.failures import Ledger
from services.sender import ledger

PEOPLE = tuple(f"p{number}" for number in range(20))
CHUNK = ChunkQueued(
    mail_id="m",
    list="team",
    chunk="0",
    people=PEOPLE,
    addresses=PEOPLE,
    copy=Copy(
        raw=RawRef(mail_id="m", part=0, chunks=1, size=1, sha256="", head=0),
        list="team",
        list_address="team@lists.example.org",
        bounces=("", ""),
        post=1,
    ),
)


@given(st.integers(0, 20), st.integers(0, 20), st.sets(st.integers(0, 19)))
def test_who_has_no_copy_is_told_to_have_failed(done: int, end: int, have: set[int]) -> None:
    """Wherever a chunk stands, with a window open or none, it is finished, who has a copy keeps it,
    and everybody else has failed for the reason given."""
    entries = []
    if done:
        entries.append(
            WindowRecorded(
                mail_id="m",
                list="team",
                chunk="0",
                outcome=Outcome(start=0, end=done),
                people=PEOPLE[:done],
            )
        )
    intent = None
    if end > done:
        sent = tuple(sorted(index for index in have if done <= index < end))
        intent = Intent(start=done, end=end, people=PEOPLE[done:end], sent=sent)
        entries.append(WindowRecorded(mail_id="m", list="team", chunk="0", intent=intent))
    at = ledger.position(entries[-1] if entries else None, 7)
    if done == len(PEOPLE):
        return
    entries += closed(CHUNK, at, intent, "not sent")
    assert ledger.position(entries[-1], 8).finished
    folded = Ledger()
    for seq, entry in enumerate(entries):
        folded.take(seq, entry)
    kept = {*PEOPLE[:done], *(PEOPLE[index] for index in at.sent)}
    assert {*folded.failed} == {*PEOPLE} - kept
    assert {failed.failure.text for failed in folded.failed.values()} <= {"not sent"}
