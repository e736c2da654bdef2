"""Specification: what may go, and why the rest stays."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.road import Outcome, WindowRecorded
from services.janitor.decider import (
    Decision,
    Floors,
    Mail,
    Sending,
    is_open,
    judge_mail,
    judge_sending,
)

OLD = {"RAW": 10, "RECEIVED": 10, "ROUTED": 10, "SEND": 10, "DELIVERY": 10, "DEADLETTER": 10}
QUIET = dict.fromkeys(OLD, 5)
DURABLES = ("router", "fanout", "accepted", "answers", "bounces", "sender-now", "sender-bulk")
ALL = Floors(acked=dict.fromkeys(DURABLES, 100))
SENT = Sending(
    seqs={"SEND": 8, "DELIVERY": 9, "ROUTED": 9},
    chunks=3,
    routed=True,
    fanned_out=True,
    finished=True,
)


def decided(*kinds: str, list_: str = "team", mail: str = "m") -> tuple[Decision, ...]:
    """Decisions on a mail at a list, one after the other."""
    return tuple(
        Decision(kind=kind, list=list_, mail=mail, seq=seq) for seq, kind in enumerate(kinds, 6)
    )


POST = Mail(
    seqs={"RECEIVED": 6, "ROUTED": 7, "DELIVERY": 9},
    received=True,
    decisions=decided("post", "done"),
    state="done",
)


def but(found: Any, **values: Any) -> Any:
    """The same with other values."""
    return msgspec.structs.replace(found, **values)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"parked": True}, "parked"),
        ({"scheduled": True}, "scheduled"),
        ({"fanned_out": False}, "underway"),
        ({"open": 1}, "sending"),
        ({"silent": 1, "finished": False}, "sending"),
        ({"silent": 1}, ""),  # its ledger was dropped at its age; the projector has seen it
        ({"finished": False}, "unknown"),
        ({"seqs": {"SEND": 8, "DELIVERY": 11}}, "young"),
        ({"seqs": {"SEND": 8, "DELIVERY": 9, "ROUTED": 11}}, "young"),
        ({"seqs": {"SEND": 5, "DELIVERY": 5}, "silent": 1, "finished": False}, ""),
        ({"seqs": {"SEND": 5, "DELIVERY": 5}, "open": 1}, "sending"),
        ({"routed": False, "fanned_out": False}, ""),  # a letter
    ],
)
def test_copies_go_once_all_are_sent(changed: dict[str, Any], why: str) -> None:
    """A post's chunks stay while anything of it is at work; a ledger that has gone itself counts as
    finished where the projector has seen it so, or where nothing was heard for 90 days."""
    assert judge_sending(but(SENT, **changed), OLD, QUIET) == why


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"parked": True}, "parked"),
        ({"acked": False}, "undecided"),
        ({"decisions": decided("held")}, "held"),
        ({"decisions": decided("held", "accepted")}, "underway"),
        ({"decisions": decided("held", "accepted", "discarded")}, ""),  # a second copy of it
        ({"decisions": decided("held", "accepted", "post")}, "underway"),
        ({"decisions": decided("held", "accepted", "post", "done")}, ""),
        ({"decisions": decided("held", "rejected")}, ""),
        ({"decisions": decided("command")}, "underway"),
        ({"decisions": decided("owner", "done")}, ""),
        ({"decisions": decided("bounce")}, ""),
        ({"decisions": decided("unrouted", list_="none")}, ""),
        ({"decisions": (*decided("post", "done"), *decided("held", list_="crew"))}, "held"),
        ({"decisions": (*decided("post", "done"), *decided("owner", mail="m-2"))}, "underway"),
        ({"queued": True}, "sending"),
        ({"decisions": ()}, "undecided"),
        ({"decisions": (), "refused": True}, ""),
        ({"seqs": {"RECEIVED": 6, "ROUTED": 11}}, "young"),
        ({"state": ""}, "unknown"),
        ({"state": "held"}, "unknown"),
        ({"state": "", "seqs": {"RECEIVED": 4, "ROUTED": 5}}, ""),
        ({"decisions": (), "state": "", "seqs": {"RECEIVED": 4}}, ""),
        ({"received": False, "decisions": (), "state": "", "seqs": {}}, "unknown"),
        ({"received": False, "decisions": (), "seqs": {"DELIVERY": 9}}, ""),  # a letter
    ],
)
def test_a_mail_goes_once_it_is_finished_at_every_list(changed: dict[str, Any], why: str) -> None:
    """What waits at one list keeps it for all, and what it was sent as goes before it."""
    assert judge_mail(but(POST, **changed), OLD, QUIET, ALL) == why


@pytest.mark.parametrize(
    ("kind", "durable"),
    [
        ("post", "fanout"),
        ("bounce", "bounces"),
        ("command", "answers"),
        ("rejected", "answers"),
        ("held", "answers"),
        ("accepted", "accepted"),
    ],
)
def test_a_decision_that_somebody_has_yet_to_read_keeps_its_mail(kind: str, durable: str) -> None:
    """Until each consumer that takes it is past it, its mail is needed."""
    behind = Floors(acked={**ALL.acked, durable: 5})
    found = but(POST, decisions=decided(kind, "done"))
    assert judge_mail(found, OLD, QUIET, behind) == "underway"


@pytest.mark.parametrize(
    ("entry", "acked", "open_"),
    [
        ({"finished": True}, False, False),
        ({"finished": False}, True, True),
        ({"finished": True, "deferred": (3,)}, False, True),
        ({"finished": True, "deferred": (3,)}, True, False),
        ({"finished": True, "split": True}, False, True),
        ({"finished": True, "split": True}, True, False),
    ],
)
def test_a_chunk_may_owe_a_retry_until_it_is_acknowledged(
    entry: dict[str, Any], acked: bool, open_: bool
) -> None:
    """Its ledger is closed first, what it owes is queued then."""
    last = WindowRecorded(
        mail_id="m", list="team", chunk="0", outcome=Outcome(start=0, end=1), **entry
    )
    assert is_open(last, acked=acked) is open_


@given(
    st.builds(
        Sending,
        seqs=st.dictionaries(st.sampled_from(["SEND", "DELIVERY", "ROUTED"]), st.integers(1, 12)),
        chunks=st.integers(0, 3),
        open=st.integers(0, 1),
        silent=st.integers(0, 1),
        scheduled=st.booleans(),
        routed=st.booleans(),
        fanned_out=st.booleans(),
        parked=st.booleans(),
        finished=st.booleans(),
    )
)
def test_no_copies_go_that_are_young_or_at_work(found: Sending) -> None:
    """Whatever else there is to say of them."""
    if judge_sending(found, OLD, QUIET) == "":
        assert not any((found.open, found.scheduled, found.parked))
        assert all(seq <= 10 for seq in found.seqs.values())
        assert found.fanned_out or not found.routed
