"""Specification: what the janitor is told to be finished."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest

from projections.analytics import deliveries, mails, routing, sending
from projections.catalog import queries
from schemas.envelope import Event
from schemas.mail import HeaderFacts, RawRef
from schemas.road import (
    BounceRouted,
    ChunkQueued,
    CommandDone,
    CommandRouted,
    Copy,
    FanoutDone,
    HeldAccepted,
    MailReceived,
    MailRefused,
    MailStopped,
    Origin,
    Outcome,
    PostRouted,
    WindowRecorded,
)
from tests.unit.projections.analysis import Analysis, message

RAW = RawRef(mail_id="m", chunks=1, size=9, sha256="", head=4)
IDS: Any = {"mail_id": "m", "list": "team"}
RECEIVED = MailReceived(mail_id="m", origin=Origin(source="box"), raw=RAW, facts=HeaderFacts())
POST = PostRouted(**IDS, raw=RAW)
DONE = FanoutDone(**IDS, audience=2, chunks=2)


def held(**where: str) -> MailStopped:
    """The mail is held, here or elsewhere."""
    return MailStopped(**{**IDS, **where}, verdict="held", hits=(), raw=RAW)


HELD = held()
analysis = functools.cache(Analysis)
STREAMS = {
    **dict.fromkeys((MailReceived, MailRefused), (mails, "mail.received.box.m")),
    ChunkQueued: (sending, "mail.send.now.team.m.0"),
    WindowRecorded: (deliveries, "delivery.team.m.0"),
}


def chunk(name: str, *, notice: bool = False) -> ChunkQueued:
    """A chunk of the mail."""
    copy = Copy(
        raw=RAW, list="team", list_address="team@x.org", bounces=("", ""), post=7, notice=notice
    )
    return ChunkQueued(**IDS, chunk=name, people=("p",), addresses=("p@x.org",), copy=copy)


def ended(name: str, *, finished: bool = True) -> WindowRecorded:
    """An entry of its ledger."""
    said = Outcome(start=0, end=1)
    return WindowRecorded(**IDS, chunk=name, outcome=said, people=("p",), finished=finished)


def asked(name: str, events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """The answer after these events, each of its stream."""
    analysis().clear()
    for seq, event in enumerate(events, 1):
        module, subject = STREAMS.get(type(event), (routing, "mail.routed.x.team.m"))
        analysis().fold(module.PROJECTION, [message(subject, seq, event)])
    return analysis().rows(queries()[name].sql, {"mails": ["m", "other"]})


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), None),
        ((RECEIVED,), "undecided"),
        ((MailRefused(mail_id="m", origin=Origin(source="box"), size=9, reason="stale"),), "done"),
        ((RECEIVED, POST), "underway"),
        ((RECEIVED, POST, chunk("0"), chunk("1"), DONE, ended("0")), "sending"),
        ((RECEIVED, POST, chunk("0"), chunk("1"), DONE, ended("0"), ended("1")), "done"),
        ((RECEIVED, POST, chunk("0"), ended("0")), "underway"),
        ((RECEIVED, POST, DONE), "done"),  # nobody was to get it
        ((RECEIVED, HELD), "held"),
        ((RECEIVED, HELD, HeldAccepted(**IDS, held=2, raw=RAW)), "held"),
        ((RECEIVED, HELD, MailStopped(**IDS, verdict="rejected", hits=(), raw=RAW)), "done"),
        ((RECEIVED, POST, DONE, held(list="crew")), "held"),
        ((RECEIVED, POST, DONE, held(mail_id="m-2")), "held"),
        ((RECEIVED, CommandRouted(**IDS, command="join", raw=RAW)), "underway"),
        (
            (
                RECEIVED,
                CommandRouted(**IDS, command="join", raw=RAW),
                CommandDone(**IDS, command="join", outcome="joined"),
            ),
            "done",
        ),
        ((RECEIVED, BounceRouted(**IDS, raw=RAW)), "done"),
        ((chunk("0", notice=True),), "sending"),
        ((chunk("0", notice=True), ended("0", finished=False)), "sending"),
        ((chunk("0", notice=True), ended("0")), "done"),
        ((ended("0"),), "done"),  # folded anew, when the chunk had gone
    ],
)
def test_how_a_mail_stands(events: tuple[Event, ...], state: str | None) -> None:
    """One word for all lists that it reached: it is done where nothing waits at any."""
    assert asked("finished_mails", events) == ([("m", state)] if state else [])


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((chunk("0"), ended("0")), "underway"),
        ((chunk("0"), DONE), "sending"),
        ((chunk("0"), DONE, ended("0")), "done"),
        ((chunk("0"), DONE, ended("0"), chunk("0r1")), "sending"),
        ((chunk("0"), DONE, ended("0"), chunk("0r1"), ended("0r1")), "done"),
        ((chunk("0", notice=True), ended("0")), "done"),
    ],
)
def test_how_copies_stand(events: tuple[Event, ...], state: str) -> None:
    """Every chunk that was queued has ended, and no more of the fan-out comes."""
    assert asked("finished_sendings", events) == [("team", "m", state)]
