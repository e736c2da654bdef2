"""Why a chunk has not left, by what the sender says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from postroad.cli.waits import SOON, Sender
from postroad.runtime.health import Fact
from postroad.runtime.later import Scheduled
from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy
from services.sender.routes import Routes, Way

LIMIT = "limit of 10 for big.example reached; goes on at 12:10 UTC on 21 November"
DAILY = "daily limit of 25 reached; goes on at 12:10 UTC on 22 November"


def chunk(*domains: str) -> ChunkQueued:
    """A chunk with a person in each of these domains."""
    return ChunkQueued(
        mail_id="m",
        list="team",
        chunk="0",
        people=domains,
        addresses=tuple(f"p@{domain}" for domain in domains),
        copy=Copy(
            raw=RawRef(mail_id="m", chunks=1, size=1, sha256="", head=1),
            list="team",
            list_address="team@lists.example",
            bounces=("", ""),
            post=1,
        ),
    )


def relay(name: str, *, ok: bool = True, detail: str = "", **facts: Any) -> Fact:
    return Fact(kind="relay", name=name, ok=ok, detail=detail, facts=facts)


def sender(*facts: Fact) -> Sender:
    """A sender with the relays `out`, `spare`, and `google` for gmail.example; limits at `out`."""
    ways = [Way("out"), Way("spare"), Way("google", ("gmail.example",))]
    return Sender(
        relays={fact.name: fact for fact in facts},
        given={"bulk": 10, "now": 0},
        routes=Routes(ways, {}),
        limited={"out": [("big.example", "*.big.example")]},
    )


IN_HAND = "in the hands of the sender: under way, or to be tried again"
OUT, SPARE, GOOGLE = relay("out"), relay("spare"), relay("google")
DEAD = relay("out", ok=False, detail="cannot be reached")


@pytest.mark.parametrize(
    ("facts", "domains", "why"),
    [
        ((), ("a.example",), "the sender does not answer; `postroad status` says more"),
        ((OUT, SPARE), ("a.example",), IN_HAND),
        ((DEAD, SPARE), ("a.example",), IN_HAND),  # another takes it
        (
            (DEAD, relay("spare", ok=False, detail="451")),
            ("a.example",),
            f"relay out does not work: cannot be reached{SOON}",
        ),
        (
            (OUT, SPARE, relay("google", ok=False, detail="451 later")),
            ("gmail.example",),
            f"relay google does not work: 451 later{SOON}",
        ),
        (
            (relay("out", detail=f"x.example slow; {LIMIT}"), SPARE),
            ("mx.big.example",),
            f"relay out: {LIMIT}",
        ),
        ((relay("out", detail=LIMIT), SPARE), ("a.example",), IN_HAND),
        ((relay("out", ok=False, detail=DAILY), SPARE), ("a.example",), IN_HAND),
        (
            (relay("out", detail=DAILY), relay("spare", ok=False, detail="451")),
            ("a.example",),
            f"relay out: {DAILY}",
        ),
        (
            (relay("out", domains={"a.example": "waits"}), SPARE),
            ("a.example",),
            "a.example refuses mail for now, or does not answer",
        ),
        ((relay("out", domains={"a.example": "slow"}), SPARE), ("b.example",), IN_HAND),
    ],
)
def test_what_was_given_to_the_sender(facts: tuple[Fact, ...], domains: tuple[str, ...], why: str):
    """A relay that fails is a reason where no other may take the chunk; so are limits and domains
    where they are about its people."""
    assert sender(*facts).why(chunk(*domains), "bulk", 10) == why


def test_what_was_not_given_out_yet():
    """A chunk behind the last that the sender was given waits for those before it."""
    assert sender(OUT).why(chunk("a.example"), "bulk", 11) == "others are sent first"


def test_what_is_scheduled():
    """It waits for what it says; for a relay in trouble, in the words of now."""
    due = datetime(2026, 11, 21, 12, tzinfo=UTC)
    paused = Scheduled(due=due, relay="out", why="the relay is paused")
    assert sender(OUT).scheduled(paused) == "relay out: the relay is paused"
    assert sender(DEAD).scheduled(paused) == "relay out does not work: cannot be reached"
    limited = Scheduled(due=due, relay="out", why=LIMIT)
    assert sender(DEAD).scheduled(limited) == f"relay out: {LIMIT}"
    assert sender(OUT).scheduled(Scheduled(due=due, why="refused for now")) == ""
